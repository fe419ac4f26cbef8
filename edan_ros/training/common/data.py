"""Augmented batches of a training set."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from edan_ros.core.action_units import ACTION_UNITS, ActionUnits
from edan_ros.training.emotion.augment import Augmentation, render
from edan_ros.training.emotion.samples import Samples


def epoch_length(samples: Samples, *, draws: int = 0, views: int = 1) -> int:
    """How many items an epoch has; arguments as of EpochData. Without ``draws``, on average."""
    return draws or views * round(samples.weights.sum())


class EpochData(Dataset):
    """One epoch's draws. Item i is the same for a seed, an epoch and i, whoever computes it.

    draws: so many of them are kept, 0 for all. views: each picture is so many items in a row,
    each augmented in its own way. units: whether items say their action units.
    """

    def __init__(
        self,
        samples: Samples,
        size: int,
        how: Augmentation,
        seed: int,
        epoch: int,
        *,
        draws: int = 0,
        views: int = 1,
        units: bool = False,
    ) -> None:
        self.samples, self.size, self.how, self.units = samples, size, how, units
        self.key = (seed, epoch)
        order = samples.draw(np.random.default_rng(self.key))
        self.order = np.repeat(order, views)[: draws or None]

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> dict[str, Any]:
        rng = np.random.default_rng((*self.key, i))
        example = render(self.samples, int(self.order[i]), self.size, rng, self.how)
        item = {
            "crop": example.crop,
            "landmarks": example.landmarks,
            "emotion": example.emotion,
            "face": np.float32(example.face),
            "trust": np.float32(example.trust),
            "log_prior": example.log_prior,
        }
        if self.units:
            item["units"] = action_units(example.landmarks)
        return item


def action_units(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """What (68, 2) landmarks show of each of ACTION_UNITS against the usual neutral face, 0 to 1;
    NaN without landmarks."""
    found = ActionUnits().update(landmarks, 0.0)
    return np.array([found.get(name, np.nan) for name in ACTION_UNITS], np.float32)


def _quiet(_worker: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the trainer itself ends a run
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def batches(
    data: Dataset, batch: int, *, workers: int = 1, first: int = 0, rank: int = 0, world: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Batches of an epoch, in order; the last one is left out when it is not full.

    first: batches that are left out, because they have been trained on. Of each batch, process
    ``rank`` of ``world`` gets the ``rank``-th part, in a row.
    """
    count = len(data) // batch  # type: ignore[arg-type]
    part = batch // world
    starts = [n * batch + rank * part for n in range(first, count)]
    share = [range(start, start + part) for start in starts]
    yield from DataLoader(
        data,
        batch_sampler=share,
        num_workers=workers,
        worker_init_fn=_quiet,
        prefetch_factor=4 if workers else None,
    )
