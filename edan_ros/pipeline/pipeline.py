"""Images in, faces out: detection, tracking, one batch through the engine, smoothing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop, extract
from edan_ros.core.faces import CameraModel, FrameResult, Observation
from edan_ros.core.head_pose import CameraModelError, fit_camera
from edan_ros.core.images import REDUCTIONS, Image, ImageError
from edan_ros.core.inference import Engine, EyeEngine, Prediction, class_probabilities
from edan_ros.detection.base import Detector
from edan_ros.pipeline.camera_state import CameraState
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.tracking.tracker import Candidate

#: Camera key, image, stamp in seconds, and the camera's intrinsics where they are known.
FrameInput = tuple[str, Image, float, CameraModel | None]


#: Side of a crop in image pixels in which eyes are 16 pixels wide.
_EYES_CROP_SIDE = 114


@dataclass(slots=True)
class _Job:
    """One image of a batch and the intermediate results for it."""

    image: Image
    camera: CameraModel | None
    state: CameraState
    candidates: list[Candidate] = field(default_factory=list)
    detected: bool = False
    timings: dict[str, float] = field(default_factory=dict)
    warnings: list[ImageError] = field(default_factory=list)
    cut: bool = False


class Pipeline:
    """Detects, tracks and recognises the faces of any number of cameras.

    Not thread-safe: one call at a time. ``config`` may be replaced between calls. Track ids are
    unique over all cameras and never reused.

    Args:
        detector: one for all cameras, or one per camera key and one under "" for ``analyze``.
        engine: runs the recognition model.
        config: settings; None for the defaults.
        ids: yields track ids; share one iterator between pipelines whose ids must differ.
        eye_engine: runs the eye network; without one no eyes are measured.
    """

    def __init__(
        self,
        detector: Detector | Mapping[str, Detector],
        engine: Engine,
        config: PipelineConfig | None = None,
        ids: Iterator[int] | None = None,
        *,
        eye_engine: EyeEngine | None = None,
    ) -> None:
        self.config = config or PipelineConfig()
        self._detector = detector
        self._engine = engine
        self._eye_engine = eye_engine
        self._ids = itertools.count(1) if ids is None else ids
        self._states: dict[str, CameraState] = {}
        self._suspended: dict[str, CameraState] = {}

    @property
    def track_count(self) -> int:
        """Number of tracks in memory, live and lost, of all cameras."""
        states = itertools.chain(self._states.values(), self._suspended.values())
        return sum(state.track_count for state in states)

    def process(
        self, image: Image, stamp: float, camera: CameraModel | None = None, key: str = "camera"
    ) -> FrameResult:
        """Return the faces in the next image of a camera.

        Args:
            image: the image.
            stamp: acquisition time in seconds.
            camera: intrinsics of the camera; None assumes a common lens.
            key: identifies the camera.
        """
        return self.process_batch([(key, image, stamp, camera)])[0]

    def process_batch(
        self, frames: Sequence[FrameInput], *, overloaded: bool = False
    ) -> list[FrameResult]:
        """Return the faces in one image of each of several cameras, with one run of the engine.

        Args:
            frames: at most one image of each camera.
            overloaded: images arrive faster than they are processed; the detector then runs
                less often, and still faces may be carried on (``carry_still_faces``).

        Raises:
            ValueError: if a camera occurs twice. Errors of the engine are passed on.
        """
        if len({frame[0] for frame in frames}) < len(frames):
            raise ValueError("a batch holds at most one image of each camera")
        jobs = [self._start_job(*frame, overloaded=overloaded) for frame in frames]
        return self._recognise(jobs, self.config)

    def reduction(self, key: str, stamp: float, *, overloaded: bool = False) -> int:
        """Return the factor, one of REDUCTIONS, by which to shrink the next image on decoding.

        The smallest tracked face keeps at least one pixel for each pixel of its crop, and its
        eyes at least 16 pixels. An image on which the detector will run is not shrunk.

        Args:
            key: identifies the camera.
            stamp: acquisition time of the image in seconds.
            overloaded: as for ``process_batch``.
        """
        state = self._state_at(key, stamp)
        if state is None or self._detector_of(key).every_image:
            return 1
        if state.detection_due(stamp, self.config, overloaded=overloaded):
            return 1
        needed = self._engine.input_size
        if self.config.eyes and self._eye_engine is not None:
            needed = max(needed, _EYES_CROP_SIDE)
        largest = state.min_crop_side / needed
        return max((r for r in REDUCTIONS if r <= largest), default=1)

    def analyze(
        self,
        image: Image,
        camera: CameraModel | None = None,
        *,
        max_faces: int | None = None,
    ) -> FrameResult:
        """Return the faces in a single image; nothing is remembered and track ids are 0.

        Action units are measured against an average neutral face, not the person's own.

        Args:
            image: the image.
            camera: intrinsics of the camera; None assumes a common lens.
            max_faces: most faces; None for the setting.
        """
        config = replace(
            self.config,
            tracking=replace(self.config.tracking, birth_hits=1),
            max_faces=max_faces or self.config.max_faces,
        )
        job = self._new_job(image, camera, CameraState(itertools.count(1)))
        self._detect(job, self._detector_of(""), 0.0, config)
        result = self._recognise([job], config)[0]
        for face in result.faces:
            face.track_id = 0
        return result

    def reset(self, key: str | None = None) -> None:
        """Drop the tracks of a camera, or of all cameras without a key."""
        keys = list(self._states) if key is None else [key]
        for each in keys:
            self._states.pop(each, None)
            self._suspended.pop(each, None)

    def _start_job(
        self,
        key: str,
        image: Image,
        stamp: float,
        camera: CameraModel | None,
        *,
        overloaded: bool,
    ) -> _Job:
        state = self._continue(key, stamp)
        job = self._new_job(image, camera, state or CameraState(self._ids))
        self._states[key] = job.state
        if state is None and self._suspended[key].is_after(stamp):
            message = f"the stamp of {key} went back: its tracks are reset"
            job.warnings.append(ImageError("stamp", message))
        if self.config.detect_cuts:
            job.cut = job.state.drop_tracks_at_cut(image, stamp)
        self._detect(job, self._detector_of(key), stamp, self.config, overloaded=overloaded)
        return job

    def _continue(self, key: str, stamp: float) -> CameraState | None:
        """Return the state that an image with this stamp continues; None after a jump in time.

        After a jump the old state is suspended for one image: if only that image had a wrong
        stamp, the next one continues the old state.
        """
        current = self._states.get(key)
        if current is None:
            return CameraState(self._ids)
        state = self._state_at(key, stamp)
        self._suspended.pop(key, None)
        if state is None:
            self._suspended[key] = current
        return state

    def _state_at(self, key: str, stamp: float) -> CameraState | None:
        """Return the state that an image with this stamp continues, if any.

        The suspended one is preferred, because an image after a single one out of order continues
        both.
        """
        for state in (self._suspended.get(key), self._states.get(key)):
            if state is not None and state.accepts_stamp(stamp, self.config.max_gap):
                return state
        return None

    def _new_job(self, image: Image, camera: CameraModel | None, state: CameraState) -> _Job:
        """Return a job with the intrinsics scaled to the image; drop those that do not fit."""
        warnings = [] if image.warning is None else [image.warning]
        if camera is not None:
            try:
                camera = fit_camera(camera, image.width, image.height)
            except CameraModelError as error:
                warnings.append(ImageError("camera_info", str(error)))
                camera = None
        return _Job(image, camera, state, warnings=warnings)

    def _detector_of(self, key: str) -> Detector:
        if not isinstance(self._detector, Mapping):
            return self._detector
        return self._detector[key]

    def _detect(
        self,
        job: _Job,
        detector: Detector,
        stamp: float,
        config: PipelineConfig,
        *,
        overloaded: bool = False,
    ) -> None:
        due = job.state.advance(stamp, config, overloaded=overloaded)
        detections = []
        start = time.perf_counter()
        # An image that turned out to begin a shot may be shrunk: the detector runs on the next.
        if detector.every_image or (due and job.image.reduction == 1):
            detections = detector.detect(job.image)
            job.state.reset_detection_timer()
            job.detected = True
        job.timings["detect"] = _milliseconds_since(start)
        job.candidates = job.state.candidates(detections, config)
        if overloaded and config.carry_still_faces and not job.detected:
            job.candidates = job.state.carry(job.candidates)

    def _recognise(self, jobs: list[_Job], config: PipelineConfig) -> list[FrameResult]:
        size = self._engine.input_size
        batch = [self._extract_crops(job, size) for job in jobs]
        crops = np.concatenate(batch) if batch else np.empty((0, 1, size, size), np.float32)
        start = time.perf_counter()
        prediction = self._engine.infer(crops) if len(crops) else None
        spent = _milliseconds_since(start)
        results, first = [], 0
        for job in jobs:
            job.timings["infer"] = spent
            observations: list[Observation] = []
            if prediction is not None:
                observations = self._observations(prediction, first, job.candidates, config)
            first += len(job.candidates)
            results.append(self._finish(job, observations, config))
        return results

    @staticmethod
    def _extract_crops(job: _Job, size: int) -> NDArray[np.float32]:
        start = time.perf_counter()
        crops = extract(job.image, [c.crop for c in job.candidates], size)
        job.timings["crop"] = _milliseconds_since(start)
        return crops

    def _observations(
        self,
        prediction: Prediction,
        first: int,
        candidates: Sequence[Candidate],
        config: PipelineConfig,
    ) -> list[Observation]:
        """Return the rows of a prediction from ``first`` on as observations of the candidates."""
        if not candidates:
            return []
        rows = slice(first, first + len(candidates))
        logits = prediction.logits[rows]
        crops = [candidate.crop for candidate in candidates]
        landmarks = Crop.all_to_image(crops, prediction.landmarks[rows], self._engine.input_size)
        probabilities = class_probabilities(logits, self._engine.manifest, config.prior_strength)
        presences = prediction.presence[rows].tolist()
        attention = prediction.attention[rows]
        return [
            Observation(*values)
            for values in zip(
                crops, landmarks, logits, probabilities, presences, attention, strict=True
            )
        ]

    def _finish(
        self, job: _Job, observations: list[Observation], config: PipelineConfig
    ) -> FrameResult:
        threshold = config.presence_threshold or self._engine.manifest.presence_threshold
        start = time.perf_counter()
        observed = job.state.update(job.candidates, observations, threshold, config)
        job.timings["track"] = _milliseconds_since(start)
        start = time.perf_counter()
        size = job.image.width, job.image.height
        faces = job.state.faces(observed, size, job.camera, config, self._engine.manifest)
        job.timings["smooth"] = _milliseconds_since(start)
        if config.eyes and self._eye_engine is not None:
            start = time.perf_counter()
            job.state.measure_eyes(faces, job.image, job.camera, self._eye_engine)
            job.timings["eyes"] = _milliseconds_since(start)
        return FrameResult(
            faces,
            *size,
            job.timings,
            job.detected,
            job.warnings,
            job.cut,
            job.state.omitted,
        )


def _milliseconds_since(start: float) -> float:
    return 1e3 * (time.perf_counter() - start)
