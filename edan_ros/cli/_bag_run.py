"""Processes the images of a bag: on which topics they are, where results go, one pass over all."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

from edan_ros.core.faces import CameraModel
from edan_ros.core.head_pose import CameraModelError
from edan_ros.core.images import ImageError
from edan_ros.core.messages import camera_model, decode, model_fields, stamp_ns
from edan_ros.recording.bag_writer import BagWriter
from edan_ros.recording.definitions import FACES, MODEL_INFO, Definition, Definitions, digest_of
from edan_ros.recording.face_messages import FaceMessages
from edan_ros.recording.progress import ImageProgress
from edan_ros.recording.summary import Summary
from edan_ros.sources import SourceError
from edan_ros.sources.bag import image_topics, info_topic
from edan_ros.sources.bag_reader import BagReader, Message, Topic

if TYPE_CHECKING:
    from edan_ros.engines import Engine
    from edan_ros.pipeline.pipeline import Pipeline

#: Depth images: no faces are searched for in them unless their topic is named.
_DEPTH = ("16UC1", "32FC1")


def _qos(depth: int, durability: QosDurability) -> Qos:
    never = QosTime(0, 0)
    reliable = QosReliability.RELIABLE
    automatic = QosLiveliness.AUTOMATIC
    last = QosHistory.KEEP_LAST
    return Qos(last, depth, reliable, durability, never, never, automatic, never, False)


#: As the emotion node offers its results, and what it runs (nodes/common/qos.py).
RESULTS = _qos(10, QosDurability.VOLATILE)
LATCHED = _qos(1, QosDurability.TRANSIENT_LOCAL)
#: Stands for the hash of a type of which nobody knows the definition.
_NO_DIGEST = "RIHS01_" + "0" * 64


@dataclass
class Camera:
    """A topic of images, and where its results go."""

    topic: str
    faces: str
    infos: str
    named: bool
    calibration: CameraModel | None = None
    summary: Summary = field(default_factory=Summary)
    undecoded: int = 0
    fault: str = ""

    def line(self) -> str:
        """What became of its images."""
        text = f"{self.topic} -> {self.faces}: {self.summary.results} images"
        if self.summary.results:
            text += f", {100 * self.summary.face_share:.1f} % with a face"
            labels = self.summary.label_shares()
            text += "".join(f", {name} {100 * share:.0f} %" for name, share in labels)
        if self.undecoded:
            text += f"; {self.undecoded} could not be decoded ({self.fault})"
        return text


@dataclass(frozen=True)
class Plan:
    """kept: topics that go into the new bag. results, model: topics that are added to them."""

    kept: Collection[str]
    results: Collection[str]
    model: str


def choose_cameras(reader: BagReader, named: Collection[str]) -> dict[str, Camera]:
    """The cameras of a bag by topic. named: topics of images; of all where none is.

    Results go beside the images, as the emotion node publishes them (front/image_raw ->
    front/faces); for one of two topics in one namespace, below it. A topic that only repeats
    another one compressed is left out. Raises SourceError where there is no such topic.
    """
    images, topics = image_topics(reader, named), reader.topics
    chosen = images if named else [name for name in images if _is_own(name, images, topics)]
    if not chosen:
        raise SourceError(f"{reader.path} holds no image that can be read, or only depth images")
    beside = [_namespace(name) + "/faces" for name in chosen]
    return {
        name: Camera(
            name,
            faces if beside.count(faces) == 1 else f"{name}/faces",
            info_topic(name),
            bool(named),
        )
        for name, faces in zip(chosen, beside, strict=True)
    }


def make_plan(reader: BagReader, cameras: Mapping[str, Camera], replace: bool) -> Plan:
    """What is kept. Raises SourceError where results are there already, and are not to go."""
    namespaces = [_namespace(topic) or "/" for topic in cameras]
    model = os.path.join(os.path.commonpath(namespaces), "model_info")
    results = {camera.faces for camera in cameras.values()}
    old = sorted((results | {model}) & reader.topics.keys())
    if old and not replace:
        raise SourceError(
            f"{reader.path} holds {', '.join(old)} already: give --replace-faces to put new "
            "results in their place"
        )
    return Plan(reader.topics.keys() - results - {model}, sorted(results), model)


def add_topics(
    writer: BagWriter, reader: BagReader, plan: Plan, definitions: Definitions
) -> list[str]:
    """Announces the topics of the plan to the new bag. Returns what has to be left out, in words.

    A bag without definitions (SQLite before Iron) gets those that are known here.
    """
    left_out = []
    for name in sorted(plan.kept):
        topic = reader.topics[name]
        found = _definition(topic, definitions)
        if not found.text and reader.storage == "mcap":
            left_out.append(
                f"{name} is left out: the bag has no definition of {topic.kind}; where its package "
                "is installed and sourced, it is taken from there"
            )
            continue
        writer.add_topic(name, topic.kind, found.text, found.digest, topic.qos, topic.encoding)
    for name in plan.results:
        found = definitions.of(FACES)
        writer.add_topic(name, FACES, found.text, found.digest, [RESULTS])
    found = definitions.of(MODEL_INFO)
    writer.add_topic(plan.model, MODEL_INFO, found.text, found.digest, [LATCHED])
    return left_out


def _definition(topic: Topic, definitions: Definitions) -> Definition:
    if topic.definition:
        digest = topic.digest or digest_of(topic.kind, topic.definition)
        return Definition(topic.definition, digest)
    return definitions.of(topic.kind) or Definition("", _NO_DIGEST)


class BagRun:
    """Copies messages, and follows each image with its result."""

    def __init__(
        self,
        pipeline: Pipeline,
        writer: BagWriter,
        definitions: Definitions,
        cameras: Mapping[str, Camera],
        progress: ImageProgress,
    ) -> None:
        self._pipeline = pipeline
        self._writer = writer
        self._messages = FaceMessages(definitions)
        self._cameras = cameras
        self._progress = progress
        #: Whether the images are without distortion: P of camera_info then counts.
        self.rectified = False
        self._infos: dict[str, list[Camera]] = {}
        for camera in cameras.values():
            self._infos.setdefault(camera.infos, []).append(camera)

    def all(self, reader: BagReader, plan: Plan, engine: Engine) -> None:
        """From the first message to the last."""
        info = self._messages.model_info(**model_fields(engine))
        self._writer.write(plan.model, reader.times[0], info)
        kept = self._writer.topics & plan.kept
        for message in reader.messages(kept):
            self._writer.write(*message)
            camera = self._cameras.get(message.topic)
            try:
                if camera is not None:
                    self._image(reader.deserialize(message), message, camera)
                elif message.topic in self._infos:
                    self._calibrate(reader.deserialize(message), self._infos[message.topic])
            except (ImageError, SourceError) as error:
                if camera is not None:
                    camera.undecoded += 1
                    camera.fault = camera.fault or str(error)

    def _image(self, image: Any, message: Message, camera: Camera) -> None:
        if not camera.named and getattr(image, "encoding", "") in _DEPTH:
            raise ImageError("encoding", "depth images; to search them all the same name the topic")
        header = image.header
        # All as in the emotion node, so that the results are equal.
        stamp = header.stamp.sec + 1e-9 * header.stamp.nanosec or 1e-9 * message.time
        reduction = self._pipeline.reduction(camera.topic, stamp)
        pixels = decode(image, reduction=reduction, gray=True)
        result = self._pipeline.process(pixels, stamp, camera.calibration, camera.topic)
        data = self._messages.faces(result, stamp_ns(image), header.frame_id)
        # The image comes before its result, and no other message between them.
        self._writer.write(camera.faces, message.time + 1, data)
        camera.summary.add(stamp, None, result)
        self._progress.advance()

    def _calibrate(self, info: Any, cameras: Collection[Camera]) -> None:
        try:
            calibration = camera_model(info, rectified=self.rectified)
        except CameraModelError:
            calibration = None  # without a head pose, as the emotion node
        for camera in cameras:
            camera.calibration = calibration


def _is_own(name: str, images: Collection[str], topics: Mapping[str, Topic]) -> bool:
    """Whether a topic is taken where none is named: has messages, no twin that is raw, no depth."""
    if name.endswith("/compressedDepth") or not topics[name].count:
        return False
    return (
        name.removesuffix("/compressed") == name or name.removesuffix("/compressed") not in images
    )


def _namespace(topic: str) -> str:
    return topic.removesuffix("/compressed").rpartition("/")[0]
