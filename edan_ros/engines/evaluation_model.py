"""Run any recognition model of this package to evaluate it, also one that robots cannot use."""

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
    """A model on ONNX Runtime with the outputs that its manifest names.

    Args:
        model: name of a shipped model, or path of an .onnx file with its manifest beside it.
        threads: threads for one run.

    Raises:
        ModelError: if the model is missing, damaged, or lacks an output of its manifest.
    """

    def __init__(self, model: str | Path, *, threads: int = 1) -> None:
        self.manifest = load_manifest(model)
        self.outputs = self.manifest.outputs or OUTPUTS
        self._session = open_session(self.manifest.path, self.outputs, threads=threads)

    def run(self, crops: NDArray[np.float32], batch: int = 64) -> dict[str, NDArray[np.float32]]:
        """Return each output by name for (n, 1, S, S) crops, grey levels 0 to 255, n at least 1.

        Raises ValueError for crops of another shape, EngineError when the run fails.
        """
        size = self.manifest.input_size
        if crops.ndim != 4 or crops.shape[1:] != (1, size, size) or not len(crops):
            raise ValueError(f"crops must be (n, 1, {size}, {size}), not {crops.shape}")
        parts = []
        for start in range(0, len(crops), batch):
            feed = {INPUT: np.ascontiguousarray(crops[start : start + batch], np.float32)}
            try:
                parts.append(self._session.run(self.outputs, feed))
            except Exception as error:  # ONNX Runtime's exceptions are not public, without a base
                name = self.manifest.name
                raise EngineError(f"ONNX Runtime cannot run {name}: {error}") from error
        return {
            name: np.concatenate(values)
            for name, values in zip(self.outputs, zip(*parts, strict=True), strict=True)
        }


#: The emotion that represents each of POLARITIES among the seven.
_REPRESENTATIVES = tuple(EMOTIONS.index(name) for name in ("neutral", "happy", "sad"))
#: Logit of an emotion that a model of three classes does not have.
_IMPOSSIBLE = -1e4


class EvaluationEngine:
    """An :class:`EvaluationModel` as an engine, so that it is evaluated like the others.

    Outputs that the model lacks are NaN. The class positive of a model with three classes becomes
    happy and negative becomes sad: summed by polarity, the probabilities are those of the model.

    Raises:
        ModelError: as :class:`EvaluationModel`.
    """

    name = "onnxruntime"
    device = "cpu"
    precision = "fp32"
    selection_reason = "every model can be evaluated on ONNX Runtime"

    def __init__(self, model: str | Path, *, threads: int = 1) -> None:
        self._model = EvaluationModel(model, threads=threads)
        self.manifest: Manifest = self._model.manifest

    @property
    def input_size(self) -> int:
        return self.manifest.input_size

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        """Run the model as any engine does. Raises ValueError and EngineError."""
        if not len(crops):
            return Prediction.empty(len(EMOTIONS))
        count, outputs = len(crops), self._model.run(crops)
        logits = outputs["logits"]
        if logits.shape[1] == len(POLARITIES):
            seven = np.full((count, len(EMOTIONS)), _IMPOSSIBLE, np.float32)
            seven[:, _REPRESENTATIVES] = logits
            logits = seven
        unknown = np.full((count, NUM_LANDMARKS, 2), np.nan, np.float32)
        return Prediction(
            landmarks=outputs.get("landmarks", unknown),
            logits=logits,
            presence=outputs.get("presence", unknown[:, 0, 0]),
            attention=np.zeros((count, len(EMOTIONS), 1, 1), np.float32),
        )
