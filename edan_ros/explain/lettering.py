"""Letters on the pictures of this folder."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.drawing.faces import Colour

Pixels = NDArray[np.uint8]

INK: Colour = (35, 30, 30)
PENCIL: Colour = (115, 110, 105)
PAPER: Colour = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
#: Height in pixels of a capital letter of _FONT at scale 1.
_CAPITAL = 21.0


def text(
    canvas: Pixels,
    line: str,
    x: int,
    y: int,
    colour: Colour,
    *,
    size: int = 10,
    middle: bool = False,
) -> None:
    """A line whose capitals begin at y, downwards, and are ``size`` pixels high.

    x: where it begins, or its middle.
    """
    scale = size / _CAPITAL
    if middle:
        (width, _), _ = cv2.getTextSize(line, _FONT, scale, 1)
        x -= width // 2
    cv2.putText(canvas, line, (x, y + size), _FONT, scale, colour, 1, cv2.LINE_AA)
