"""The work behind the emotion node: images of all cameras in, published arrays out.

`process` runs on the worker's thread, `analyze` and `explain` on the executor's. One lock keeps
the engine and the detector to one of them at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode

from edan_ros.core.crops import extract
from edan_ros.core.emotions import EMOTIONS, UNKNOWN, softmax
from edan_ros.core.faces import CameraModel, Detection, Face, FrameResult
from edan_ros.core.images import Image
from edan_ros.core.message_fields import decode_image
from edan_ros.detection.base import Detector
from edan_ros.detection.factory import describe_detector
from edan_ros.drawing.faces import annotate
from edan_ros.drawing.privacy import FaceFinder, PrivacyFilter, anonymize
from edan_ros.engines.base import Engine
from edan_ros.engines.manifest import EngineError
from edan_ros.explain.canvas import BACKGROUND, draw_outlines, overlay
from edan_ros.explain.explanation import Explanation, explain_face
from edan_ros.msg import ModelInfo
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.camera_statistics import ENGINE_FAILED, INTERNAL_ERROR
from edan_ros.nodes.common.conversions import (
    array_message,
    image_message,
    model_info_message,
    stamp_seconds,
)
from edan_ros.nodes.emotion.camera_input import Arrival, CameraInput, CameraOptions, Frame
from edan_ros.nodes.emotion.worker import NewestWorker
from edan_ros.pipeline.pipeline import Pipeline, PipelineConfig

#: The key under which the pipeline looks for the detector of `analyze`.
SINGLE_PICTURES = ""


class ExplanationError(LookupError):
    """There is nothing to explain. The message says why and what to do."""


class Recognition:
    """The pipeline, the cameras that feed it, and the thread it runs on.

    node: whose topics the cameras use. detector: for all cameras, and for single pictures where
    the cameras' boxes come from a topic. names, options: of the cameras.
    """

    def __init__(
        self,
        node: LifecycleNode,
        engine: Engine,
        detector: Detector,
        config: PipelineConfig,
        names: list[str],
        options: CameraOptions,
        track_ids: Iterator[int],
    ) -> None:
        self.engine = engine
        #: Whether the annotated picture shows what led to the emotion of each face.
        self.draw_attention = False
        self._node = node
        self._lock = threading.Lock()
        self._worker: NewestWorker[Arrival] | None = None
        inputs = [CameraInput(node, name, options) for name in names]
        self.cameras = {camera.key: camera for camera in inputs}
        self._detectors: dict[str, Detector] = {}
        self.replace_detector(detector)
        self.set_privacy("none")
        self._pipeline = Pipeline(self._detectors, engine, config, track_ids)
        self._model_info = node.create_publisher(ModelInfo, "model_info", qos.LATCHED)

    def announce(self) -> None:
        """Tell what runs, now and to whoever comes later."""
        self._model_info.publish(model_info_message(self.engine))

    def start(self) -> None:
        """Begin to receive images."""
        self._worker = NewestWorker(self.process, self._on_error, "recognition")
        self._worker.start()
        for camera in self.cameras.values():
            camera.subscribe(self._worker.put)

    def stop(self) -> None:
        """Finish the images at work, receive no more, and forget every face.

        On the executor's thread, so that no image comes in between.
        """
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        for camera in self.cameras.values():
            camera.unsubscribe()
        self._pipeline.reset()

    def close(self) -> None:
        """Stop, and give back the topics."""
        self.stop()
        for camera in self.cameras.values():
            camera.destroy()
        self._node.destroy_publisher(self._model_info)

    def replace_config(self, config: PipelineConfig) -> None:
        """Go on with other settings of the pipeline."""
        self._pipeline.config = config

    @property
    def detector(self) -> str:
        """What finds the faces of the cameras, and what runs it, for people."""
        return next(describe_detector(self._detectors[key]) for key in self.cameras)

    def set_silence(self, seconds: float) -> None:
        """How long no image must come for a camera to count as gone."""
        for camera in self.cameras.values():
            camera.statistics.silence = seconds

    def excuse(self) -> None:
        """The executor's thread was busy with something else: no camera is gone for that."""
        for camera in self.cameras.values():
            camera.statistics.excuse()

    def set_privacy(self, mode: str, find: FaceFinder | None = None) -> None:
        """What the annotated pictures and explanations show of people; find: as for PrivacyFilter."""
        self._privacy, self._find = mode, find and _one_at_a_time(find)
        self._veils = {
            key: PrivacyFilter[None](mode, self._find, ahead=False) for key in self.cameras
        }

    def replace_detector(self, detector: Detector) -> None:
        """Go on with another detector."""
        with self._lock:
            self._detectors[SINGLE_PICTURES] = detector
            for key, camera in self.cameras.items():
                self._detectors[key] = camera.boxes or detector

    def process(self, batch: dict[str, Arrival]) -> None:
        """Read, recognise and publish one image of each camera that has one."""
        try:
            self._process(batch)
        except EngineError as error:
            self._report(batch, ENGINE_FAILED, f"the engine failed: {error}")
        except Exception as error:
            for key in batch:
                self.cameras[key].statistics.bad(INTERNAL_ERROR, lost=True)
            self._on_error(error)

    def _on_error(self, error: Exception) -> None:
        """Record an error of the worker's thread, which goes on."""
        # Publishing fails while the context goes down; that is no error.
        if self._node.context.ok():
            self._node.health.record("recognition failed", error)

    def _report(self, batch: dict[str, Arrival], reason: str, message: str) -> None:
        for key in batch:
            self.cameras[key].report(reason, message, lost=True)

    def _process(self, batch: dict[str, Arrival]) -> None:
        overtaken = [self.cameras[key].take_overloaded() for key in batch]
        overloaded = any(overtaken)
        read = {key: self._read(key, arrival, overloaded) for key, arrival in batch.items()}
        frames = {key: frame for key, frame in read.items() if frame is not None}
        if not frames:
            return
        with self._lock:
            results = self._pipeline.process_batch(
                [(key, frame.image, frame.stamp, frame.camera) for key, frame in frames.items()],
                overloaded=overloaded,
            )
        for (key, frame), result in zip(frames.items(), results, strict=True):
            self._publish(self.cameras[key], frame, result)

    def _read(self, key: str, arrival: Arrival, overloaded: bool) -> Frame | None:
        """The frame of a message, of a JPEG no more than the known faces need."""
        stamp = stamp_seconds(arrival.message.header)
        return self.cameras[key].read(
            arrival, self._pipeline.reduction(key, stamp, overloaded=overloaded)
        )

    def _publish(self, camera: CameraInput, frame: Frame, result: FrameResult) -> None:
        start = time.perf_counter()
        camera.faces.publish(array_message(result, frame.header))
        result.timings_ms["decode"] = frame.decode_ms
        result.timings_ms["publish"] = 1e3 * (time.perf_counter() - start)
        for warning in result.warnings:
            camera.report(warning.reason, str(warning))
        camera.last = (frame, result)
        age = 1e-9 * self._node.get_clock().now().nanoseconds - frame.stamp
        camera.statistics.processed(frame.arrival.time, len(result.faces), result.timings_ms, age)
        if camera.annotated.get_subscription_count() and frame.image.reduction == 1:
            veil = self._veils[camera.key]
            # By arrival: stamps may stand still.
            for pixels, _ in veil.add(frame.arrival.time, frame.image, result.faces, None):
                drawn = annotate(pixels, result, attention=self.draw_attention)
                camera.annotated.publish(image_message(drawn, frame.header))

    def analyze(self, image: Image, camera: CameraModel | None) -> FrameResult:
        """The faces of a single picture. Raises EngineError."""
        with self._lock:
            return self._pipeline.analyze(image, camera)

    def explain(
        self, camera: CameraInput, track_id: int, emotion: int, method: str
    ) -> tuple[Frame, Explanation, NDArray[np.uint8]]:
        """The newest image, a map of one of its faces, and the map drawn over what may be seen.

        track_id 0: the largest; emotion UNKNOWN: the face's own. Raises ExplanationError where
        there is no such face, EngineError.
        """
        if camera.last is None:
            raise ExplanationError(f"no image of {camera.key} was processed yet")
        frame, result = camera.last
        face = _choose_face(result.faces, track_id)
        if emotion == UNKNOWN:
            emotion = int(np.argmax(face.raw_probabilities))
        if emotion >= len(EMOTIONS):
            raise ExplanationError(f"no emotion has the number {emotion}: see FaceEmotion")
        size = self.engine.input_size
        found = explain_face(
            frame.image, face, emotion, method, size=size, probabilities=self._probabilities
        )
        if self._privacy == "none":
            return frame, found, overlay(found.crop, found.values)
        # A JPEG may have been read reduced: to look for people and to cover them, it is read whole.
        whole = frame.image if frame.image.reduction == 1 else decode_image(frame.arrival.message)
        covered = Image(anonymize(whole, result.faces, self._privacy, self._find))
        drawn = overlay(extract(covered, [face.crop], size)[0, 0], found.values)
        if self._privacy == "landmarks-only":
            draw_outlines(drawn, (found.landmarks + 0.5) * (len(drawn) / size) - 0.5, BACKGROUND)
        return frame, found, drawn

    def _probabilities(self, crops: NDArray[np.float32]) -> NDArray[np.floating]:
        with self._lock:
            logits = self.engine.infer(crops).logits
        return softmax(logits, self.engine.manifest.temperature)


def _one_at_a_time(find: FaceFinder) -> FaceFinder:
    """The worker's thread and the executor's look for faces with the same detector."""
    lock = threading.Lock()

    def found(image: Image) -> Sequence[Detection]:
        with lock:
            return find(image)

    return found


def _choose_face(faces: list[Face], track_id: int) -> Face:
    """The face of a track, or the largest for 0."""
    if not faces:
        raise ExplanationError("the newest image shows no face")
    if track_id == 0:
        return max(faces, key=lambda face: face.box.area)
    for face in faces:
        if face.track_id == track_id:
            return face
    there = ", ".join(str(face.track_id) for face in faces)
    raise ExplanationError(f"no face has the track {track_id}: the newest image shows {there}")
