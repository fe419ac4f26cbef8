"""Shares of landmarks, face regions and parts in a map, compared with those in a uniform map."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import NUM_LANDMARKS, REGIONS

#: Standard deviation of a landmark's neighbourhood and radius of a region around its landmarks, as
#: fractions of the crop's side. The radius is about half the distance between mouth and nose.
_SIGMA = 0.04
_RADIUS = 0.1

#: Share of one landmark in a uniform map.
LANDMARK_CHANCE = 1.0 / NUM_LANDMARKS
#: Landmarks of the parts that a sentence names; left and right are the person's own.
PARTS: dict[str, tuple[int, ...]] = {
    "right brow": tuple(range(17, 22)),
    "left brow": tuple(range(22, 27)),
    "right eye": tuple(range(36, 42)),
    "left eye": tuple(range(42, 48)),
    "bridge of the nose": (27, 28, 29),
    "tip of the nose": tuple(range(30, 36)),
    "right mouth corner": (48, 49, 59, 60),
    "left mouth corner": (53, 54, 55, 64),
    "upper lip": (50, 51, 52, 61, 62, 63),
    "lower lip": (56, 57, 58, 65, 66, 67),
    "chin": (7, 8, 9),
    "right side of the jaw": tuple(range(7)),
    "left side of the jaw": tuple(range(10, 17)),
}
#: A part beside the strongest one is named if its share is at least this fraction of the largest.
_NAMED_FROM = 0.6


@dataclass(frozen=True)
class RegionShare:
    """The share of a map in a region of the face. chance: the share in a uniform map."""

    name: str
    share: float
    chance: float


def normalise_map(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale a map of values at least 0 to a maximum of 1; an empty map stays empty."""
    peak = float(values.max())
    return np.asarray(values / peak if peak > 0.0 else np.zeros_like(values), np.float32)


def landmark_shares(
    values: NDArray[np.floating], landmarks: NDArray[np.floating], size: int
) -> NDArray[np.float64]:
    """Return the (68,) shares of the landmarks in a map, sum 1.

    A share is the map's Gaussian-weighted mean around a landmark, divided by the sum of all 68
    means. In a uniform or empty map, every landmark has LANDMARK_CHANCE.

    Args:
        values: (h, w) map over the crop, at least 0.
        landmarks: (68, 2) pixels of the crop.
        size: side of the crop in pixels.
    """
    weights = np.exp(-0.5 * _squared_distances(values.shape, landmarks, size) / _SIGMA**2)
    # A landmark far outside the crop has no weight anywhere and therefore no share.
    sums = np.maximum(weights.sum(axis=1), 1e-12)
    means = weights @ values.ravel() / sums
    total = float(means.sum())
    return means / total if total > 0.0 else np.full(len(means), LANDMARK_CHANCE)


def region_shares(
    values: NDArray[np.floating], landmarks: NDArray[np.floating], size: int
) -> list[RegionShare]:
    """Return the share of a map in each region of the face, largest first.

    A pixel belongs to the region of its nearest landmark if that is within the radius.
    Arguments as for :func:`landmark_shares`.
    """
    fine = cv2.resize(np.asarray(values, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    distances = _squared_distances(fine.shape, landmarks, size)
    region_of = np.empty(NUM_LANDMARKS, int)
    for i, members in enumerate(REGIONS.values()):
        region_of[list(members)] = i
    region = region_of[distances.argmin(axis=0)]
    region[distances.min(axis=0) > _RADIUS**2] = len(REGIONS)
    counts = np.bincount(region, minlength=len(REGIONS) + 1)
    sums = np.bincount(region, weights=fine.ravel(), minlength=len(REGIONS) + 1)
    total = max(float(sums.sum()), 1e-12)
    shares = [
        RegionShare(name, float(sums[i]) / total, float(counts[i]) / fine.size)
        for i, name in enumerate(REGIONS)
    ]
    return sorted(shares, key=lambda region: region.share, reverse=True)


def strongest_parts(
    values: NDArray[np.floating], landmarks: NDArray[np.floating], size: int
) -> list[str]:
    """Return the part with the largest mean share of a map, and the next if it comes close.

    Empty for an empty map. Arguments as for :func:`landmark_shares`.
    """
    if not values.any():
        return []
    shares = landmark_shares(values, landmarks, size)
    means = {name: float(shares[list(members)].mean()) for name, members in PARTS.items()}
    first, second = sorted(means, key=lambda name: -means[name])[:2]
    return [first, second] if means[second] >= _NAMED_FROM * means[first] else [first]


def _squared_distances(
    shape: tuple[int, ...], landmarks: NDArray[np.floating], size: int
) -> NDArray[np.float64]:
    """Return (68, h * w) from each landmark to each cell's centre, in squared crop sides."""
    rows, columns = shape
    x = (np.arange(columns) + 0.5) / columns
    y = (np.arange(rows) + 0.5) / rows
    points = (np.asarray(landmarks, np.float64) + 0.5) / size
    squared = (y[None, :, None] - points[:, None, None, 1]) ** 2 + (
        x[None, None, :] - points[:, None, None, 0]
    ) ** 2
    return squared.reshape(len(points), rows * columns)
