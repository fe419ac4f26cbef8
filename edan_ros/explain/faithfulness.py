"""Faithfulness of maps to their model: deletion and insertion curves.

After Petsiuk, Das, Saenko, "RISE", 2018, section 3.4: when the pixels that a map ranks first are
deleted first, the probability of the emotion should fall quickly; when they are inserted first, it
should rise quickly. Both are compared with maps that are independent of the face.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Steps in which a crop is deleted or inserted.
STEPS = 10
#: Fewest values for a confidence interval.
MIN_VALUES = 5
#: Standard deviation of the blur that insertion starts from, as a fraction of the crop's side.
_BLUR = 1.0 / 8.0


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval, which is NaN for fewer than MIN_VALUES values."""

    mean: float
    low: float
    high: float


def curves(
    probability: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    crop: NDArray[np.float32],
    values: NDArray[np.floating],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the probability while a crop is deleted, and while it is inserted.

    Pixels are processed in decreasing order of the map; ties are in random order. Deleted pixels
    become the crop's mean grey; insertion starts from the blurred crop.

    Args:
        probability: maps (n, 1, S, S) crops to (n,) probabilities of the emotion.
        crop: (S, S) grey, 0 to 255.
        values: (h, w) map over the crop, at least 0.
        rng: random generator for ties.

    Returns:
        The deletion and the insertion curve, (STEPS + 1,) each.
    """
    order = _order(values, crop.shape[0], rng)
    whole = crop.ravel()
    blurred = cv2.GaussianBlur(crop, (0, 0), _BLUR * crop.shape[0]).ravel()
    deleted = np.repeat(whole[None], STEPS + 1, axis=0)
    inserted = np.repeat(blurred[None], STEPS + 1, axis=0)
    for step in range(STEPS + 1):
        first = order[: whole.size * step // STEPS]
        deleted[step, first] = whole.mean()
        inserted[step, first] = whole[first]
    batch = np.concatenate([deleted, inserted]).reshape(-1, 1, *crop.shape)
    found = np.asarray(probability(batch), np.float64)
    return found[: STEPS + 1], found[STEPS + 1 :]


def area_under(curve: NDArray[np.floating]) -> float:
    """Return the area under a curve with equal steps and a width of 1."""
    return float(0.5 * (curve[1:] + curve[:-1]).mean())


def interval(values: NDArray[np.floating], seed: int = 0) -> Interval:
    """Return the mean of (n,) values with its 95 % percentile bootstrap interval, 2,000 draws."""
    if len(values) < MIN_VALUES:
        return Interval(float(np.mean(values)) if len(values) else np.nan, np.nan, np.nan)
    draws = np.random.default_rng(seed).integers(0, len(values), (2000, len(values)))
    low, high = np.percentile(np.asarray(values, np.float64)[draws].mean(axis=1), (2.5, 97.5))
    return Interval(float(np.mean(values)), float(low), float(high))


def _order(values: NDArray[np.floating], side: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the (side * side,) indices of the pixels in decreasing order of the map."""
    fine = cv2.resize(
        np.asarray(values, np.float32), (side, side), interpolation=cv2.INTER_LINEAR
    ).ravel()
    return np.lexsort((rng.random(fine.size), -fine))
