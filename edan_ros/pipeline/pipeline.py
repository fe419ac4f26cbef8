"""Images in, faces out: detector, tracks, crops, one batch through the engine, smoothing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop, extract
from edan_ros.core.emotions import softmax
from edan_ros.core.faces import CameraModel, FrameResult
from edan_ros.core.head_pose import CameraModelError, fit_camera
from edan_ros.core.images import REDUCTIONS, Image, ImageError
from edan_ros.detection.detectors import Detector
from edan_ros.pipeline.camera_state import Reading, Stream
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.tracking.tracker import Request

__all__ = ["FrameInput", "Pipeline", "PipelineConfig"]

#: Camera key, image, stamp in seconds, and the camera's model where it is known.
FrameInput = tuple[str, Image, float, CameraModel | None]


class ModelRecord(Protocol):
    """The part of a model's manifest that the pipeline reads."""

    @property
    def temperature(self) -> float:
        """Logits are divided by it before the softmax."""
        ...

    @property
    def presence_threshold(self) -> float:
        """Presence at which a crop counts as a face."""
        ...


class ModelOutput(Protocol):
    """Of n crops: landmarks (n, 68, 2) crop pixels, logits (n, 7), presence (n,), attention."""

    @property
    def landmarks(self) -> NDArray[np.float32]: ...
    @property
    def logits(self) -> NDArray[np.float32]: ...
    @property
    def presence(self) -> NDArray[np.float32]: ...
    @property
    def attention(self) -> NDArray[np.float32]: ...


class ModelRunner(Protocol):
    """What the pipeline needs of an engine."""

    @property
    def manifest(self) -> ModelRecord: ...
    @property
    def input_size(self) -> int: ...

    def infer(self, crops: NDArray[np.float32]) -> ModelOutput:
        """Run (n, 1, S, S) crops, grey levels 0 to 255."""
        ...


@dataclass(slots=True)
class _Work:
    """One image on its way through a batch."""

    image: Image
    camera: CameraModel | None
    stream: Stream
    requests: list[Request] = field(default_factory=list)
    detected: bool = False
    timings: dict[str, float] = field(default_factory=dict)
    remarks: list[ImageError] = field(default_factory=list)


