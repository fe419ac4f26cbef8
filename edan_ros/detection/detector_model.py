"""The network of the package's own detector on any engine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.detection.edan_detector import DETECTOR_OUTPUTS, INPUT_MULTIPLE, CellPredictions
from edan_ros.engines.base import INPUT, Progress
from edan_ros.engines.manifest import EngineError, Manifest, load_manifest
from edan_ros.engines.onnxruntime import device_of, open_session
from edan_ros.engines.select import GPU_ENGINES, require_torch, select_engine
from edan_ros.engines.tensorrt_build import IMAGE_SIZES

#: Task of detectors in their manifests.
TASK = "detector"
#: Name of the detector that ships with the package.
SHIPPED = "edan-detector"
#: Height and width of the first, empty image, for which an engine allocates its memory. Images of
#: most cameras need no more.
_WARM_UP_SIZE = IMAGE_SIZES[1]

_log = logging.getLogger(__name__)


class ModelRunner(Protocol):
    """Runs the detector's network on one engine.

    Attributes:
        name: of the engine.
        device: where the network runs, ``cpu`` for example.
        selection_reason: why this engine was selected, for users.
    """

    name: str
    device: str
    selection_reason: str

    def run(self, image: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Return at least DETECTOR_OUTPUTS by name for (1, 1, H, W) grey levels, 0 to 255.

        Raises EngineError when the run fails.
        """
        ...


class DetectorModel:
    """A detector's network, loaded on an engine.

    Args:
        model: name of a shipped detector, or path of an .onnx file with its manifest beside it.
        engine: one of ENGINES.
        threads: CPU threads of one run; 0 for as many as the process may use, at most 4.
        max_side: longest side in pixels of the images to be searched.
        log, progress: as for ``create_engine``.

    Raises:
        ModelError: if the model is missing, damaged, or no detector of this package.
        EngineError: if there is no such engine, or it cannot run here.
    """

    def __init__(
        self,
        model: str | Path = SHIPPED,
        engine: str = "onnxruntime",
        *,
        threads: int = 0,
        max_side: int = max(_WARM_UP_SIZE),
        log: Callable[[str], None] = _log.warning,
        progress: Progress | None = None,
    ) -> None:
        self.manifest = manifest = load_manifest(model, TASK)

        def make(kind: str) -> ModelRunner:
            runner: ModelRunner
            if kind in GPU_ENGINES:
                runner = _tensorrt_runner(manifest, kind, max_side, log, progress)
            elif kind == "torch":
                runner = _torch_runner(manifest, threads)
            else:
                runner = _OnnxRuntimeRunner(manifest, threads)
            runner.run(np.zeros((1, 1, *_WARM_UP_SIZE), np.float32))
            return runner

        self.runner = select_engine(engine, manifest.name, make, log)

    def __str__(self) -> str:
        """Return the engine and its device, for users."""
        return f"{self.runner.name} ({self.runner.device})"

    def __call__(self, gray: NDArray[np.uint8]) -> CellPredictions:
        """Return the predictions of all cells for an (H, W) image.

        Raises ValueError unless its sides are multiples of 32, EngineError when the run fails.
        """
        if gray.ndim != 2 or not gray.size or any(side % INPUT_MULTIPLE for side in gray.shape):
            raise ValueError(f"sides must be multiples of {INPUT_MULTIPLE}, not {gray.shape}")
        outputs = self.runner.run(gray[None, None].astype(np.float32))
        return CellPredictions(*(outputs[name][0] for name in DETECTOR_OUTPUTS))


class _OnnxRuntimeRunner:
    """Raises ModelError for a file that is no detector of this package."""

    name = "onnxruntime"

    def __init__(self, manifest: Manifest, threads: int) -> None:
        self._model = manifest.name
        self._session = open_session(manifest.path, DETECTOR_OUTPUTS, threads=threads)
        self.device, self.selection_reason = device_of(self._session), ""

    def run(self, image: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        try:
            values = self._session.run(DETECTOR_OUTPUTS, {INPUT: image})
        except Exception as error:  # its exception classes are not public and share no base
            raise EngineError(f"ONNX Runtime cannot run {self._model}: {error}") from error
        return dict(zip(DETECTOR_OUTPUTS, values, strict=True))


def _tensorrt_runner(
    manifest: Manifest,
    kind: str,
    max_side: int,
    log: Callable[[str], None],
    progress: Progress | None,
) -> ModelRunner:
    """Return a runner on TensorRT, whose libraries only it needs. Raises EngineError."""
    from edan_ros.engines.tensorrt import TensorRTModel

    largest = max(IMAGE_SIZES[-1])
    if max_side > largest:
        raise EngineError(
            f"the TensorRT plan of {manifest.name} takes images of up to {largest} pixels a side, "
            f"but detector_max_side is {max_side}: reduce it, or use another engine"
        )
    return TensorRTModel(manifest, kind, DETECTOR_OUTPUTS, log=log, progress=progress)


def _torch_runner(manifest: Manifest, threads: int) -> ModelRunner:
    with require_torch():
        from edan_ros.detection.torch_runner import TorchRunner
    return TorchRunner(manifest, threads=threads)
