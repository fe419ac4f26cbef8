"""Align the maps of different faces in the frame of the mean shape, and divide it into areas."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE, REGIONS

#: Side in pixels of a map in the frame of the mean shape.
SIDE = 64
#: Radius of a region around its landmarks, as a fraction of the side: that of
#: ranking.region_shares, except for the jaw, whose inner half is cheeks and chin.
_RADIUS, _JAW_RADIUS = 0.1, 0.05
AREAS = ("brows", "eyes", "nose", "mouth", "jaw", "chin", "cheeks", "elsewhere")


def mean_landmarks(side: int = SIDE) -> NDArray[np.float64]:
    """Return the mean shape, (68, 2), in pixels of its own crop."""
    return MEAN_SHAPE * (side / CROP_SCALE) + 0.5 * (side - 1)


def align_map(
    values: NDArray[np.floating], landmarks: NDArray[np.floating], size: int
) -> NDArray[np.float32]:
    """Align a map with the mean shape and scale it to a mean of 1; an empty map stays empty.

    With equal means, every face has the same weight, and a uniform map is 1 everywhere.

    Args:
        values: (h, w) map over a crop, at least 0.
        landmarks: (68, 2) of the face in pixels of the crop.
        size: side of the crop in pixels.

    Returns:
        (SIDE, SIDE).
    """
    fine = cv2.resize(np.asarray(values, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    matrix = Crop.from_landmarks(landmarks).matrix(SIDE)
    aligned = cv2.warpAffine(fine, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(aligned / max(float(aligned.mean()), 1e-12), np.float32)


def area_masks() -> dict[str, NDArray[np.bool_]]:
    """Return a (SIDE, SIDE) mask over the mean shape for each of AREAS; they do not overlap.

    A pixel near a landmark belongs to the landmark's region. Of the other pixels inside the
    convex hull, those below the mouth are chin, and those below the eyes are cheeks.
    """
    points = mean_landmarks()
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    distances = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1])
    nearest = distances.argmin(axis=2)
    radius = np.where(np.isin(nearest, REGIONS["jaw"]), _JAW_RADIUS, _RADIUS)
    near = distances.min(axis=2) <= radius * SIDE
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