class Pipeline:
    """Finds and follows the faces of any number of cameras.

    detector: one for all cameras, or one for each camera key, and one under "" for ``analyze``.
    Not thread-safe: one call at a time. ``config`` may be replaced between calls. Track ids are
    unique over all cameras and never used again; ``ids`` yields them, where they must differ from
    another pipeline's.
    """

    def __init__(
        self,
        detector: Detector | Mapping[str, Detector],
        engine: ModelRunner,
        config: PipelineConfig | None = None,
        ids: Iterator[int] | None = None,
    ) -> None:
        self.config = config or PipelineConfig()
        self._detector = detector
        self._engine = engine
        self._ids = itertools.count(1) if ids is None else ids
        self._streams: dict[str, Stream] = {}
        self._suspended: dict[str, Stream] = {}

    def process(
        self, image: Image, stamp: float, camera: CameraModel | None = None, key: str = "camera"
    ) -> FrameResult:
        """The faces of the next image of a camera. stamp: seconds."""
        return self.process_batch([(key, image, stamp, camera)])[0]

    def process_batch(self, frames: Sequence[FrameInput], late: bool = False) -> list[FrameResult]:
        """The faces of one image of each of several cameras: one run of the engine for all.

        late: images come faster than they are worked on; the detector then runs less often.
        Raises ValueError when a camera occurs twice; errors of the engine pass through.
        """
        if len({frame[0] for frame in frames}) < len(frames):
            raise ValueError("a batch holds at most one image of each camera")
        works = [self._prepare(*frame, late) for frame in frames]
        return self._recognise(works, self.config)

    def reduction(self, key: str, stamp: float, late: bool = False) -> int:
        """By how much a camera's next image may be reduced while it is decoded: REDUCTIONS.

        The smallest known face then still has a pixel for each pixel of its crop. An image that
        the detector will search stays whole. Arguments as of ``process_batch``.
        """
        stream = self._stream_of(key, stamp)
        if stream is None:
            return 1
        if self._detector_of(key).every_image:
            return 1
        most = stream.detail(stamp, self.config, late) / self._engine.input_size
        return max((r for r in REDUCTIONS if r <= most), default=1)

    def analyze(self, image: Image, camera: CameraModel | None = None) -> FrameResult:
        """The faces of a single picture, without memory; their track_id is 0.

        Their action units are measured against the usual face, not the person's own neutral one.
        """
        tracking = replace(self.config.tracking, birth_hits=1)
        config = replace(self.config, tracking=tracking)
        work = self._open(image, camera, Stream(itertools.count(1)))
        self._detect(work, self._detector_of(""), 0.0, config)
        result = self._recognise([work], config)[0]
        for face in result.faces:
            face.track_id = 0
        return result

    def reset(self, key: str | None = None) -> None:
        """Forget the faces of a camera, of all cameras without a key."""
        keys = list(self._streams) if key is None else [key]
        for each in keys:
            self._streams.pop(each, None)
            self._suspended.pop(each, None)

    def _prepare(
        self, key: str, image: Image, stamp: float, camera: CameraModel | None, late: bool
    ) -> _Work:
        work = self._open(image, camera, Stream(self._ids))
        stream = self._continue(key, stamp)
        if stream is None:
            stream = work.stream
            if self._suspended[key].is_after(stamp):
                work.remarks.append(
                    ImageError("stamp", f"the stamp of {key} went back: its faces start anew")
                )
        self._streams[key] = work.stream = stream
        self._detect(work, self._detector_of(key), stamp, self.config, late)
        return work

    def _continue(self, key: str, stamp: float) -> Stream | None:
        """The memory that an image of this stamp continues; None after a jump in time.

        After a jump the old memory is kept aside for one image: if that image alone was out of
        time, the next one continues as if nothing had been.
        """
        current = self._streams.get(key)
        if current is None:
            return Stream(self._ids)
        stream = self._stream_of(key, stamp)
        self._suspended.pop(key, None)
        if stream is None:
            self._suspended[key] = current
        return stream

    def _stream_of(self, key: str, stamp: float) -> Stream | None:
        """The memory that an image of this stamp continues, if any: the one kept aside first, for
        an image that was only a little late is followed by one that continues both."""
        for stream in (self._suspended.get(key), self._streams.get(key)):
            if stream is not None and stream.continues(stamp, self.config.max_gap):
                return stream
        return None

    def _open(self, image: Image, camera: CameraModel | None, stream: Stream) -> _Work:
        """An image with its camera's model scaled to it; one that does not fit is left out."""
        remarks = [] if image.remark is None else [image.remark]
        if camera is not None:
            try:
                camera = fit_camera(camera, image.width, image.height)
            except CameraModelError as error:
                remarks.append(ImageError("camera_info", str(error)))
                camera = None
        return _Work(image, camera, stream, remarks=remarks)

    def _detector_of(self, key: str) -> Detector:
        if not isinstance(self._detector, Mapping):
            return self._detector
        return self._detector[key]

    def _detect(
        self,
        work: _Work,
        detector: Detector,
        stamp: float,
        config: PipelineConfig,
        late: bool = False,
    ) -> None:
        due = work.stream.begin(stamp, config, late)
        detections = []
        start = time.perf_counter()
        if due or detector.every_image:
            detections = detector.detect(work.image)
            work.stream.detected()
            work.detected = True
        work.timings["detect"] = _milliseconds_since(start)
        work.requests = work.stream.requests(detections, config)

    def _recognise(self, works: list[_Work], config: PipelineConfig) -> list[FrameResult]:
        size = self._engine.input_size
        batch = [self._cut(work, size) for work in works]
        crops = np.concatenate(batch) if batch else np.empty((0, 1, size, size), np.float32)
        start = time.perf_counter()
        output = self._engine.infer(crops) if len(crops) else None
        spent = _milliseconds_since(start)
        results, at = [], 0
        for work in works:
            work.timings["infer"] = spent
            readings: list[Reading] = []
            if output is not None:
                readings = self._read(output, at, [r.crop for r in work.requests])
            at += len(work.requests)
            results.append(self._finish(work, readings, config))
        return results

    @staticmethod
    def _cut(work: _Work, size: int) -> NDArray[np.float32]:
        start = time.perf_counter()
        crops = extract(work.image, [r.crop for r in work.requests], size)
        work.timings["crop"] = _milliseconds_since(start)
        return crops

    def _read(self, output: ModelOutput, at: int, crops: Sequence[Crop]) -> list[Reading]:
        """The output's rows from ``at`` on, in image pixels and probabilities."""
        size, rows = self._engine.input_size, slice(at, at + len(crops))
        probabilities = softmax(output.logits[rows], self._engine.manifest.temperature)
        return [
            Reading(
                crop,
                crop.to_image(output.landmarks[at + i], size),
                probabilities[i],
                float(output.presence[at + i]),
                output.attention[at + i],
            )
            for i, crop in enumerate(crops)
        ]

    def _finish(self, work: _Work, readings: list[Reading], config: PipelineConfig) -> FrameResult:
        threshold = config.presence_threshold or self._engine.manifest.presence_threshold
        start = time.perf_counter()
        answers = work.stream.answers(work.requests, readings, threshold, config)
        work.timings["track"] = _milliseconds_since(start)
        start = time.perf_counter()
        size = work.image.width, work.image.height
        faces = work.stream.faces(answers, size, work.camera, config)
        work.timings["smooth"] = _milliseconds_since(start)
        return FrameResult(faces, *size, work.timings, work.detected, work.remarks)


def _milliseconds_since(start: float) -> float:
    return 1e3 * (time.perf_counter() - start)
