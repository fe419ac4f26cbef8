"""Maps of different faces laid over one another: moved into the frame of the mean shape."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE, REGIONS

#: Side in pixels of a map in the frame of the mean shape.
SIDE = 64
#: Reach of a region around its landmarks, in parts of the side: that of ranking.region_shares,
#: but for the jaw, whose inner half is cheeks and chin.
_REACH, _JAW_REACH = 0.1, 0.05
AREAS = ("brows", "eyes", "nose", "mouth", "jaw", "chin", "cheeks", "elsewhere")


def mean_landmarks(side: int = SIDE) -> NDArray[np.float64]:
    """(68, 2) the mean shape in pixels of its own crop."""
    return MEAN_SHAPE * (side / CROP_SCALE) + 0.5 * (side - 1)


def aligned(
    values: NDArray[np.floating], landmarks: NDArray[np.floating], size: int
) -> NDArray[np.float32]:
    """A map moved to where the mean shape has what the face has there, (SIDE, SIDE).

    Scaled to a mean of 1, so that every face counts the same and a flat map is 1 everywhere; an
    empty map stays empty.

    Args:
        values: (h, w) map over a crop, >= 0.
        landmarks: (68, 2) of the face in pixels of the crop.
        size: side of the crop in pixels.
    """
    fine = cv2.resize(np.asarray(values, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    matrix = Crop.from_landmarks(landmarks).matrix(SIDE)
    moved = cv2.warpAffine(fine, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(moved / max(float(moved.mean()), 1e-12), np.float32)


def areas() -> dict[str, NDArray[np.bool_]]:
    """(SIDE, SIDE) masks over the mean shape, one of AREAS each pixel.

    A pixel near a landmark belongs to its region. Of the rest inside the outline, what lies below
    the mouth is chin, and what else lies below the eyes is cheeks.
    """
    points = mean_landmarks()
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    distances = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1])
    nearest = distances.argmin(axis=2)
    reach = np.where(np.isin(nearest, REGIONS["jaw"]), _JAW_REACH, _REACH)
    near = distances.min(axis=2) <= reach * SIDE
    masks = {name: np.isin(nearest, REGIONS[name]) & near for name in AREAS[:5]}
    outline = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(outline, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    rest = (outline > 0) & ~near
    mouth = points[REGIONS["mouth"], :]
    left, right = mouth[:, 0].min(), mouth[:, 0].max()
    masks["chin"] = rest & (y > mouth[0, 1]) & (x >= left) & (x <= right)
    masks["cheeks"] = rest & ~masks["chin"] & (y > points[REGIONS["eyes"], 1].max())
    masks["elsewhere"] = ~np.any(list(masks.values()), axis=0)
    return masks
