"""Recordings of ROS as a source: rosbag2 (SQLite or MCAP, any distribution) and ROS 1 bags."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edan_ros.core.faces import CameraModel
from edan_ros.core.head_pose import CameraModelError
from edan_ros.core.images import Image, ImageError
from edan_ros.core.messages import camera_model, decode
from edan_ros.sources.base import Frame, OnSkip, SourceError, ignore_skipped

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader
    from rosbags.interfaces import Connection

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
BAG_ENDINGS = (".bag", ".db3", ".mcap")


def is_bag(path: Path) -> bool:
    """Whether a path is a bag: a file of that ending, or a folder that rosbag2 wrote."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or _storage_file(path) is not None
    return path.suffix.lower() in BAG_ENDINGS


def _storage_file(folder: Path) -> Path | None:
    """The one recording in a folder without metadata (its recorder was killed)."""
    files = [p for p in folder.iterdir() if p.suffix in (".db3", ".mcap")]
    return files[0] if len(files) == 1 else None


class BagSource:
    """The images of one topic of a bag, with the stamps of their headers.

    topic: of raw or compressed images; "" takes the one with most messages, raw ones first. The
    calibration recorded beside it (camera_info) comes with the frames. Images that cannot be
    decoded are left out.

    Raises SourceError when the bag cannot be read, or has no such topic.
    """

    live = False

    def __init__(self, path: Path, topic: str = "", on_skip: OnSkip = ignore_skipped) -> None:
        self.name = str(path)
        self._path = path
        if path.is_dir() and not (path / "metadata.yaml").is_file():
            self._path = _storage_file(path) or path
        self._on_skip = on_skip
        with _opened(self._path) as reader:
            self.topic = self._choose(reader.connections, topic)
            self.length = sum(c.msgcount for c in reader.connections if c.topic == self.topic)
            seconds = reader.duration * 1e-9
            self.rate = (self.length - 1) / seconds if seconds > 0 and self.length > 1 else 0.0

    def frames(self) -> Generator[Frame, None, None]:
        """The images in the order they were recorded. SourceError when none can be decoded."""
        begin: int | None = None
        camera: CameraModel | None = None
        info_topic = self.topic.removesuffix("/compressed").rpartition("/")[0] + "/camera_info"
        with _opened(self._path) as reader:
            wanted = [c for c in reader.connections if c.topic in (self.topic, info_topic)]
            for connection, recorded_ns, data in reader.messages(wanted):
                message: Any = reader.deserialize(data, connection.msgtype)
                if connection.msgtype == CAMERA_INFO:
                    camera = self._camera(message)
                    continue
                image = self._decode(message)
                if image is None:
                    continue
                header = message.header
                # Where the driver set no stamp, the time at which the recorder got the image.
                stamp = header.stamp.sec * 10**9 + header.stamp.nanosec or recorded_ns
                begin = stamp if begin is None else begin
                seconds = max(stamp - begin, 0) * 1e-9
                yield Frame(image, seconds, stamp, header.frame_id, camera)
        if begin is None:
            raise SourceError(f"{self.name}: not one image on {self.topic} can be decoded")

    def _decode(self, message: Any) -> Image | None:
        try:
            return decode(message)
        except ImageError as error:
            self._on_skip(str(error))
            return None

    def _camera(self, info: Any) -> CameraModel | None:
        try:
            return camera_model(info)
        except CameraModelError as error:
            self._on_skip(str(error))
            return None

    def _choose(self, connections: Sequence[Connection], topic: str) -> str:
        images = [c for c in connections if c.msgtype in (RAW, COMPRESSED)]
        if not images:
            raise SourceError(f"{self.name} holds no topic of images")
        if not topic:
            return max(images, key=lambda c: (c.msgtype == RAW, c.msgcount)).topic
        wanted = "/" + topic.removeprefix("/")
        names = sorted({c.topic for c in images})
        if wanted not in names:
            raise SourceError(f"{self.name} has no images on {wanted}, but on {', '.join(names)}")
        return wanted


@contextmanager
def _opened(path: Path) -> Iterator[AnyReader]:
    """The bag, open. What goes wrong while it is read becomes a SourceError."""
    try:
        from rosbags import rosbag1, rosbag2
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise SourceError("reading bags needs rosbags: pip install rosbags") from error
    try:
        # SQLite bags older than Iron hold no definitions; those of images have not changed since.
        with AnyReader([path], default_typestore=get_typestore(Stores.LATEST)) as reader:
            yield reader
    except (AnyReaderError, rosbag1.ReaderError, rosbag2.ReaderError, sqlite3.Error) as error:
        raise SourceError(f"{path} cannot be read as a bag: {error}") from error
