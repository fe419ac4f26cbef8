"""Costs of matching tracks with faces, and the assignment of least total cost.

The cost of a pair is the sum of

* overlap: 1 - GIoU (Rezatofighi et al., "Generalized intersection over union", 2019) of the
  upright squares at the two faces, 0 to 2, plus |ln(ratio of the sizes)|;
* shape: root mean square distance of the 68 landmarks after removal of position, size and roll,
  multiplied by SHAPE_COST per crop side, at most SHAPE_LIMIT;
* time: TIME_COST for each second since the track was lost.

The assignment follows Crouse, "On implementing 2D rectangular assignment algorithms", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import gious_of_squares
from edan_ros.core.crops import Crop
from edan_ros.core.geometry import CROP_SCALE, NUM_LANDMARKS

SHAPE_COST, SHAPE_LIMIT = 10.0, 0.5
TIME_COST = 0.2
#: More than any admissible pair costs.
_FORBIDDEN_COST = 1e3


def squares_of(crops: Sequence[Crop]) -> NDArray[np.float64]:
    """Return the upright squares around the faces in crops.

    Returns:
        (n, 3): x and y of the centre and side, in pixels.
    """
    rows = [(crop.center[0], crop.center[1], crop.side / CROP_SCALE) for crop in crops]
    return np.array(rows, np.float64).reshape(-1, 3)


def overlap_costs(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 - GIoU plus |ln(ratio of the sides)| for pairs of squares.

    Args:
        a: squares as returned by ``squares_of``: (n, 3), or (n, 1, 3) for all pairs.
        b: squares, (n, 3) or (m, 3).

    Returns:
        (n,), or (n, m) for all pairs; at least 0.
    """
    return 1.0 - gious_of_squares(a, b) + np.abs(np.log(a[..., 2] / b[..., 2]))


def pairwise_overlap_costs(rows: Sequence[Crop], columns: Sequence[Crop]) -> NDArray[np.float64]:
    """Return the (rows, columns) overlap costs of all pairs of crops."""
    return overlap_costs(squares_of(rows)[:, None], squares_of(columns))


def shapes_of(landmarks: NDArray[np.floating], crops: Sequence[Crop | None]) -> NDArray[np.float64]:
    """Return landmarks relative to their crops, independent of position, size and roll.

    Args:
        landmarks: (n, 68, 2) in image pixels.
        crops: of length n; None gives a shape of zeros.

    Returns:
        (n, 68, 2) in sides of the crop, 0 at its centre.
    """
    turns = np.array([(c.roll, c.side, *c.center) if c else (0.0, np.inf, 0.0, 0.0) for c in crops])
    offset = (landmarks - turns[:, None, 2:]) / turns[:, 1, None, None]
    cos, sin = np.cos(turns[:, 0, None]), np.sin(turns[:, 0, None])
    x = offset[..., 0] * cos + offset[..., 1] * sin
    y = offset[..., 1] * cos - offset[..., 0] * sin
    return np.asarray(np.stack([x, y], axis=-1), np.float64)


def shape_costs(
    tracked: Sequence[NDArray[np.float64]], observed: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the costs of the differences between shapes.

    Args:
        tracked: n shapes of tracks, each (68, 2) as returned by ``shapes_of``.
        observed: m shapes of the current image.

    Returns:
        (n, m), 0 to SHAPE_LIMIT.
    """
    a = np.stack(tracked).reshape(len(tracked), -1)
    b = np.stack(observed).reshape(len(observed), -1)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * a @ b.T
    distance = np.sqrt(np.maximum(squares, 0.0) / NUM_LANDMARKS)
    return np.asarray(np.minimum(SHAPE_COST * distance, SHAPE_LIMIT), np.float64)


def assign(costs: NDArray[np.float64], admissible: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the (row, column) pairs of least total cost, each row and column used at most once.

    Args:
        costs: (n, m).
        admissible: (n, m), False for pairs that must not be matched.
    """
    rows, columns = (indices.tolist() for indices in admissible.nonzero())
    if len(set(rows)) == len(set(columns)) == len(rows):  # as in most images
        return list(zip(rows, columns, strict=True))
    pairs = _least_cost_pairs(np.where(admissible, costs, _FORBIDDEN_COST))
    return [(i, j) for i, j in pairs if admissible[i, j]]


def _least_cost_pairs(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the min(n, m) pairs (row, column) of finite (n, m) costs with the least sum.

    Shortest augmenting paths with dual variables (Crouse 2016). Importing SciPy's function would
    take half the time of importing all of FaceAnalyzer.
    """
    rows, columns = costs.shape
    if rows > columns:
        return sorted((i, j) for j, i in _least_cost_pairs(costs.T))
    row_dual, column_dual = np.zeros(rows), np.zeros(columns)
    column_of, row_of = [-1] * rows, [-1] * columns
    for start in range(rows):
        shortest = np.full(columns, np.inf)
        previous = np.full(columns, -1)
        done = np.zeros(columns, bool)
        visited, row, column, length = [], start, -1, 0.0
        while row >= 0:
            visited.append(row)
            reduced = length + costs[row] - row_dual[row] - column_dual
            nearer = ~done & (reduced < shortest)
            shortest[nearer], previous[nearer] = reduced[nearer], row
            column = int(np.where(done, np.inf, shortest).argmin())
            length = shortest[column]
            done[column] = True
            row = row_of[column]
        row_dual[start] += length
        for row in visited[1:]:
            row_dual[row] += length - shortest[column_of[row]]
        column_dual[done] -= length - shortest[done]
        row = -1
        while row != start:
            row = row_of[column] = int(previous[column])
            column_of[row], column = column, column_of[row]
    return list(enumerate(column_of))
