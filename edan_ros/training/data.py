"""Augmented batches of a training set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from edan_ros.training.augment import Augmentation, render
from edan_ros.training.samples import Samples


class EpochData(Dataset):
    """One epoch's draws. Item i is the same for a seed, an epoch and i, whoever computes it."""

    def __init__(
        self, samples: Samples, size: int, how: Augmentation, seed: int, epoch: int
    ) -> None:
        self.samples, self.size, self.how = samples, size, how
        self.key = (seed, epoch)
        self.order = samples.draw(np.random.default_rng(self.key))

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> dict[str, Any]:
        rng = np.random.default_rng((*self.key, i))
        example = render(self.samples, int(self.order[i]), self.size, rng, self.how)
        return {
            "crop": example.crop,
            "landmarks": example.landmarks,
            "emotion": example.emotion,
            "face": np.float32(example.face),
            "trust": np.float32(example.trust),
        }


def _single_thread(_worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def batches(data: EpochData, batch: int, *, workers: int = 1) -> Iterator[dict[str, Tensor]]:
    """Batches of an epoch, in order; the last one is left out when it is not full."""
    yield from DataLoader(
        data,
        batch,
        drop_last=True,
        num_workers=workers,
        worker_init_fn=_single_thread,
        prefetch_factor=4 if workers else None,
    )
