"""Creation of detectors by name."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edan_ros.detection.base import Detector, DetectorError
from edan_ros.detection.detector_model import SHIPPED, TASK, DetectorModel
from edan_ros.detection.edan_detector import EdanDetector
from edan_ros.detection.full_frame import FullFrame
from edan_ros.detection.haar import Haar
from edan_ros.detection.yunet import YuNet
from edan_ros.engines.base import Progress
from edan_ros.engines.manifest import ModelError, shipped_models

#: Names that ``create_detector`` takes.
DETECTORS = ("auto", "edan", "yunet", "haar", "full_frame")

_log = logging.getLogger(__name__)


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
    """Create a detector.

    Args:
        name: one of DETECTORS. "auto" selects yunet if its file is given, else edan if its
            weights are installed, else haar.
        model_path: for yunet its .onnx file; for edan that of another detector trained with this
            package, or empty; for haar a cascade other than OpenCV's own.
        score_threshold: 0 to 1, below which detections are dropped.
        min_face: smallest face (mean of the box's sides) in pixels.
        max_side: pixels to which larger images are shrunk before detection.
        engine, threads, log, progress: for edan, as for ``DetectorModel``.

    Raises:
        DetectorError: if the detector cannot be created.
        EngineError: if its engine cannot run here.
        ValueError: for an unknown name.
    """
    if name not in DETECTORS:
        raise ValueError(f"detector '{name}' is unknown: use one of {', '.join(DETECTORS)}")
    if name == "auto":
        name = "yunet" if model_path else "edan" if SHIPPED in shipped_models(TASK) else "haar"
    if name == "full_frame":
        return FullFrame()
    if name != "edan":
        kind = YuNet if name == "yunet" else Haar
        return kind(model_path, score_threshold, min_face, max_side)
    try:
        model = DetectorModel(
            model_path or SHIPPED,
            engine=engine,
            threads=threads,
            max_side=max_side,
            log=log,
            progress=progress,
        )
    except ModelError as error:
        raise DetectorError(str(error)) from error
    return EdanDetector(model, score_threshold, min_face, max_side)


def describe_detector(detector: Detector) -> str:
    """Return a detector's name, and its engine where there is a choice, for users."""
    if isinstance(detector, EdanDetector):
        return f"{detector.name} on {detector.model}"
    return detector.name
