"""Search images for everything that may be a face, with several detectors and the tracker."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.core.settings import from_values
from edan_ros.detection.base import Detector, DetectorError
from edan_ros.detection.factory import DetectionConfig, create_detector
from edan_ros.drawing.privacy import PRIVACY_THRESHOLD, roll_of
from edan_ros.offline.covers import Finding
from edan_ros.offline.loading import load_pipeline
from edan_ros.pipeline.config import MOST_FACES
from edan_ros.pipeline.pipeline import Pipeline

#: Sides to which images are shrunk for the detector of the package, to find small faces, and for
#: the cascade, which takes longest.
_LARGE_SIDE, _HAAR_SIDE = 1280, 320


class FaceSearch:
    """Searches images with several detectors, and tracks landmarks with the pipeline.

    Args:
        detectors: by name; the first one also drives the pipeline. Their threshold is that of the
            first pass.
        threshold: score, 0 to 1, from which a face counts: that of normal use.
        pipeline: creates a pipeline for a detector; None to measure no landmarks.
    """

    def __init__(
        self,
        detectors: Mapping[str, Detector],
        threshold: float,
        pipeline: Callable[[Detector], Pipeline] | None = None,
    ) -> None:
        self.threshold = threshold
        self.names = list(detectors)
        self._detectors = detectors
        self._pool = ThreadPoolExecutor(len(detectors))
        self._known = _KnownDetections()
        self._pipeline = None if pipeline is None else pipeline(self._known)

    def find(self, topic: str, image: Image, seconds: float) -> list[Finding]:
        """Return everything that may be a face in the next image of a topic."""
        detected = self._detect(image)
        findings = [
            Finding(name, d.box, d.score, d.roll) for name, each in detected.items() for d in each
        ]
        if self._pipeline is None:
            return findings
        first = detected[self.names[0]]
        self._known.detections = [d for d in first if d.score >= self.threshold]
        faces = self._pipeline.process(image, seconds, key=topic).faces
        return findings + [
            Finding("tracker", f.box, f.presence, roll_of(f.landmarks), f.landmarks, f.eyes)
            for f in faces
        ]

    def check(self, image: Image) -> list[Finding]:
        """Return the faces in an image at the threshold of normal use."""
        return [
            Finding(name, d.box, d.score, d.roll)
            for name, each in self._detect(image).items()
            for d in each
            if d.score >= self.threshold
        ]

    def _detect(self, image: Image) -> dict[str, list[Detection]]:
        jobs = {n: self._pool.submit(d.detect, image) for n, d in self._detectors.items()}
        return {name: job.result() for name, job in jobs.items()}


def face_search(settings: Mapping[str, Any]) -> FaceSearch:
    """Return the search with all detectors that are available.

    Args:
        settings: as for ``load_pipeline``; YuNet takes part where ``detector_model`` is its file.

    Raises:
        EngineError, DetectorError: if a model cannot be loaded.
        TypeError, ValueError: if a setting cannot be used.
    """
    config = from_values(DetectionConfig, settings)
    engine = settings.get("engine", "auto")
    low = {"score_threshold": PRIVACY_THRESHOLD, "min_face": config.min_face, "engine": engine}
    large = max(config.max_side, _LARGE_SIDE)
    detectors = {"edan": create_detector("edan", max_side=large, **low)}
    if config.model_path and config.name in ("auto", "yunet"):
        detectors["yunet"] = create_detector(
            "yunet", model_path=config.model_path, max_side=config.max_side, **low
        )
    with suppress(DetectorError):  # an OpenCV without cascades
        threshold = {"score_threshold": config.score_threshold}
        detectors["haar"] = create_detector("haar", max_side=_HAAR_SIDE, **low | threshold)
    loaded = load_pipeline({**settings, "detector": "edan", "detector_model": ""})
    tracking = dataclasses.replace(loaded.pipeline.config, max_faces=MOST_FACES)

    def pipeline(detector: Detector) -> Pipeline:
        return Pipeline(detector, loaded.engine, tracking)

    return FaceSearch(detectors, config.score_threshold, pipeline)


class _KnownDetections:
    """Gives the pipeline detections that were made before."""

    name = "known"
    every_image = True

    def __init__(self) -> None:
        self.detections: list[Detection] = []

    def detect(self, _: Image) -> list[Detection]:
        return self.detections
