"""Run any emotion model of this package for what it gives: to measure it, not on a robot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, POLARITIES
from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.engines.base import INPUT, OUTPUTS, Prediction
from edan_ros.engines.manifest import EngineError, Manifest, load_manifest
from edan_ros.engines.onnxruntime import open_session


class EvaluationModel:
    """A model on ONNX Runtime with the outputs that its manifest names, landmarks or not.

    Args:
        model: a shipped model's name, or the path of an .onnx file with its manifest beside it.
        threads: threads of one run.

    Raises:
        ModelError: if the model is missing, damaged, or has not the outputs of its manifest.
    """

    def __init__(self, model: str | Path, *, threads: int = 1) -> None:
        self.manifest = load_manifest(model)
        self.outputs = self.manifest.outputs or OUTPUTS
        self._session = open_session(self.manifest.path, self.outputs, threads=threads)

    def run(self, crops: NDArray[np.float32], batch: int = 64) -> dict[str, NDArray[np.float32]]:
        """Each output by name for (n, 1, S, S) crops, grey levels 0 to 255; n at least 1.

        Raises ValueError when the crops have another shape, EngineError when the run fails.
        """
        size = self.manifest.input_size
        if crops.ndim != 4 or crops.shape[1:] != (1, size, size) or not len(crops):
            raise ValueError(f"crops must be (n, 1, {size}, {size}), not {crops.shape}")
        parts = []
        for start in range(0, len(crops), batch):
            feed = {INPUT: np.ascontiguousarray(crops[start : start + batch], np.float32)}
            try:
                parts.append(self._session.run(self.outputs, feed))
            except Exception as error:  # its exception classes are not public and share no base
                name = self.manifest.name
                raise EngineError(f"ONNX Runtime cannot run {name}: {error}") from error
        return {
            name: np.concatenate(values)
            for name, values in zip(self.outputs, zip(*parts, strict=True), strict=True)
        }


#: The emotion that stands for each of POLARITIES where seven are expected.
_STANDS_FOR = tuple(EMOTIONS.index(name) for name in ("neutral", "happy", "sad"))
#: The logit of an emotion that a model of three classes does not know.
_NEVER = -1e4


class EvaluationEngine:
    """Such a model as an engine, so that it is measured like the others.

    What it does not give is NaN. Of three classes, positive is given as happy and negative as
    sad: summed to three again, the probabilities are those of the model.

    Raises ModelError like :class:`EvaluationModel`.
    """

    name = "onnxruntime"
    device = "cpu"
    precision = "fp32"

    def __init__(self, model: str | Path, *, threads: int = 1) -> None:
        self._raw = EvaluationModel(model, threads=threads)

    @property
    def manifest(self) -> Manifest:
        return self._raw.manifest

    @property
    def input_size(self) -> int:
        return self.manifest.input_size

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        """As of any engine. Raises ValueError and EngineError."""
        if not len(crops):
            return Prediction.empty(len(EMOTIONS))
        count, said = len(crops), self._raw.run(crops)
        logits = said["logits"]
        if logits.shape[1] == len(POLARITIES):
            seven = np.full((count, len(EMOTIONS)), _NEVER, np.float32)
            seven[:, _STANDS_FOR] = logits
            logits = seven
        unknown = np.full((count, NUM_LANDMARKS, 2), np.nan, np.float32)
        return Prediction(
            landmarks=said.get("landmarks", unknown),
            logits=logits,
            presence=said.get("presence", unknown[:, 0, 0]),
            attention=np.zeros((count, len(EMOTIONS), 1, 1), np.float32),
        )
