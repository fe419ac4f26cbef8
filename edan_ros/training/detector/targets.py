"""Targets of the detector: which cells are assigned to which face."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Face sizes (mean of width and height, pixels) of each stride. Where they overlap, both strides
#: are assigned.
SIZES = {8: (0.0, 48.0), 16: (32.0, 120.0), 32: (88.0, np.inf)}
#: Distance of a cell's centre from that of a box, in widths and heights, up to which the cell is
#: assigned, and up to which it is ignored.
NEAR, AROUND = 0.2, 0.38
#: A stride whose sizes differ by more than this factor is background for a face: a part that looks
#: like a small face is none.
OTHER_STRIDE = 1.6
#: Distances in strides up to which a cell is assigned and ignored: boxes may be so small that no
#: centre of a cell is near by the rule above.
NEAREST, NEAREST_AROUND = 0.75, 1.25
#: Label of a cell that is ignored.
IGNORED = -1.0


@lru_cache(maxsize=4)
def cell_grid(size: int) -> NDArray[np.float32]:
    """Return (N, 5) x, y of the centre, stride, smallest and largest face size of each cell.

    Cells are in the order of the network, of an input of ``size`` pixels a side.
    """
    rows = []
    for stride, limits in SIZES.items():
        center = np.arange(size // stride, dtype=np.float32) * stride + 0.5 * (stride - 1)
        x, y = np.meshgrid(center, center)
        rest = np.broadcast_to([stride, *limits], (x.size, 3))
        rows.append(np.column_stack([x.ravel(), y.ravel(), rest]))
    return np.concatenate(rows).astype(np.float32)


def assign_targets(
    boxes: NDArray[np.floating],
    points: NDArray[np.floating],
    ignore: NDArray[np.bool_],
    size: int,
) -> dict[str, NDArray[np.float32]]:
    """Return the targets of the N cells of a square input.

    A cell near several faces is assigned to the one whose centre is nearest relative to its size.

    Args:
        boxes: (k, 4) x, y, width, height.
        points: (k, 5, 2).
        ignore: (k,) whether cells inside the box are ignored, unless another face is theirs.
        size: side of the input in pixels.

    Returns:
        score (N,): 1, 0 or IGNORED; box (N, 4) and points (N, 5, 2) of the face where the score
        is 1, 0 elsewhere.
    """
    grid = cell_grid(size)
    count = len(grid)
    score = np.zeros(count, np.float32)
    box, marks = np.zeros((count, 4), np.float32), np.zeros((count, 5, 2), np.float32)
    if not len(boxes):
        return {"score": score, "box": box, "points": marks}
    center, extent = boxes[:, :2] + 0.5 * boxes[:, 2:], np.maximum(boxes[:, 2:], 1e-3)
    offset = np.abs(grid[:, None, :2] - center[None])  # (N, k, 2)
    stride = grid[:, 2:3]
    relative = (offset / extent[None]).max(axis=2)
    near = (relative <= NEAR) | (offset.max(axis=2) <= NEAREST * stride)
    around = (relative <= AROUND) | (offset.max(axis=2) <= NEAREST_AROUND * stride)
    mean = extent.mean(axis=1)
    own_stride = (mean >= grid[:, 3:4]) & (mean < grid[:, 4:5])
    similar = (mean >= grid[:, 3:4] / OTHER_STRIDE) & (mean < grid[:, 4:5] * OTHER_STRIDE)
    score[(around & similar & ~ignore).any(axis=1)] = IGNORED
    score[((relative <= 0.5) & ignore).any(axis=1)] = IGNORED
    assigned = near & own_stride & ~ignore
    face = np.where(assigned, relative, np.inf).argmin(axis=1)
    positive = assigned.any(axis=1)
    score[positive] = 1.0
    box[positive], marks[positive] = boxes[face[positive]], points[face[positive]]
    return {"score": score, "box": box, "points": marks}
