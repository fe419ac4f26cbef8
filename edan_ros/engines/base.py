"""What every engine is: something that runs one model on a batch of crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.engines.manifest import Manifest

INPUT = "image"
OUTPUTS = ("landmarks", "logits", "presence", "attention")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of n crops of side S.

    landmarks: (n, 68, 2) pixels of the crop. logits: (n, 7), before temperature and softmax.
    presence: (n,) probability that the crop shows a face. attention: (n, 7, h, w) what
    each place of the crop adds to each emotion, not below 0 (networks/attention.py).
    """

    landmarks: NDArray[np.float32]
    logits: NDArray[np.float32]
    presence: NDArray[np.float32]
    attention: NDArray[np.float32]

    @staticmethod
    def empty(classes: int) -> Prediction:
        """The prediction of no crops."""
        return Prediction(
            np.empty((0, NUM_LANDMARKS, 2), np.float32),
            np.empty((0, classes), np.float32),
            np.empty(0, np.float32),
            np.empty((0, classes, 1, 1), np.float32),
        )


class Engine(Protocol):
    """Runs one model. Inputs and outputs are bound by name, never by order.

    name, device, precision: what runs where and in which arithmetic. why: the reason for this
    engine, for people.
    """

    name: str
    device: str
    precision: str
    selection_reason: str
    manifest: Manifest

    @property
    def input_size(self) -> int:
        """Side S of the square crops in pixels."""
        ...

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        """Run (n, 1, S, S) crops, grey levels 0 to 255; n may be 0.

        Raises ValueError when the crops have another shape, EngineError when the run fails.
        """
        ...


def check_crops(crops: NDArray[np.float32], size: int) -> None:
    """Raises ValueError unless ``crops`` are (n, 1, size, size)."""
    if crops.ndim != 4 or crops.shape[1:] != (1, size, size):
        raise ValueError(f"crops must be (n, 1, {size}, {size}), not {crops.shape}")
