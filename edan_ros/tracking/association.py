"""What it costs to take a face for that of a track, and the pairs of least total cost.

The cost is the sum of

* overlap: 1 less the generalised IoU (Rezatofighi et al., "Generalized intersection over union",
  2019) of the upright squares of the two faces' sizes, 0 to 2, and |ln(ratio of the sizes)|;
* landmark shape: root mean square distance of the 68 points once place, size and roll are taken
  out of both, SHAPE_COST for a crop's side, SHAPE_LIMIT at most;
* time: TIME_COST for each second that the track has been lost.

The assignment is that of Crouse, "On implementing 2D rectangular assignment algorithms", 2016, in
scipy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import CROP_SCALE, NUM_LANDMARKS

SHAPE_COST, SHAPE_LIMIT = 10.0, 0.5
TIME_COST = 0.2
#: Costs more than any possible pair.
_IMPOSSIBLE = 1e3


def places_of(crops: Sequence[Crop]) -> NDArray[np.float64]:
    """(n, 3): x and y of the middle and size of the faces in crops."""
    rows = [(crop.center[0], crop.center[1], crop.side / CROP_SCALE) for crop in crops]
    return np.array(rows, np.float64).reshape(-1, 3)


def overlap_costs(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 less the generalised IoU of the squares at two places, and |ln(ratio)| of their sizes.

    (n, 3) places each -> (n,); a (n, 1, 3) and b (m, 3) -> (n, m).
    """
    size_a, size_b = a[..., 2], b[..., 2]
    mean, apart = 0.5 * (size_a + size_b)[..., None], np.abs(a[..., :2] - b[..., :2])
    smaller = np.minimum(size_a, size_b)[..., None]
    shared = np.minimum(np.maximum(mean - apart, 0.0), smaller).prod(axis=-1)
    larger = np.maximum(size_a, size_b)[..., None]
    around = np.maximum(mean + apart, larger).prod(axis=-1)
    union = size_a * size_a + size_b * size_b - shared
    cost = 2.0 - shared / union - union / around + np.abs(np.log(size_a / size_b))
    return np.asarray(cost, np.float64)


def shapes_of(landmarks: NDArray[np.floating], crops: Sequence[Crop | None]) -> NDArray[np.float64]:
    """(n, 68, 2) landmarks in their crops, the middle at 0, in sides; 0 where there is none."""
    turns = np.array([(c.roll, c.side, *c.center) if c else (0.0, np.inf, 0.0, 0.0) for c in crops])
    off = (landmarks - turns[:, None, 2:]) / turns[:, 1, None, None]
    cos, sin = np.cos(turns[:, 0, None]), np.sin(turns[:, 0, None])
    x = off[..., 0] * cos + off[..., 1] * sin
    y = off[..., 1] * cos - off[..., 0] * sin
    return np.asarray(np.stack([x, y], axis=-1), np.float64)


def overlaps_between(rows: Sequence[Crop], columns: Sequence[Crop]) -> NDArray[np.float64]:
    """(rows, columns): the overlap costs of all pairs."""
    return overlap_costs(places_of(rows)[:, None], places_of(columns))


def shape_costs(
    known: Sequence[NDArray[np.float64]], now: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(known, now): what the differences between landmark shapes cost, each (68, 2)."""
    a = np.stack(known).reshape(len(known), -1)
    b = np.stack(now).reshape(len(now), -1)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * a @ b.T
    distance = np.sqrt(np.maximum(squares, 0.0) / NUM_LANDMARKS)
    return np.asarray(np.minimum(SHAPE_COST * distance, SHAPE_LIMIT), np.float64)


def assigned(costs: NDArray[np.float64], possible: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(row, column) of the pairs of least total cost among the possible ones, each used once."""
    if not possible.any():
        return []
    rows, columns = linear_sum_assignment(np.where(possible, costs, _IMPOSSIBLE))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(i, j) for i, j in pairs if possible[i, j]]
