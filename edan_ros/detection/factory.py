"""Creation of detectors by name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from edan_ros.core.settings import check_settings, setting
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


@dataclass(frozen=True, slots=True)
class DetectionConfig:
    """Settings of the detector. Raises SettingsError for a value out of its range."""

    name: str = setting(
        "auto",
        "face detector: edan (this package's own), yunet (its file is detector_model), haar "
        "(OpenCV 4), full_frame (each image shows one face), or auto: yunet if its file is given, "
        "else edan",
        choices=DETECTORS,
        live=False,
        name="detector",
    )
    model_path: str = setting(
        "",
        "file of the detector if it is not the one that ships: .onnx of YuNet or of another edan, "
        "or cascade of haar",
        live=False,
        name="detector_model",
    )
    score_threshold: float = setting(
        0.6,
        "score below which detections are dropped",
        low=0.0,
        high=1.0,
        name="detector_threshold",
    )
    min_face: float = setting(
        20.0, "size (mean side of the box) of the smallest face", low=8.0, high=10000.0, unit="px"
    )
    max_side: int = setting(
        640,
        "side to which larger images are shrunk before detection; a larger one finds smaller faces "
        "and takes longer; at most 1280 on TensorRT",
        low=64,
        high=8000,
        unit="px",
        name="detector_max_side",
    )

    def __post_init__(self) -> None:
        check_settings(self)


_DEFAULTS = DetectionConfig()


def create_detector(
    name: str = _DEFAULTS.name,
    *,
    model_path: str = _DEFAULTS.model_path,
    score_threshold: float = _DEFAULTS.score_threshold,
    min_face: float = _DEFAULTS.min_face,
    max_side: int = _DEFAULTS.max_side,
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
