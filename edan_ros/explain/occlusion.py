"""Occlusion maps: the drop of an emotion's probability when a patch is covered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Crops in one batch, which every engine supports.
BATCH = 8
#: Rows and columns of the map, and the side of the patch as a fraction of the crop's.
CELLS, PATCH = 8, 0.25


def occlusion_map(
    probability: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    crop: NDArray[np.float32],
    *,
    cells: int = CELLS,
) -> NDArray[np.float32]:
    """Slide a grey patch over a crop and record the drop of a probability.

    After Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section
    4.2. A patch has the mean grey of the crop, is centred on a cell, and is clipped at the border.

    Args:
        probability: maps (n, 1, S, S) crops, n at most BATCH, to (n,) probabilities of the
            explained emotion.
        crop: (S, S) grey, 0 to 255.
        cells: rows and columns of the map.

    Returns:
        (cells, cells) drops, 0 to 1; 0 where the probability did not drop.
    """
    base = float(probability(crop[None, None])[0])
    covered = _covered(crop, cells)
    parts = [probability(covered[i : i + BATCH]) for i in range(0, len(covered), BATCH)]
    drops = base - np.concatenate(parts).reshape(cells, cells)
    return np.maximum(drops, 0.0).astype(np.float32)


def _covered(crop: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Return (cells * cells, 1, S, S): the crop with each cell's patch covered, row by row."""
    side = crop.shape[0]
    centers = (np.arange(cells) + 0.5) * side / cells
    half = 0.5 * PATCH * side
    starts = np.clip(np.rint(centers - half), 0, side).astype(int)
    ends = np.clip(np.rint(centers + half), 0, side).astype(int)
    covered = np.repeat(crop[None, None], cells * cells, axis=0)
    grey = crop.mean()
    for i in range(cells * cells):
        y, x = divmod(i, cells)
        covered[i, 0, starts[y] : ends[y], starts[x] : ends[x]] = grey
    return covered
