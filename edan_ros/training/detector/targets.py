"""Which cell of the detector answers for which face."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Face sizes (mean of width and height, pixels) that the cells of each stride answer for. They
#: overlap: at the limits two strides are right.
SIZES = {8: (0.0, 48.0), 16: (32.0, 120.0), 32: (88.0, np.inf)}
#: Middle of a cell from the middle of a box, in widths and heights, up to which the cell answers
#: for the face, and up to which saying so would not be wrong.
NEAR, AROUND = 0.2, 0.38
#: A stride whose sizes are further off than this factor has to say nothing of a face: a part of it
#: that looks like a small face is none.
OTHER_STRIDE = 1.6
#: In strides: a box may be so small that no cell's middle is near by the rule above.
NEAREST = 0.75
#: Label of a cell that is neither right nor wrong.
IGNORED = -1.0


@lru_cache(maxsize=4)
def cell_grid(size: int) -> NDArray[np.float32]:
    """(N, 5): x, y of the middle, stride, and smallest and largest face size of each cell.

    In the order of the network.
    """
    rows = []
    for stride, limits in SIZES.items():
        middle = np.arange(size // stride, dtype=np.float32) * stride + 0.5 * (stride - 1)
        x, y = np.meshgrid(middle, middle)
        rest = np.broadcast_to([stride, *limits], (x.size, 3))
        rows.append(np.column_stack([x.ravel(), y.ravel(), rest]))
    return np.concatenate(rows).astype(np.float32)


def assign_targets(
    boxes: NDArray[np.floating],
    points: NDArray[np.floating],
    wanted: NDArray[np.bool_],
    size: int,
) -> dict[str, NDArray[np.float32]]:
    """Targets of the N cells of a square input.

    boxes: (k, 4) x, y, width, height. points: (k, 5, 2). wanted: (k,); the others are regions in
    which every answer is ignored. Returns score (N,), 1, 0 or IGNORED; box (N, 4) and points
    (N, 5, 2) of the face where the score is 1, 0 elsewhere. A cell that is near several faces
    answers for the one whose middle is nearest in sizes of that face.
    """
    grid = cell_grid(size)
    count = len(grid)
    score = np.zeros(count, np.float32)
    box, marks = np.zeros((count, 4), np.float32), np.zeros((count, 5, 2), np.float32)
    if not len(boxes):
        return {"score": score, "box": box, "points": marks}
    middle, extent = boxes[:, :2] + 0.5 * boxes[:, 2:], np.maximum(boxes[:, 2:], 1e-3)
    offset = np.abs(grid[:, None, :2] - middle[None])  # (N, k, 2)
    stride = grid[:, 2:3]
    relative = (offset / extent[None]).max(axis=2)
    near = (relative <= NEAR) | (offset.max(axis=2) <= NEAREST * stride)
    around = (relative <= AROUND) | (offset.max(axis=2) <= 1.25 * stride)
    mean = extent.mean(axis=1)
    right_stride = (mean >= grid[:, 3:4]) & (mean < grid[:, 4:5])
    allowed = (mean >= grid[:, 3:4] / OTHER_STRIDE) & (mean < grid[:, 4:5] * OTHER_STRIDE)
    score[(around & allowed & wanted).any(axis=1)] = IGNORED
    score[((relative <= 0.5) & ~wanted).any(axis=1)] = IGNORED
    mine = near & right_stride & wanted
    distance = np.where(mine, relative, np.inf)
    face = distance.argmin(axis=1)
    positive = mine.any(axis=1)
    score[positive] = 1.0
    box[positive], marks[positive] = boxes[face[positive]], points[face[positive]]
    return {"score": score, "box": box, "points": marks}
