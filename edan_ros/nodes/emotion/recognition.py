"""Processing behind the emotion node: images of all cameras in, published arrays out.

`process` runs on the worker's thread, `analyze` and `explain` on the executor's. A lock lets only
one of them use the engine and the detector.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode

from edan_ros.core.crops import extract
from edan_ros.core.emotions import EMOTIONS, UNKNOWN
from edan_ros.core.faces import CameraModel, Detection, Face, FrameResult
from edan_ros.core.images import Image
from edan_ros.core.inference import class_probabilities
from edan_ros.core.message_fields import decode_image
from edan_ros.detection.base import Detector
from edan_ros.detection.factory import describe_detector
from edan_ros.drawing.faces import annotate
from edan_ros.drawing.privacy import FaceFinder, PrivacyFilter, anonymize
from edan_ros.engines.base import Engine
from edan_ros.engines.eye_model import EyeModel
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
from edan_ros.nodes.emotion.camera_input import (
    CameraInput,
    CameraOptions,
    DecodedImage,
    ReceivedImage,
)
from edan_ros.nodes.emotion.worker import NewestWorker
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.pipeline.pipeline import Pipeline

#: Key of the detector of `analyze` in the pipeline.
SINGLE_IMAGES = ""


class ExplanationError(LookupError):
    """There is no such face or method. The message gives the reason and the remedy."""


class Recognition:
    """The pipeline, the cameras that feed it, and its thread.

    Args:
        node: creates the topics of the cameras.
        engine: runs the model.
        detector: for all cameras; if their boxes come from a topic, for single images only.
        config: settings of the pipeline.
        names, options: of the cameras.
        track_ids: ids for new tracks.
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
        #: What decoding an image may take.
        self.limits = options.limits
        #: Whether annotated images show the attention map of each face.
        self.draw_attention = False
        self._node = node
        self._lock = threading.Lock()
        self._worker: NewestWorker[ReceivedImage] | None = None
        inputs = [CameraInput(node, name, options) for name in names]
        self.cameras = {camera.key: camera for camera in inputs}
        self._detectors: dict[str, Detector] = {}
        self.replace_detector(detector)
        self.set_privacy("none")
        self._pipeline = Pipeline(self._detectors, engine, config, track_ids, eye_engine=EyeModel())
        self._model_info = node.create_publisher(ModelInfo, "model_info", qos.LATCHED)

    def publish_model_info(self) -> None:
        """Publish the model and the engine, for late subscribers too."""
        strength = self.config.prior_strength
        self._model_info.publish(model_info_message(self.engine, strength))

    def start(self) -> None:
        """Subscribe to the images."""
        self._worker = NewestWorker(self.process, self._on_error, "recognition")
        self._worker.start()
        for camera in self.cameras.values():
            camera.subscribe(self._worker.put)

    def stop(self) -> None:
        """Finish the images in progress, unsubscribe, and drop all tracks.

        Call it on the executor's thread, so that no image is received meanwhile.
        """
        if self._worker is not None:
            for key in self._worker.stop():
                self.cameras[key].statistics.dropped()
            self._worker = None
        for camera in self.cameras.values():
            camera.unsubscribe()
        self._pipeline.reset()

    def close(self) -> None:
        """Stop, and destroy the publishers."""
        self.stop()
        for camera in self.cameras.values():
            camera.destroy()
        self._node.destroy_publisher(self._model_info)

    @property
    def config(self) -> PipelineConfig:
        """Settings of the pipeline; they may be replaced while it runs."""
        return self._pipeline.config

    @config.setter
    def config(self, config: PipelineConfig) -> None:
        self._pipeline.config = config

    @property
    def detector(self) -> str:
        """Name of the detector and of what runs it, for users."""
        return next(describe_detector(self._detectors[key]) for key in self.cameras)

    def set_silence_timeout(self, seconds: float) -> None:
        """Set the time without images after which a camera is reported as gone."""
        for camera in self.cameras.values():
            camera.statistics.silence_timeout = seconds

    def reset_outage_timers(self) -> None:
        """Count no outage for the time in which the executor's thread could not receive."""
        for camera in self.cameras.values():
            camera.statistics.reset_outage_timer()

    def set_privacy(self, mode: str, find: FaceFinder | None = None) -> None:
        """Set how people are shown in annotated images and explanations, as for PrivacyFilter."""
        self._privacy, self._find = mode, find and _serialized(find)
        self._privacy_filters = {
            key: PrivacyFilter[None](mode, self._find, ahead=False) for key in self.cameras
        }

    def replace_detector(self, detector: Detector) -> None:
        """Use another detector from the next image on."""
        with self._lock:
            self._detectors[SINGLE_IMAGES] = detector
            for key, camera in self.cameras.items():
                self._detectors[key] = camera.boxes or detector

    def process(self, batch: dict[str, ReceivedImage]) -> None:
        """Decode, recognise and publish one image of each camera in the batch."""
        pending = set(batch)
        try:
            self._process(batch, pending)
        except EngineError as error:
            for key in pending:
                self.cameras[key].report(ENGINE_FAILED, f"the engine failed: {error}", lost=True)
        except Exception as error:
            for key in pending:
                self.cameras[key].statistics.bad(INTERNAL_ERROR, lost=True)
            self._on_error(error)

    def _on_error(self, error: Exception) -> None:
        """Record an error of the worker's thread, which goes on."""
        # Publishing fails while the context goes down; that is no error.
        if self._node.context.ok():
            self._node.health.record("recognition failed", error)

    def _process(self, batch: dict[str, ReceivedImage], pending: set[str]) -> None:
        """Process a batch; ``pending`` is left with the cameras without a result or a fault."""
        overloaded = any(self.cameras[key].is_overloaded(image) for key, image in batch.items())
        read = {key: self._read(key, image, overloaded) for key, image in batch.items()}
        frames = {key: frame for key, frame in read.items() if frame is not None}
        pending.intersection_update(frames)
        if not frames:
            return
        with self._lock:
            results = self._pipeline.process_batch(
                [(key, frame.image, frame.stamp, frame.camera) for key, frame in frames.items()],
                overloaded=overloaded,
            )
        for (key, frame), result in zip(frames.items(), results, strict=True):
            self._publish(self.cameras[key], frame, result)
            pending.discard(key)
            self._publish_annotated(self.cameras[key], frame, result)

    def _read(self, key: str, received: ReceivedImage, overloaded: bool) -> DecodedImage | None:
        """Decode a message; a JPEG only at the size that the known faces need."""
        stamp = stamp_seconds(received.header)
        reduction = self._pipeline.reduction(key, stamp, overloaded=overloaded)
        return self.cameras[key].read(received, reduction)

    def _publish(self, camera: CameraInput, frame: DecodedImage, result: FrameResult) -> None:
        start = time.perf_counter()
        array = array_message(result, frame.header)
        camera.faces.publish(array)
        camera.outputs.publish(array)
        result.timings_ms["decode"] = frame.decode_ms
        result.timings_ms["publish"] = 1e3 * (time.perf_counter() - start)
        for warning in result.warnings:
            camera.report(warning.reason, str(warning))
        camera.last = (frame, result)
        age = 1e-9 * self._node.get_clock().now().nanoseconds - frame.stamp
        camera.statistics.processed(frame.received.time, len(result.faces), result.timings_ms, age)

    def _publish_annotated(
        self, camera: CameraInput, frame: DecodedImage, result: FrameResult
    ) -> None:
        if camera.annotated.get_subscription_count() and frame.image.reduction == 1:
            privacy = self._privacy_filters[camera.key]
            # By the time of arrival, because stamps may stand still.
            for pixels, _ in privacy.add(frame.received.time, frame.image, result.faces, None):
                drawn = annotate(pixels, result, attention=self.draw_attention)
                camera.annotated.publish(image_message(drawn, frame.header))

    def analyze(self, image: Image, camera: CameraModel | None) -> FrameResult:
        """Return the faces in a single image.

        Raises:
            EngineError: the engine failed.
        """
        with self._lock:
            return self._pipeline.analyze(image, camera)

    def explain(
        self, camera: CameraInput, track_id: int, emotion: int, method: str
    ) -> tuple[DecodedImage, Explanation, NDArray[np.uint8]]:
        """Explain the emotion of one face in the newest image of a camera.

        Args:
            camera: the camera.
            track_id: of the face; 0 for the largest one.
            emotion: to explain; UNKNOWN for the most likely one.
            method: one of METHODS.

        Returns:
            The image, its explanation, and the map drawn over the face as far as privacy permits.

        Raises:
            ExplanationError: there is no such face.
            EngineError: the engine failed.
        """
        if camera.last is None:
            raise ExplanationError(f"no image of {camera.key} has been processed yet")
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
        # A JPEG may have been decoded at a lower size; blurring needs the full one.
        whole = (
            frame.image
            if frame.image.reduction == 1
            else decode_image(frame.received.message, limits=self.limits)
        )
        anonymized = Image(anonymize(whole, result.faces, self._privacy, self._find))
        assert face.crop is not None  # the pipeline sets it
        drawn = overlay(extract(anonymized, [face.crop], size)[0, 0], found.values)
        if self._privacy == "landmarks-only":
            draw_outlines(drawn, (found.landmarks + 0.5) * (len(drawn) / size) - 0.5, BACKGROUND)
        return frame, found, drawn

    def _probabilities(self, crops: NDArray[np.float32]) -> NDArray[np.floating]:
        with self._lock:
            logits = self.engine.infer(crops).logits
        return class_probabilities(logits, self.engine.manifest, self.config.prior_strength)


def _serialized(find: FaceFinder) -> FaceFinder:
    """Let the worker's and the executor's thread use the same detector one after the other."""
    lock = threading.Lock()

    def detect(image: Image) -> Sequence[Detection]:
        with lock:
            return find(image)

    return detect


def _choose_face(faces: list[Face], track_id: int) -> Face:
    """Return the face of a track, or the largest for 0."""
    if not faces:
        raise ExplanationError("the newest image shows no face")
    if track_id == 0:
        return max(faces, key=lambda face: face.box.area)
    for face in faces:
        if face.track_id == track_id:
            return face
    there = ", ".join(str(face.track_id) for face in faces)
    raise ExplanationError(f"no face has the track id {track_id}: the newest image shows {there}")
