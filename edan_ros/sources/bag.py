"""ROS recordings as a source: rosbag2 (SQLite or MCAP, any distribution) and ROS 1 bags."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edan_ros.core.faces import CameraModel
from edan_ros.core.head_pose import CameraModelError
from edan_ros.core.images import Image, ImageError
from edan_ros.core.message_fields import camera_model, image_header, stamp_ns
from edan_ros.core.stamps import SegmentClock
from edan_ros.sources.base import Frame, Log, SourceError, discard
from edan_ros.sources.video_packets import KEY_FRAME, VIDEO_DEFINITIONS, ImageDecoder

if TYPE_CHECKING:
    from edan_ros.sources.bag_reader import BagReader, Message

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
IMAGES = (RAW, COMPRESSED, *VIDEO_DEFINITIONS)
#: Endings that image_transport and its plugins append to the topic of the raw images.
_TRANSPORTS = ("/compressed", "/ffmpeg", "/foxglove")
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
BAG_ENDINGS = (".bag", ".db3", ".mcap", ".db3.zstd", ".mcap.zstd")


def is_bag(path: Path) -> bool:
    """Return whether a path is a bag: a file of that ending, or a folder that rosbag2 wrote."""
    if path.is_dir():
        # A recorder that was killed leaves no metadata.
        metadata = path / "metadata.yaml"
        return metadata.is_file() or any(p.name.endswith(BAG_ENDINGS[1:]) for p in path.iterdir())
    return path.name.lower().endswith(BAG_ENDINGS)


def open_bag(path: Path) -> BagReader:
    """Return a reader of the bag, to be entered.

    Raises SourceError where there is no such path, or rosbags is not installed.
    """
    if not path.exists():
        raise SourceError(f"there is no {path}: give the folder of a bag, or its .mcap or .db3")
    try:
        from edan_ros.sources.bag_reader import BagReader
    except ImportError as error:
        raise SourceError("reading bags needs rosbags: pip install rosbags") from error
    return BagReader(path)


def base_topic(image_topic: str) -> str:
    """Return the topic of the raw images beside a topic of images, compressed or not."""
    for ending in _TRANSPORTS:
        image_topic = image_topic.removesuffix(ending)
    return image_topic


def twins_of(image_topic: str) -> list[str]:
    """Return the topics that may hold the same images, itself among them: the raw ones first."""
    base = base_topic(image_topic)
    return [base, *(base + ending for ending in _TRANSPORTS)]


def namespace_of(image_topic: str) -> str:
    """Return the namespace of a camera by the topic of its images, compressed or not."""
    return base_topic(image_topic).rpartition("/")[0]


def info_topic(image_topic: str) -> str:
    """Return the topic of the calibration of the images on a topic."""
    return f"{namespace_of(image_topic)}/camera_info"


def image_topics(reader: BagReader, named: Collection[str] = ()) -> list[str]:
    """Return the named image topics, all without any name. Raises SourceError for others."""
    images = sorted(name for name, topic in reader.topics.items() if topic.kind in IMAGES)
    if not images:
        raise SourceError(
            f"{reader.path} has no image topic ({' or '.join(IMAGES)}); its topics are "
            f"{', '.join(sorted(reader.topics))}"
        )
    wanted = {"/" + name.removeprefix("/") for name in named}
    missing = sorted(wanted.difference(images))
    if missing:
        raise SourceError(
            f"{reader.path} has no images on {', '.join(missing)}, but on {', '.join(images)}"
        )
    return sorted(wanted) or images


@dataclass(frozen=True)
class ScheduledMessage:
    """A recorded message. time: when to publish it, seconds after the first."""

    time: float
    message: Message


class BagPlayback:
    """The images of a bag, and their calibrations, as they were serialised.

    Where the times of recording jump (``core.stamps``), playback goes on with the next segment.

    Args:
        topics: image topics, all without any.
        start: seconds of the recording to leave out.
        speed: 2.0 is twice as fast.
        log: receives a sentence for each jump and each damaged part.

    Attributes:
        images: the image topics.
        kinds: topic -> "sensor_msgs/msg/Image" and so on.
        begin: time at which playback starts, nanoseconds.

    Raises SourceError where the bag cannot be read, or has no such topic.
    """

    live = False
    length = None
    rate = 0.0

    def __init__(
        self,
        path: Path,
        topics: Collection[str] = (),
        *,
        start: float = 0.0,
        speed: float = 1.0,
        log: Log = discard,
    ) -> None:
        self.name = str(path)
        self._path, self._speed, self._log = path, speed, log
        self._is_cut = start > 0.0
        with open_bag(path) as reader:
            if reader.is_ros1:
                raise SourceError(f"{path} is a ROS 1 bag: convert it first, rosbags-convert")
            images = image_topics(reader, topics)
            infos = {info_topic(name) for name in images} & reader.topics.keys()
            self.images = images
            self.kinds = {name: reader.topics[name].kind for name in (*images, *infos)}
            begin, end = reader.times
        self.begin = begin + round(start * 1e9)
        if self.begin > end:
            seconds = (end - begin) * 1e-9
            raise SourceError(f"{path} is {seconds:.1f} s long and ends before the given start")

    def frames(self) -> Generator[ScheduledMessage, None, None]:
        """Yield the messages in the order they were recorded."""
        clock = SegmentClock(on_jump=lambda line: self._log(f"{self.name}: {line}"))
        # Without a start all messages are read, even those before a damaged first time.
        start = self.begin if self._is_cut else None
        with open_bag(self._path) as reader:
            for message in reader.messages(self.kinds, start=start):
                time = clock.place((message.time - self.begin) * 1e-9)
                yield ScheduledMessage(time / self._speed, message)
            for line in reader.damage:
                self._log(f"{self.name}: {line}")


class BagSource:
    """The images of one topic of a bag, with the stamps of their headers.

    The calibration recorded beside it (camera_info) comes with the frames. Images that cannot be
    decoded are skipped, and so are damaged parts.

    Args:
        topic: of raw or compressed images; "" for the one with most messages, raw ones first.
        log: receives a sentence for each skipped image, jump of the stamps and damaged part.

    Raises SourceError where the bag cannot be read, or has no such topic.
    """

    live = False

    def __init__(self, path: Path, topic: str = "", log: Log = discard) -> None:
        self.name = str(path)
        self._path = path
        self._log = log
        with open_bag(path) as reader:
            self.topic = _choose(reader, topic)
            self.length = reader.topics[self.topic].count
            begin, end = reader.times
            seconds = (end - begin) * 1e-9
            self.rate = (self.length - 1) / seconds if seconds > 0 and self.length > 1 else 0.0

    def frames(self) -> Generator[Frame, None, None]:
        """Yield the images in the order they were recorded.

        Raises SourceError where none can be decoded.
        """
        begin: int | None = None
        clock = SegmentClock(on_jump=lambda line: self._log(f"{self.name}: {line}"))
        with open_bag(self._path) as reader:
            for message, time, image, camera in self._decoded(reader):
                # Where the driver set no stamp, the time at which the recorder got the image.
                stamp = stamp_ns(message) or time
                begin = stamp if begin is None else begin
                seconds = (stamp - begin) * 1e-9
                clock.place(seconds)
                yield Frame(image, seconds, stamp, image_header(message).frame_id, camera)
            for line in reader.damage:
                self._log(f"{self.name}: {line}")
        if begin is None:
            raise SourceError(f"{self.name}: no image on {self.topic} can be decoded")

    def _decoded(self, reader: BagReader) -> Iterator[tuple[Any, int, Image, CameraModel | None]]:
        """Yield message, time of recording, image and the newest intrinsics of each image."""
        camera: CameraModel | None = None
        decoder: ImageDecoder[tuple[Any, int]] = ImageDecoder()
        infos = info_topic(self.topic)
        # As image_proc names them: image_rect, image_rect_color.
        rectified = "rect" in base_topic(self.topic).rpartition("/")[2]
        last_fault = ""
        for recorded in reader.messages({self.topic, infos} & reader.topics.keys()):
            try:
                message = reader.deserialize(recorded)
                if recorded.topic == infos:
                    camera = camera_model(message, rectified=rectified)
                    continue
                found = decoder.decode(message, (message, recorded.time))
            except (SourceError, ImageError, CameraModelError) as error:
                fault, last_fault = last_fault, getattr(error, "reason", "")
                if not fault == last_fault == KEY_FRAME:  # one line for all packets of a gap
                    self._log(str(error))
                continue
            last_fault = ""
            yield from ((*origin, image, camera) for origin, image in found)
        yield from ((*origin, image, camera) for origin, image in decoder.flush())


def _choose(reader: BagReader, topic: str) -> str:
    """Return the named image topic, else the raw one with most messages."""
    images = image_topics(reader, [topic] if topic else ())
    return max(
        images, key=lambda name: (reader.topics[name].kind == RAW, reader.topics[name].count)
    )
