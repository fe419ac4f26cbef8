"""Makes people unrecognisable in a picture before it is shown or stored."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import Detection, Face
from edan_ros.core.geometry import REGIONS

#: What can be asked for: the picture as it is, faces blurred, or no picture at all.
PRIVACY_MODES = ("none", "blur", "landmarks-only")

#: What a picture of which only landmarks may be seen is filled with.
_GROUND = 32
#: Blurred cells across a head. Seven leave colour and outline, and no feature.
_CELLS = 7
#: Half axes of a head and its middle above the middle of the landmarks, in parts of the larger
#: side of their box: the landmarks end at the brows, a head does not, and hair tells who it is.
_HALF_WIDTH, _HALF_HEIGHT, _ABOVE = 0.8, 1.0, 0.22


def apply_privacy(
    pixels: NDArray[np.uint8], faces: Sequence[Face | Detection], mode: str
) -> NDArray[np.uint8]:
    """The picture with nobody to be recognised in it.

    Only faces that are given are covered: whom the detector does not find is seen under "blur".
    "landmarks-only" keeps not one pixel, so that what is drawn later is all there is to see.

    Args:
        pixels: (height, width, 3) BGR or (height, width) grey; not changed.
        faces: those in the picture; what a detector found, with a low threshold, may be among
            them to cover whom the model does not read.
        mode: of PRIVACY_MODES. "blur" replaces heads by a few averages of their colours, which
            cannot be undone.

    Returns:
        A picture of the same shape; ``pixels`` themselves for "none".

    Raises:
        ValueError: for another mode.
    """
    if mode == "none":
        return pixels
    if mode == "landmarks-only":
        return np.full_like(pixels, _GROUND)
    if mode != "blur":
        raise ValueError(f"privacy is '{mode}', must be one of {', '.join(PRIVACY_MODES)}")
    covered = pixels.copy()
    for face in faces:
        _blur(covered, face)
    return covered


def _blur(canvas: NDArray[np.uint8], face: Face | Detection) -> None:
    """Covers one head, as far as it lies in the picture."""
    height, width = canvas.shape[:2]
    outline = _head(face)
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)) + 1, (width, height)).astype(int)
    if x0 >= x1 or y0 >= y1:
        return
    part = canvas[y0:y1, x0:x1]
    cell = np.ptp(outline, axis=0).max() / _CELLS
    cells = max(round((x1 - x0) / cell), 1), max(round((y1 - y0) / cell), 1)
    few = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(few, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(outline - (x0, y0)).astype(np.int32), 1)
    part[mask > 0] = smooth[mask > 0]


def _head(face: Face | Detection) -> NDArray[np.float64]:
    """(n, 2) outline of the whole head: an ellipse along the line of the eyes."""
    box, roll = face.box, _roll(face)
    side = max(box.width, box.height)
    across = np.array([math.cos(roll), math.sin(roll)])
    down = np.array([-math.sin(roll), math.cos(roll)])
    angle = np.linspace(0.0, 2.0 * math.pi, 48, endpoint=False)[:, None]
    ring = _HALF_WIDTH * np.cos(angle) * across + _HALF_HEIGHT * np.sin(angle) * down
    outline: NDArray[np.float64] = np.array(box.center) + side * (ring - _ABOVE * down)
    return outline


def _roll(face: Face | Detection) -> float:
    """Radians, positive is clockwise on the screen."""
    if isinstance(face, Detection):
        return face.roll
    eyes = face.landmarks[list(REGIONS["eyes"])]
    x, y = eyes[6:].mean(axis=0) - eyes[:6].mean(axis=0)
    return math.atan2(y, x)
