"""Draw a generic face that keeps the landmarks, eyes and gaze of a person, and no pixel of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.eyes import Eyes
from edan_ros.core.geometry import REGIONS

Points = NDArray[np.float64]
Colour = tuple[int, int, int]

#: Colours (BGR) of every avatar, independent of the person.
_HEAD, _SKIN, _SHADE, _BROW = (158, 152, 146), (176, 198, 218), (138, 162, 188), (70, 66, 64)
_LIP, _MOUTH, _TEETH = (122, 128, 178), (56, 50, 74), (232, 236, 238)
_WHITE, _IRIS, _PUPIL, _LINE = (240, 240, 240), (116, 98, 84), (34, 30, 28), (86, 94, 118)

#: Height in pixels at which a head is drawn before it is scaled to its size: lines stay smooth.
_DRAWN_SIDE = 448
#: Height of the forehead above the brows, in distances from the brows to the chin.
_FOREHEAD = 0.42
#: Openness below which an eye is drawn closed, and the ratio of height to width of an open eye.
_CLOSED, _OPEN_RATIO = 0.2, 0.30
#: Radians of gaze that move the iris to the corner of the eye.
_GAZE_RANGE = math.radians(50.0)
_SHIFT = 4  # fractional bits of coordinates


def draw_avatar(
    canvas: NDArray[np.uint8],
    outline: Points,
    landmarks: NDArray[np.floating],
    eyes: Eyes | None = None,
) -> NDArray[np.bool_]:
    """Replace a head by a drawn one whose colours do not depend on the image.

    Args:
        canvas: (height, width, 3) BGR, changed inside the outline only.
        outline: (n, 2) convex outline of the head in pixels; all of its inside is replaced.
        landmarks: (68, 2) in pixels, iBUG order.
        eyes: openness and gaze; None to take the openness from the landmarks, and no gaze.

    Returns:
        (height, width): True for the pixels that were replaced.
    """
    height, width = canvas.shape[:2]
    replaced = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(replaced, np.round(outline).astype(np.int32), 1)
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)) + 1, (width, height)).astype(int)
    mask = replaced.astype(bool)
    if x0 >= x1 or y0 >= y1:
        return mask
    scale = _DRAWN_SIDE / max(float(np.ptp(outline[:, 1])), 1.0)
    size = max(round((x1 - x0) * scale), 1), max(round((y1 - y0) * scale), 1)
    part = np.full((size[1], size[0], 3), _HEAD, np.uint8)
    # Pixel centres are at integers, in the drawing as in the image.
    points = (np.asarray(landmarks, np.float64) - (x0, y0) + 0.5) * scale - 0.5
    _draw_face(part, points, eyes)
    method = cv2.INTER_AREA if scale > 1.0 else cv2.INTER_LINEAR
    small = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=method)
    inside = mask[y0:y1, x0:x1]
    canvas[y0:y1, x0:x1][inside] = small[inside]
    return mask


def _draw_face(part: NDArray[np.uint8], points: Points, eyes: Eyes | None) -> None:
    """Draw skin, brows, eyes, nose and mouth. points: (68, 2) in pixels of the drawing."""
    face = float(np.linalg.norm(np.ptp(points, axis=0))) / math.sqrt(2.0)
    thin, thick = max(round(face / 160), 1), max(round(face / 36), 1)
    _fill(part, _skin_outline(points), _SKIN)
    for first, last in ((17, 21), (22, 26)):
        _line(part, _smooth(points[first : last + 1]), _BROW, thick)
    _line(part, _smooth(points[27:31]), _SHADE, 2 * thin)
    _line(part, _smooth(points[31:36]), _SHADE, 3 * thin)
    for side, first in enumerate((36, 42)):
        _draw_eye(part, points[first : first + 6], eyes, side, thin)
    outer, inner = points[48:60], points[60:68]
    _fill(part, _closed(outer), _LIP)
    height = float(np.linalg.norm(points[62] - points[66]))
    if height > 0.03 * face:
        _fill(part, _closed(inner), _MOUTH)
        upper = np.concatenate([inner[:5], inner[4:0:-1] * 0.65 + inner[[4, 5, 6, 7]] * 0.35])
        _fill(part, upper, _TEETH)
    else:
        _line(part, _smooth(0.5 * (inner[:5] + inner[[0, 7, 6, 5, 4]])), _MOUTH, 2 * thin)


def _draw_eye(
    part: NDArray[np.uint8], lid: Points, eyes: Eyes | None, side: int, thin: int
) -> None:
    """Draw an eye. lid: (6, 2) landmarks. side: 0 for the person's right eye, 1 for the left."""
    across = lid[3] - lid[0]
    width = float(np.linalg.norm(across))
    if width < 1.0:
        return
    along = across / width
    down = np.array([-along[1], along[0]])
    middle = 0.5 * (lid[0] + lid[3])
    heights = (lid - middle) @ down
    openness = math.nan if eyes is None else float(eyes.openness[side])
    if not math.isnan(openness):
        # The shape of the lids stays, its height follows the measured openness.
        opened = max(float(np.ptp(heights)), _OPEN_RATIO * width * 0.5)
        target = _OPEN_RATIO * width * min(max(openness, 0.0), 1.0)
        lid = lid + np.outer(heights * (target / opened - 1.0), down)
        heights = (lid - middle) @ down
    if not openness >= _CLOSED and (openness < _CLOSED or np.ptp(heights) < 0.08 * width):
        _line(part, _smooth(lid[[0, 5, 4, 3]]), _LINE, 3 * thin)
        return
    contour = _closed(lid)
    mask = np.zeros(part.shape[:2], np.uint8)
    _fill(mask, contour, 255)
    eye = np.full_like(part, _WHITE)
    radius = 0.21 * width
    centre = lid.mean(axis=0)
    if eyes is not None and eyes.gaze is not None:
        # Seen from the front, the person's left is the image's right.
        x, y = (min(max(v / _GAZE_RANGE, -1.0), 1.0) for v in (eyes.yaw, eyes.pitch))
        centre = middle + along * (0.5 * width - 0.5 * radius) * x
        centre = centre + down * (heights.mean() - 0.3 * width * y)
    for colour, size in ((_IRIS, radius), (_PUPIL, 0.45 * radius)):
        _circle(eye, centre, size, colour)
    opacity = mask[..., None].astype(np.float32) / 255.0
    part[:] = (part * (1.0 - opacity) + eye * opacity).astype(np.uint8)
    _line(part, _smooth(lid[:4]), _LINE, 2 * thin)
    _line(part, _smooth(lid[[0, 5, 4, 3]]), _LINE, thin)


