"""Whether a map tells the truth about its model: deletion and insertion curves.

After Petsiuk, Das, Saenko, "RISE", 2018, section 3.4: take away what a map calls important first,
and the probability of the emotion should fall at once; put it back first, and it should rise at
once. Both are read against a map that knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Parts in which a crop is taken away or put back.
STEPS = 10
#: Values from which on an interval is given: of two or three it would be an illusion.
FEWEST = 5
#: Blur of what insertion starts from, in parts of the crop's side: no feature survives it.
_BLUR = 1.0 / 8.0


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval over faces; low and high are NaN for fewer than FEWEST."""

    mean: float
    low: float
    high: float


def curves(
    probability: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    crop: NDArray[np.float32],
    values: NDArray[np.floating],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The probability while a crop is taken away, and while it is put back.

    The pixels go in the order of the map, largest first; where the map is equal, by chance. What
    is taken away becomes the crop's mean grey; insertion starts from the blurred crop.

    Args:
        probability: (n, 1, S, S) crops to (n,) probabilities of the emotion.
        crop: (S, S) grey, 0 to 255.
        values: (h, w) map over the crop, >= 0.

    Returns:
        Deletion and insertion, (STEPS + 1,) each.
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


def area(curve: NDArray[np.floating]) -> float:
    """The area under a curve whose steps are even, its whole width 1: for probabilities 0 to 1."""
    return float(0.5 * (curve[1:] + curve[:-1]).mean())


def interval(values: NDArray[np.floating], seed: int = 0) -> Interval:
    """Mean of (n,) values and its 95 % interval: bootstrap over them, percentiles, 2,000 draws."""
    if len(values) < FEWEST:
        return Interval(float(np.mean(values)) if len(values) else np.nan, np.nan, np.nan)
    draws = np.random.default_rng(seed).integers(0, len(values), (2000, len(values)))
    low, high = np.percentile(np.asarray(values, np.float64)[draws].mean(axis=1), (2.5, 97.5))
    return Interval(float(np.mean(values)), float(low), float(high))


def _order(values: NDArray[np.floating], side: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(side * side,) pixels, the largest value first."""
    fine = cv2.resize(
        np.asarray(values, np.float32), (side, side), interpolation=cv2.INTER_LINEAR
    ).ravel()
    return np.lexsort((rng.random(fine.size), -fine))
