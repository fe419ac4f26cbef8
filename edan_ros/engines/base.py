"""What all engines share: the names of tensors and the check of crops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.inference import Engine, Prediction

__all__ = ["INPUT", "OUTPUTS", "Engine", "Prediction", "Progress", "check_crops"]

#: Names of the tensors in every model file.
INPUT = "image"
OUTPUTS = ("landmarks", "logits", "presence", "attention")

#: Called with the fraction of a build that is done, 0 to 1, never decreasing.
Progress = Callable[[float], None]


def check_crops(crops: NDArray[np.float32], size: int) -> None:
    """Raise ValueError unless ``crops`` have the shape (n, 1, size, size)."""
    if crops.ndim != 4 or crops.shape[1:] != (1, size, size):
        raise ValueError(f"crops must be (n, 1, {size}, {size}), not {crops.shape}")