def _skin_outline(points: Points) -> Points:
    """Return the outline of the face: the jaw, and an arc over the brows for the forehead."""
    jaw, brows = points[list(REGIONS["jaw"])], points[list(REGIONS["brows"])]
    up = brows.mean(axis=0) - points[8]
    top = brows.mean(axis=0) + _FOREHEAD * up
    middle = 0.5 * (jaw[0] + jaw[16])
    half, rise = 0.5 * (jaw[16] - jaw[0]), top - middle
    angles = np.linspace(0.0, math.pi, 24)[1:-1, None]
    arc = middle + np.cos(angles) * half + np.sin(angles) * rise
    return np.concatenate([_smooth(jaw), arc])


def _smooth(points: Points, steps: int = 6) -> Points:
    """Return a Catmull-Rom spline through (n, 2) points."""
    return _spline(np.concatenate([points[:1], points, points[-1:]]), steps)


def _closed(points: Points, steps: int = 6) -> Points:
    """Return a closed Catmull-Rom spline through (n, 2) points."""
    return _spline(np.concatenate([points[-1:], points, points[:2]]), steps)


def _spline(p: Points, steps: int) -> Points:
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    terms = (-a + 3 * b - 3 * c + d) * t**3 + (2 * a - 5 * b + 4 * c - d) * t**2
    curve = 0.5 * (terms + (c - a) * t + 2 * b)
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), p[-2:-1]])


def _fixed(points: Points) -> NDArray[np.int32]:
    whole = np.round(np.clip(points, -1e4, 1e4) * 2**_SHIFT).astype(np.int32)
    return np.asarray(whole.reshape(-1, 1, 2))


def _fill(part: NDArray[np.uint8], points: Points, colour: Sequence[int] | int) -> None:
    cv2.fillPoly(part, [_fixed(points)], colour, cv2.LINE_AA, _SHIFT)


def _line(part: NDArray[np.uint8], points: Points, colour: Colour, thickness: int) -> None:
    cv2.polylines(part, [_fixed(points)], False, colour, thickness, cv2.LINE_AA, _SHIFT)


def _circle(part: NDArray[np.uint8], centre: Points, radius: float, colour: Colour) -> None:
    x, y = _fixed(centre[None])[0, 0].tolist()
    cv2.circle(part, (x, y), round(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)
