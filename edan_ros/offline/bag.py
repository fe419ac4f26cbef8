"""Add faces to a bag: select the topics of images, name those of results, copy all messages.

Results equal those of the emotion node by construction: the same pipeline, decoding and QoS.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Set
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
from edan_ros.core.images import Image, ImageError
from edan_ros.core.message_fields import camera_model, image_header, model_fields, stamp_ns
from edan_ros.core.stamps import describe_jump
from edan_ros.core.wording import plural
from edan_ros.recording.bag_writer import BagWriter
from edan_ros.recording.definitions import (
    FACES,
    MODEL_INFO,
    NO_DIGEST,
    Definition,
    Definitions,
    FaceMessages,
    digest_of,
)
from edan_ros.recording.summary import Summary
from edan_ros.sources import SourceError
from edan_ros.sources.bag import image_topics, info_topic, namespace_of, twins_of
from edan_ros.sources.bag_reader import BagReader, Message, Topic
from edan_ros.sources.video_packets import ImageDecoder

if TYPE_CHECKING:
    from edan_ros.engines import Engine
    from edan_ros.pipeline.pipeline import Pipeline

#: Largest number of jumps of the stamps that are described.
_MAX_JUMPS = 3
#: Encodings of depth images, which are not searched unless their topic is named.
DEPTH_ENCODINGS = ("16UC1", "32FC1")


def _qos(depth: int, durability: QosDurability) -> Qos:
    never = QosTime(0, 0)
    reliable = QosReliability.RELIABLE
    automatic = QosLiveliness.AUTOMATIC
    last = QosHistory.KEEP_LAST
    return Qos(last, depth, reliable, durability, never, never, automatic, never, False)


#: QoS of the emotion node's results and of its model info (nodes/common/qos.py).
RESULTS = _qos(10, QosDurability.VOLATILE)
LATCHED = _qos(1, QosDurability.TRANSIENT_LOCAL)


@dataclass
class Camera:
    """A topic of images and the state of its processing.

    Attributes:
        topic: name of the image topic.
        faces: topic of its results.
        info_topic: topic of its calibration.
        named: whether the user named the topic.
        calibration: the newest calibration, None before the first.
        summary: counts of the results.
        undecoded: number of images that could not be decoded.
        fault: why the first of them could not be decoded.
        uncalibrated: number of calibrations that could not be used.
        calibration_fault: why the first of them could not be used.
        scaler: keeps the levels of its 16-bit images.
    """

    topic: str
    faces: str
    info_topic: str
    named: bool
    calibration: CameraModel | None = None
    summary: Summary = field(default_factory=Summary)
    undecoded: int = 0
    fault: str = ""
    uncalibrated: int = 0
    calibration_fault: str = ""
    decoder: ImageDecoder[tuple[Any, Message]] = field(default_factory=ImageDecoder)

    def line(self) -> str:
        """Return one line on the results."""
        count = self.summary.results
        text = f"{self.topic} -> {self.faces}: {plural(count, 'image')}"
        if count:
            text += f", {100 * self.summary.face_share:.1f} % with a face"
            labels = self.summary.label_shares()
            text += "".join(f", {name} {100 * share:.0f} %" for name, share in labels)
        if self.undecoded:
            text += f"; {self.undecoded} could not be decoded ({self.fault})"
        if self.uncalibrated:
            text += (
                f"; {plural(self.uncalibrated, 'calibration')} could not be used, so head poses "
                "are missing "
                f"({self.calibration_fault})"
            )
        jumps = self.summary.jumps
        return text + "".join(f"; {describe_jump(jump)}" for jump in jumps[:_MAX_JUMPS])


@dataclass(frozen=True)
class TopicPlan:
    """Topics of the new bag. kept: those of the source. results, model: those that are added."""

    kept: Set[str]
    results: Collection[str]
    model: str


def choose_cameras(reader: BagReader, named: Collection[str]) -> dict[str, Camera]:
    """Return the cameras of a bag by topic.

    Results go beside the images, where the emotion node publishes them (front/image_raw ->
    front/faces); below the image topic where two cameras share a namespace. A topic that only
    repeats another one compressed is left out.

    Args:
        named: image topics to process; empty for all.

    Raises:
        SourceError: if there is no such topic, or no topic of images.
    """
    images, topics = image_topics(reader, named), reader.topics
    chosen = images if named else [name for name in images if _is_processed(name, images, topics)]
    if not chosen:
        raise SourceError(f"{reader.path} holds no image that can be read, or only depth images")
    beside = [namespace_of(name) + "/faces" for name in chosen]
    return {
        name: Camera(
            name,
            faces if beside.count(faces) == 1 else f"{name}/faces",
            info_topic(name),
            bool(named),
        )
        for name, faces in zip(chosen, beside, strict=True)
    }


def plan_topics(reader: BagReader, cameras: Mapping[str, Camera], replace: bool) -> TopicPlan:
    """Return the topics of the new bag.

    Raises:
        SourceError: if the bag holds results already and ``replace`` is false.
    """
    namespaces = [namespace_of(topic) or "/" for topic in cameras]
    model = os.path.join(os.path.commonpath(namespaces), "model_info")
    results = {camera.faces for camera in cameras.values()}
    old = sorted((results | {model}) & reader.topics.keys())
    if old and not replace:
        raise SourceError(
            f"{reader.path} holds {', '.join(old)} already: give --replace-faces to put new "
            "results in their place"
        )
    return TopicPlan(reader.topics.keys() - results - {model}, sorted(results), model)


def add_topics(
    writer: BagWriter, reader: BagReader, plan: TopicPlan, definitions: Definitions
) -> list[str]:
    """Create the topics of the plan in the new bag.

    Returns:
        One sentence for each topic that has to be left out.
    """
    left_out = copy_topics(writer, reader, plan.kept, definitions)
    added = [(name, FACES, RESULTS) for name in plan.results]
    for name, kind, qos in [*added, (plan.model, MODEL_INFO, LATCHED)]:
        own = definitions.of(kind)
        assert own is not None  # the package's own messages are always known
        writer.add_topic(name, kind, own.text, own.digest, [qos])
    return left_out


def copy_topics(
    writer: BagWriter, reader: BagReader, names: Collection[str], definitions: Definitions
) -> list[str]:
    """Create topics of a bag in the new one, with all that describes them.

    A bag without message definitions (SQLite before ROS 2 Iron) gets those that are known here.

    Returns:
        One sentence for each topic that has to be left out.
    """
    left_out = []
    for name in sorted(names):
        topic = reader.topics[name]
        found = _definition(topic, definitions)
        if not found.text and reader.storage == "mcap":
            left_out.append(
                f"{name} is left out: the bag has no definition of {topic.kind}; where its package "
                "is installed and sourced, it is taken from there"
            )
            continue
        writer.add_topic(name, topic.kind, found.text, found.digest, topic.qos, topic.encoding)
    return left_out


class BagRun:
    """Copies the messages of a bag and writes a result after each image.

    Args:
        pipeline: finds the faces.
        writer: the new bag, with its topics.
        definitions: of the messages to write.
        cameras: by topic.
        on_image: called after each processed image.
        rectified: whether the images are rectified: P of camera_info then counts, not K and D.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        writer: BagWriter,
        definitions: Definitions,
        cameras: Mapping[str, Camera],
        on_image: Callable[[], None],
        *,
        rectified: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._writer = writer
        self._messages = FaceMessages(definitions)
        self._cameras = cameras
        self._on_image = on_image
        self._rectified = rectified
        self._by_info_topic: dict[str, list[Camera]] = {}
        for camera in cameras.values():
            self._by_info_topic.setdefault(camera.info_topic, []).append(camera)

    def run(self, reader: BagReader, plan: TopicPlan, engine: Engine) -> None:
        """Process all messages, in their order."""
        fields = model_fields(engine, self._pipeline.config.prior_strength)
        info = self._messages.model_info(**fields)
        self._writer.write(plan.model, reader.times[0], info)
        kept = self._writer.topics & plan.kept
        for message in reader.messages(kept):
            self._writer.write(*message)
            camera = self._cameras.get(message.topic)
            try:
                if camera is not None:
                    self._process(reader.deserialize(message), message, camera)
                elif message.topic in self._by_info_topic:
                    self._calibrate(reader, message)
            except (ImageError, SourceError) as error:
                if camera is not None:
                    camera.undecoded += 1
                    camera.fault = camera.fault or str(error)
        for camera in self._cameras.values():
            for origin, pixels in camera.decoder.flush(gray=True):
                self._add_faces(*origin, pixels, camera)

    def _process(self, image: Any, message: Message, camera: Camera) -> None:
        if not camera.named and getattr(image, "encoding", "") in DEPTH_ENCODINGS:
            raise ImageError("encoding", "depth images: name the topic to process them")
        reduction = self._pipeline.reduction(camera.topic, _stamp(image, message))
        for origin, pixels in camera.decoder.decode(
            image, (image, message), reduction=reduction, gray=True
        ):
            self._add_faces(*origin, pixels, camera)

    def _add_faces(self, image: Any, message: Message, pixels: Image, camera: Camera) -> None:
        stamp = _stamp(image, message)
        result = self._pipeline.process(pixels, stamp, camera.calibration, camera.topic)
        data = self._messages.faces(result, stamp_ns(image), image_header(image).frame_id)
        # A nanosecond after the image, so that no other message comes between them.
        self._writer.write(camera.faces, message.time + 1, data)
        camera.summary.add(stamp, None, result)
        self._on_image()

    def _calibrate(self, reader: BagReader, message: Message) -> None:
        calibration, fault = None, ""
        try:
            calibration = camera_model(reader.deserialize(message), rectified=self._rectified)
        except (CameraModelError, SourceError) as error:
            fault = str(error)  # the emotion node gives no head pose then, either
        for camera in self._by_info_topic[message.topic]:
            camera.calibration = calibration
            if fault:
                camera.uncalibrated += 1
                camera.calibration_fault = camera.calibration_fault or fault


def _stamp(image: Any, message: Message) -> float:
    """Return the stamp of an image in seconds; without one, the time of recording."""
    stamp = image_header(image).stamp
    return float(stamp.sec + 1e-9 * stamp.nanosec or 1e-9 * message.time)


def _definition(topic: Topic, definitions: Definitions) -> Definition:
    if topic.definition:
        digest = topic.digest or digest_of(topic.kind, topic.definition)
        return Definition(topic.definition, digest)
    return definitions.of(topic.kind) or Definition("", NO_DIGEST)


def _is_processed(name: str, images: Collection[str], topics: Mapping[str, Topic]) -> bool:
    """Return whether a topic is processed unless others are named.

    It has messages, holds no depth images, and is not the compressed copy of another topic.
    """
    if name.endswith("/compressedDepth") or not topics[name].count:
        return False
    return next(twin for twin in twins_of(name) if twin in images) == name
