"""What all engines share: names of tensors, the check of crops, threads."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.inference import Engine, Prediction

__all__ = [
    "INPUT",
    "OUTPUTS",
    "Engine",
    "Prediction",
    "Progress",
    "check_crops",
    "default_threads",
    "usable_cores",
]

#: Names of the tensors in every model file.
INPUT = "image"
OUTPUTS = ("landmarks", "logits", "presence", "attention")

#: More threads do not make one face faster.
MAX_THREADS = 4
#: Raw 640x480 cameras at 30 Hz whose driver, transport and decoding occupy one core.
CAMERAS_PER_CORE = 4

#: Called with the fraction of a build that is done, 0 to 1, never decreasing.
Progress = Callable[[float], None]


def check_crops(crops: NDArray[np.float32], size: int) -> None:
    """Raise ValueError unless ``crops`` have the shape (n, 1, size, size)."""
    if crops.ndim != 4 or crops.shape[1:] != (1, size, size):
        raise ValueError(f"crops must be (n, 1, {size}, {size}), not {crops.shape}")


def default_threads(cameras: int = 0) -> int:
    """Return the number of threads for a model: the cores that ``cameras`` leave free.

    The result is at least 1 and at most MAX_THREADS, out of the cores that this process may use.
    """
    free = usable_cores() - math.ceil(cameras / CAMERAS_PER_CORE)
    return max(1, min(MAX_THREADS, free))


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
