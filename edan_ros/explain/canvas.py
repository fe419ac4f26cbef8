"""Drawing primitives of the explanation figures: landmark outlines, maps over crops."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import OUTLINES
from edan_ros.drawing.colours import Colour, Pixels

TEXT: Colour = (35, 30, 30)
MUTED: Colour = (115, 110, 105)
BACKGROUND: Colour = (255, 255, 255)


def draw_outlines(canvas: Pixels, landmarks: NDArray[np.floating], colour: Colour) -> None:
    """Draw thin lines along (68, 2) landmarks in pixels of the canvas."""
    points = np.round(landmarks).astype(np.int32)
    for first, last, closed in OUTLINES:
        line = points[first : last + 1].reshape(-1, 1, 2)
        cv2.polylines(canvas, [line], closed, colour, 1, cv2.LINE_AA)


def overlay(
    crop: NDArray[np.uint8] | NDArray[np.floating],
    values: NDArray[np.floating],
    *,
    side: int = 256,
    opacity: float = 0.85,
) -> Pixels:
    """Return a grey crop with a map over it in the colours of magma, dark to bright.

    Args:
        crop: (h, w) grey, 0 to 255.
        values: (h, w) map, 0 to 1.
        side: side of the result in pixels.
        opacity: of the colour from a value of 0.5 on; it is 0 at a value of 0.

    Returns:
        (side, side, 3) BGR.
    """
    grey = cv2.resize(np.asarray(crop, np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(np.asarray(values, np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    fine = np.clip(fine, 0.0, 1.0)
    colour = cv2.applyColorMap(np.asarray(fine * 255, np.uint8), cv2.COLORMAP_MAGMA)
    weight = (opacity * np.minimum(2.0 * fine, 1.0))[..., None]
    mixed = (1.0 - weight) * cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR) + weight * colour
    return np.asarray(mixed, np.uint8)
