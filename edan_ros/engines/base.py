"""The interface of an engine: one loaded model that runs on batches of face crops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.core import inference
from edan_ros.core.inference import Prediction
from edan_ros.engines.manifest import Manifest

__all__ = ["INPUT", "OUTPUTS", "Engine", "Prediction", "Progress", "check_crops"]

#: Names of the tensors in every model file.
INPUT = "image"
OUTPUTS = ("landmarks", "logits", "presence", "attention")

#: Called with the fraction of a build that is done, 0 to 1, never decreasing.
Progress = Callable[[float], None]


class Engine(inference.Engine, Protocol):
    """Runs one model. Inputs and outputs are bound by name, never by order.

    Attributes:
        name: one of :data:`~edan_ros.engines.select.ENGINES` except ``auto``.
        device: where the model runs, ``cpu`` for example.
        precision: arithmetic of the convolutions, ``fp32`` for example.
        selection_reason: why this engine was selected, for users.
        manifest: manifest of the loaded model.
    """

    name: str
    device: str
    precision: str
    selection_reason: str
    manifest: Manifest


def check_crops(crops: NDArray[np.float32], size: int) -> None:
    """Raise ValueError unless ``crops`` have the shape (n, 1, size, size)."""
    if crops.ndim != 4 or crops.shape[1:] != (1, size, size):
        raise ValueError(f"crops must be (n, 1, {size}, {size}), not {crops.shape}")
