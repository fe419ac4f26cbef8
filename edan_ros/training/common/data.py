"""Batches of an epoch, prepared by worker processes and divided among those of a run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


def _initialise_worker(_worker: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the trainer handles these signals
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def batches(
    data: Dataset[dict[str, Any]],
    batch: int,
    *,
    workers: int = 1,
    first: int = 0,
    rank: int = 0,
    world: int = 1,
) -> Iterator[dict[str, Tensor]]:
    """Yield the batches of an epoch in order, without the last one if it is not full.

    Args:
        data: the samples of the epoch.
        batch: samples per batch, over all processes of the run.
        workers: processes that prepare batches, 0 for none beside this one.
        first: batches to skip, because they have been trained on.
        rank, world: process ``rank`` of ``world`` gets that consecutive part of each batch.
    """
    count = len(data) // batch  # type: ignore[arg-type]
    part = batch // world
    starts = [n * batch + rank * part for n in range(first, count)]
    yield from DataLoader(
        data,
        batch_sampler=[list(range(start, start + part)) for start in starts],
        num_workers=workers,
        worker_init_fn=_initialise_worker,
        prefetch_factor=4 if workers else None,
    )
