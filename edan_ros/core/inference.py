"""The interface between the pipeline and whatever runs a recognition model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, softmax
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


@dataclass(frozen=True)
class Manifest:
    """The manifest of a model, ``<name>.json`` beside ``<name>.onnx``.

    Attributes:
        path: the ONNX file.
        name: name of the model.
        version: version of the weights.
        sha256: hexadecimal SHA-256 of the ONNX file.
        input_size: side in pixels of the square crop; of a detector, of its training images.
        task: what the model predicts, "emotions" or "detector".
        labels: names of the logits, in order.
        outputs: outputs of the graph where some that the pipeline needs are missing; such a
            model can only be evaluated. Empty for a complete model.
        temperature: calibration temperature, above 0, by which logits are divided before the
            softmax (Guo et al. 2017).
        uniform_temperature: calibration temperature under a uniform class prior; 0 stands for
            ``temperature``.
        class_prior: share of each label in the training set, sum 1, for a model whose logits
            carry no prior; empty where the logits include the training frequencies.
        resting_logits: mean logits of neutral faces, the resting face of the population; empty
            where unknown.
        presence_threshold: presence that 1 % of background crops exceed.
        precision: format of the weights: ``fp32``, ``fp16 storage``, ``fp16``, ``int8`` (for
            processors) or ``int8-gpu``.
        parameters: number of parameters.
        gflop: floating-point operations per face, 1e9.
        terms: licence terms that the training data impose on the weights.
        training: command, data and seed that produced the model.
        metrics: results, each named after its data set and normalisation.
    """

    path: Path
    name: str
    version: str
    sha256: str
    input_size: int
    task: str = "emotions"
    labels: tuple[str, ...] = EMOTIONS
    outputs: tuple[str, ...] = ()
    temperature: float = 1.0
    uniform_temperature: float = 0.0
    class_prior: tuple[float, ...] = ()
    resting_logits: tuple[float, ...] = ()
    presence_threshold: float = 0.5
    precision: str = "fp32"
    parameters: int = 0
    gflop: float = 0.0
    terms: str = ""
    training: dict[str, Any] = field(default_factory=dict, repr=False)
    metrics: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def quantised(self) -> bool:
        """Whether the weights are INT8, either ``int8`` or ``int8-gpu`` (explicit Q/DQ nodes)."""
        return self.precision.startswith("int8")

    def save(self) -> Path:
        """Write the manifest beside its model and return the path."""
        values = asdict(self)
        values["file"] = values.pop("path").name
        target = self.path.with_suffix(".json")
        target.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        return target


class Engine(Protocol):
    """Runs one model on batches of crops. Inputs and outputs are bound by name, never by order.

    Attributes:
        name: one of ``edan_ros.engines.ENGINES`` except ``auto``.
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
    logits: NDArray[np.floating], model: Manifest, prior_strength: float = 0.0
) -> NDArray[np.float64]:
    """Return calibrated probabilities under a class prior.

    A logit-adjusted loss (Menon et al., "Long-tail learning via logit adjustment", 2021,
    equation 10) leaves the class frequencies out of the logits. They are added here:
    softmax((logits + prior_strength * log(class_prior)) / temperature), where the temperature is
    the geometric mean of the temperatures under the uniform and the natural prior, weighted by
    the strength. Logits that include the class frequencies are only divided by the temperature.

    Args:
        logits: (n, k).
        model: manifest of the model that made them.
        prior_strength: 0 for uniform classes to 1 for the frequencies of the training set.

    Returns:
        (n, k), each row summing to 1.
    """
    shift, temperature = calibration(model, prior_strength)
    return softmax(np.asarray(logits, np.float64) + shift, temperature)


def calibration(model: Manifest, prior_strength: float) -> tuple[NDArray[np.float64], float]:
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


class EyePrediction(NamedTuple):
    """Output of the network for n eyes, as right eyes.

    Attributes:
        openness: (n,) 0 to 1.
        gaze: (n, 2) yaw and pitch in the view frame, radians.
        quality: (n, 3) logits of visible, glasses_glare and occluded.
    """

    openness: NDArray[np.float32]
    gaze: NDArray[np.float32]
    quality: NDArray[np.float32]


class EyeEngine(Protocol):
    """Runs the eye network."""

    def infer(self, crops: NDArray[np.uint8], head: NDArray[np.floating]) -> EyePrediction:
        """Return the prediction for (n, 32, 48) crops and (n, 2) angles of the head, radians.

        Crops as of ``core.eye_crops.extract_eyes``; angles in the view frame of each crop.
        """
        ...
