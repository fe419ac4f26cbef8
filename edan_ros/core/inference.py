"""The interface between the pipeline and whatever runs a recognition model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import softmax
from edan_ros.core.geometry import NUM_LANDMARKS


@dataclass(frozen=True, slots=True)
class Prediction:
    """The outputs of one run of a model on n crops of side S.

    Attributes:
        landmarks: (n, 68, 2) in pixels of the crop.
        logits: (n, 7), before temperature and softmax.
        presence: (n,) probability, 0 to 1, that the crop shows a face.
        attention: (n, 7, h, w) contribution of each location to each emotion, at least 0.
    """

    landmarks: NDArray[np.float32]
    logits: NDArray[np.float32]
    presence: NDArray[np.float32]
    attention: NDArray[np.float32]

    @staticmethod
    def empty(classes: int) -> Prediction:
        """Return the prediction for no crops."""
        return Prediction(
            np.empty((0, NUM_LANDMARKS, 2), np.float32),
            np.empty((0, classes), np.float32),
            np.empty(0, np.float32),
            np.empty((0, classes, 1, 1), np.float32),
        )


class ModelMetadata(Protocol):
    """The fields of a model's manifest that turn its outputs into faces."""

    @property
    def temperature(self) -> float:
        """Calibration temperature, above 0, by which logits are divided before the softmax."""
        ...

    @property
    def uniform_temperature(self) -> float:
        """Calibration temperature under a uniform class prior; 0 for ``temperature``."""
        ...

    @property
    def presence_threshold(self) -> float:
        """Presence, 0 to 1, from which a crop counts as a face."""
        ...

    @property
    def class_prior(self) -> Sequence[float]:
        """Class shares in the training set; empty where the logits include them."""
        ...

    @property
    def resting_logits(self) -> Sequence[float]:
        """Mean logits of neutral faces; empty where unknown."""
        ...


class Engine(Protocol):
    """Runs one model on batches of crops."""

    @property
    def manifest(self) -> ModelMetadata:
        """Metadata of the loaded model."""
        ...

    @property
    def input_size(self) -> int:
        """Side S of the square crops in pixels."""
        ...

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        """Run the model on (n, 1, S, S) crops, grey levels 0 to 255; n may be 0.

        Raises ValueError for crops of another shape and EngineError when the run fails.
        """
        ...


def class_probabilities(
    logits: NDArray[np.floating], model: ModelMetadata, prior_strength: float = 0.0
) -> NDArray[np.float64]:
    """Return calibrated probabilities under a class prior.

    A logit-adjusted loss (Menon et al., "Long-tail learning via logit adjustment", 2021,
    equation 10) leaves the class frequencies out of the logits. They are added here:
    softmax((logits + prior_strength * log(class_prior)) / temperature), where the temperature is
    the geometric mean of the temperatures under the uniform and the natural prior, weighted by
    the strength. Logits that include the class frequencies are only divided by the temperature.

    Args:
        logits: (n, k).
        model: metadata of the model that made them.
        prior_strength: 0 for uniform classes to 1 for the frequencies of the training set.

    Returns:
        (n, k), each row summing to 1.
    """
    shift, temperature = calibration(model, prior_strength)
    return softmax(np.asarray(logits, np.float64) + shift, temperature)


def calibration(model: ModelMetadata, prior_strength: float) -> tuple[NDArray[np.float64], float]:
    """Return what ``class_probabilities`` adds to the logits, (k,) or 0, and its temperature."""
    temperatures = model.temperature, model.uniform_temperature or model.temperature
    return _calibration(tuple(model.class_prior), *temperatures, prior_strength)


@lru_cache(maxsize=64)
def _calibration(
    class_prior: tuple[float, ...], temperature: float, uniform: float, prior_strength: float
) -> tuple[NDArray[np.float64], float]:
    if not class_prior:
        return np.zeros(1), temperature
    mixed = temperature**prior_strength * uniform ** (1.0 - prior_strength)
    shift = prior_strength * np.log(np.asarray(class_prior, np.float64))
    shift.setflags(write=False)
    return shift, mixed
