"""Run the package's own face detector on any engine, and choose among all detectors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.detection import detectors
from edan_ros.detection.detectors import Detector, DetectorError
from edan_ros.detection.edan_detector import MULTIPLE, Answers, OwnDetector
from edan_ros.engines.base import INPUT
from edan_ros.engines.manifest import (
    EngineError,
    Manifest,
    ModelError,
    load_manifest,
    shipped_models,
)
from edan_ros.engines.onnxruntime import device_of, open_session
from edan_ros.engines.select import GPU_ENGINES, require_torch, select_engine
from edan_ros.engines.tensorrt_build import IMAGE_SIZES
from edan_ros.engines.tensorrt_progress import Progress

TASK = "detector"
#: The detector that ships.
SHIPPED = "edan-detector"
#: Names that create_detector takes.
DETECTORS = ("auto", "edan", *detectors.DETECTORS[1:])
DETECTOR_OUTPUTS = ("scores", "boxes", "points")
#: Height and width of the picture that a network is tried with: what it allocates then, most
#: cameras need.
USUAL = IMAGE_SIZES[1]

_log = logging.getLogger(__name__)


class Runner(Protocol):
    """Runs a detector's network. name, device, why: as of an Engine."""

    name: str
    device: str
    selection_reason: str

    def run(self, picture: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """At least DETECTOR_OUTPUTS by name, for (1, 1, H, W) grey levels 0 to 255.

        Raises EngineError when the run fails.
        """
        ...


class DetectorNetwork:
    """A detector's network on an engine.

    Args:
        model: a shipped detector's name, or the path of an .onnx file with its manifest beside it.
        engine: one of ENGINES.
        threads: of one run on the processor; 0 takes as many as the process may use, at most 4.
        max_side: longest side of the pictures that will be searched, pixels.
        log, progress: as of ``create_engine``.

    Raises:
        ModelError: if the model is missing, damaged, or no detector of this package.
        EngineError: if there is no such engine, or the one asked for cannot run here.
    """

    def __init__(
        self,
        model: str | Path = SHIPPED,
        engine: str = "onnxruntime",
        *,
        threads: int = 0,
        max_side: int = max(USUAL),
        log: Callable[[str], None] = _log.warning,
        progress: Progress | None = None,
    ) -> None:
        self.manifest = manifest = load_manifest(model, TASK)

        def make(kind: str) -> Runner:
            runner: Runner
            if kind in GPU_ENGINES:
                runner = _on_tensorrt(manifest, kind, max_side, log, progress)
            elif kind == "torch":
                runner = _on_torch(manifest, threads)
            else:
                runner = _OnnxRuntime(manifest, threads)
            runner.run(np.zeros((1, 1, *USUAL), np.float32))
            return runner

        self.runner = select_engine(engine, manifest.name, make, log)

    def __str__(self) -> str:
        """The engine and where it runs, for people."""
        return f"{self.runner.name} ({self.runner.device})"

    def __call__(self, gray: NDArray[np.uint8]) -> Answers:
        """The answers of all cells for an (H, W) picture whose sides are multiples of 32.

        Raises ValueError for other sides, EngineError when the run fails.
        """
        if gray.ndim != 2 or gray.shape[0] % MULTIPLE or gray.shape[1] % MULTIPLE or not gray.size:
            raise ValueError(f"sides must be multiples of {MULTIPLE}, not {gray.shape}")
        said = self.runner.run(gray[None, None].astype(np.float32))
        return Answers(*(said[name][0] for name in DETECTOR_OUTPUTS))


class _OnnxRuntime:
    """Raises ModelError for a file that is no detector of this package."""

    name = "onnxruntime"

    def __init__(self, manifest: Manifest, threads: int) -> None:
        self._model = manifest.name
        self._session = open_session(manifest.path, DETECTOR_OUTPUTS, threads=threads)
        self.device, self.selection_reason = device_of(self._session), ""

    def run(self, picture: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        try:
            values = self._session.run(DETECTOR_OUTPUTS, {INPUT: picture})
        except Exception as error:  # its exception classes are not public and share no base
            raise EngineError(f"ONNX Runtime cannot run {self._model}: {error}") from error
        return dict(zip(DETECTOR_OUTPUTS, values, strict=True))


def _on_tensorrt(
    manifest: Manifest,
    kind: str,
    max_side: int,
    log: Callable[[str], None],
    progress: Progress | None,
) -> Runner:
    """Imported here: TensorRT needs libraries that others do not. Raises EngineError."""
    from edan_ros.engines.tensorrt import TensorRTModel

    largest = max(IMAGE_SIZES[-1])
    if max_side > largest:
        raise EngineError(
            f"the plan of {manifest.name} takes pictures of up to {largest} pixels a side, and "
            f"detector_max_side is {max_side}"
        )
    return TensorRTModel(manifest, kind, DETECTOR_OUTPUTS, log=log, progress=progress)


def _on_torch(manifest: Manifest, threads: int) -> Runner:
    with require_torch():
        from edan_ros.engines.torch_detector import TorchDetector
    return TorchDetector(manifest, threads=threads)


def create_detector(
    name: str = "auto",
    *,
    model_path: str = "",
    score_threshold: float = 0.6,
    min_face: float = 20.0,
    max_side: int = 640,
    engine: str = "onnxruntime",
    threads: int = 0,
    log: Callable[[str], None] = _log.warning,
    progress: Progress | None = None,
) -> Detector:
    """A detector by name, as ``core.detectors.create_detector``, and "edan", which ships.

    "auto" takes yunet where its file is given, else edan where its weights are in the package,
    else haar. For "edan" model_path is the .onnx file of another detector trained with this
    package, or empty, and engine, threads, tell and progress are those of DetectorNetwork; OpenCV
    runs the others.

    Raises DetectorError when that detector cannot be made, EngineError when its engine cannot run
    here, ValueError for an unknown name.
    """
    if name not in DETECTORS:
        raise ValueError(f"detector '{name}' is unknown: use one of {', '.join(DETECTORS)}")
    if name == "auto" and not model_path and SHIPPED in shipped_models(TASK):
        name = "edan"
    if name != "edan":
        return detectors.create_detector(
            name,
            model_path=model_path,
            score_threshold=score_threshold,
            min_face=min_face,
            max_side=max_side,
        )
    try:
        network = DetectorNetwork(
            model_path or SHIPPED,
            engine=engine,
            threads=threads,
            max_side=max_side,
            log=log,
            progress=progress,
        )
    except ModelError as error:
        raise DetectorError(str(error)) from error
    return OwnDetector(network, score_threshold, min_face, max_side)


def describe(detector: Detector) -> str:
    """A detector's name, and what runs it where that could be something else, for people."""
    network = detector.network if isinstance(detector, OwnDetector) else None
    return f"{detector.name} on {network}" if network is not None else detector.name
