"""Run the package's own face detector on ONNX Runtime, and choose among all detectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core import detectors
from edan_ros.core.detectors import Detector, DetectorError
from edan_ros.core.own_detector import MULTIPLE, Answers, OwnDetector
from edan_ros.engines.base import INPUT
from edan_ros.engines.manifest import EngineError, ModelError, load_manifest, shipped_models
from edan_ros.engines.onnxruntime import open_session

TASK = "detector"
#: The detector that ships.
SHIPPED = "edan-detector"
#: Names that create_detector takes.
DETECTORS = ("auto", "edan", *detectors.DETECTORS[1:])
DETECTOR_OUTPUTS = ("scores", "boxes", "points")


class DetectorNetwork:
    """A detector's network on ONNX Runtime.

    model: a shipped detector's name, or the path of an .onnx file with its manifest beside it.
    threads: threads of one run; 0 takes as many as the process may use, at most 4.

    Raises ModelError if the model is missing, damaged, or no detector of this package.
    """

    def __init__(self, model: str | Path = SHIPPED, *, threads: int = 0) -> None:
        self.manifest = load_manifest(model, TASK)
        self._session = open_session(self.manifest.path, DETECTOR_OUTPUTS, threads=threads)

    def __call__(self, gray: NDArray[np.uint8]) -> Answers:
        """The answers of all cells for an (H, W) picture whose sides are multiples of 32.

        Raises ValueError for other sides, EngineError when the run fails.
        """
        if gray.ndim != 2 or gray.shape[0] % MULTIPLE or gray.shape[1] % MULTIPLE or not gray.size:
            raise ValueError(f"sides must be multiples of {MULTIPLE}, not {gray.shape}")
        feed = {INPUT: gray[None, None].astype(np.float32)}
        try:
            scores, boxes, points = self._session.run(DETECTOR_OUTPUTS, feed)
        except RuntimeError as error:  # what ONNX Runtime's exceptions derive from
            name = self.manifest.name
            raise EngineError(f"ONNX Runtime cannot run {name}: {error}") from error
        return Answers(scores[0], boxes[0], points[0])


def create_detector(
    name: str = "auto",
    *,
    model_path: str = "",
    score_threshold: float = 0.6,
    min_face: float = 20.0,
    max_side: int = 640,
    threads: int = 0,
) -> Detector:
    """A detector by name, as ``core.detectors.create_detector``, and "edan", which ships.

    "auto" takes yunet where its file is given, else edan where its weights are in the package,
    else haar. For "edan" model_path is the .onnx file of another detector trained with this
    package, or empty, and threads those of one run, as of DetectorNetwork.

    Raises DetectorError when that detector cannot be made, ValueError for an unknown name.
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
        network = DetectorNetwork(model_path or SHIPPED, threads=threads)
    except ModelError as error:
        raise DetectorError(str(error)) from error
    return OwnDetector(network, score_threshold, min_face, max_side)
