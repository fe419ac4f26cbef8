"""Read all messages of a recording in order: whole, split, compressed, cut or damaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rosbags import rosbag1
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection, ConnectionExtRosbag2, Qos
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from edan_ros.core.wording import plural
from edan_ros.sources.bag_file import BagFile, is_storage, open_file
from edan_ros.sources.base import SourceError
from edan_ros.sources.image_files import natural_key
from edan_ros.sources.video_packets import VIDEO_DEFINITIONS

#: Nanoseconds by which a message may lie outside the time in metadata.yaml.
_TOLERANCE = 1_000_000


class Message(NamedTuple):
    """topic: its name. time: when it was recorded, ns. data: serialised as on the wire."""

    topic: str
    time: int
    data: bytes


@dataclass(frozen=True)
class Topic:
    """A topic of a bag.

    kind: "sensor_msgs/msg/Image" and so on. count: messages that can be read, as far as that is
    known before they are. definition: text of the message's definition, "" where the bag has none
    (SQLite before Iron). digest: hash of the type, or "".
    """

    name: str
    kind: str
    count: int
    definition: str = ""
    digest: str = ""
    encoding: str = "cdr"
    qos: tuple[Qos, ...] = ()


@dataclass(frozen=True)
class _Metadata:
    """The content of metadata.yaml.

    counts: topic -> messages, None where it has no such list. span: times of the first and the
    last message in nanoseconds.
    """

    files: list[str] = field(default_factory=list)
    counts: dict[str, int] | None = None
    span: tuple[int, int] | None = None
    compression: str = ""
    fault: str = ""


class BagReader:
    """A context manager that reads a bag: rosbag2 of any distribution, or ROS 1.

    Of a damaged file, or one whose recorder was killed, it gives what can be read; ``damage``
    then lists what could not. No file of the bag is changed.

    Args:
        path: the folder, or one file (.mcap, .db3, either with .zstd after it, .bag).

    Raises SourceError where nothing at all can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[str, Topic] = {}
        self._stack = ExitStack()
        self._files: list[BagFile] = []
        self._metadata = _Metadata()
        self._missing: list[str] = []
        self._typestore = get_typestore(Stores.LATEST)
        for kind, text in VIDEO_DEFINITIONS.items():
            self._typestore.register(get_types_from_msg(text, kind))
        self._ros1: AnyReader | None = None
        self._requested: frozenset[str] | None = None  # topics of the last finished call

    def __enter__(self) -> BagReader:
        try:
            if self.path.suffix == ".bag":
                self._open_ros1()
            else:
                self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def is_ros1(self) -> bool:
        """Whether it is a bag of ROS 1, whose messages are serialised differently."""
        return self._ros1 is not None

    @property
    def storage(self) -> str:
        """ "mcap" or "sqlite3": the format of the first file."""
        return self._files[0].storage

    @property
    def compression(self) -> str:
        """ "file" or "message" as rosbag2 names it, "storage" for MCAP's own, or "none"."""
        if self._files[0].packed:
            return "file"
        if self._metadata.compression == "message":
            return "message"
        return "storage" if self._files[0].has_compressed_chunks else "none"

    @property
    def times(self) -> tuple[int, int]:
        """Nanoseconds of the first and the last message; (0, 0) without any."""
        spans = [span for file in self._files if (span := file.times) is not None]
        if not spans:
            return 0, 0
        return min(begin for begin, _ in spans), max(end for _, end in spans)

    def deserialize(self, message: Message) -> Any:
        """Return the message as an object. Raises SourceError where its data is no such message."""
        kind = self.topics[message.topic].kind
        try:
            if self._ros1 is not None:
                return self._ros1.deserialize(message.data, kind)
            return self._typestore.deserialize_cdr(message.data, kind)
        except Exception as error:  # rosbags does not check lengths before it uses them
            raise SourceError(f"a message of {message.topic} is damaged: {error}") from error

    def serialize(self, message: Any, topic: str) -> bytes:
        """Return the data of an object as ``deserialize`` returns it, for a ROS 2 bag."""
        return bytes(self._typestore.serialize_cdr(message, self.topics[topic].kind))

    def messages(
        self, topics: Collection[str] | None = None, start: int | None = None
    ) -> Iterator[Message]:
        """Yield the messages of some topics, of all for None, recorded at ``start`` (ns) or later.

        They come in the order of recording.
        """
        names = frozenset(self.topics if topics is None else topics)
        self._requested = None
        for file in self._files:
            for connection, time, data in file.messages(names, start):
                yield Message(connection.topic, time, data)
        self._requested = names if start is None else None

    @property
    def damage(self) -> list[str]:
        """What could not be read, a sentence a fault; complete after all messages were taken."""
        promised = self._metadata.counts
        alone = promised if len(self._files) == 1 else None
        lines = [self._metadata.fault, *(f"{name} is missing" for name in self._missing)]
        reported = [line for file in self._files for line in file.damage(alone)]
        if promised is not None and self._requested is not None and not (alone and reported):
            lines += self._broken_promises(promised, self._requested)
        return [line for line in [*lines, *reported] if line]

    def _broken_promises(self, promised: Mapping[str, int], topics: Collection[str]) -> list[str]:
        """Compare what was read of all files with metadata.yaml, a line a topic."""
        read = sum((file.read for file in self._files), Counter[str]())
        lines = []
        if self._metadata.span is not None:
            begin, end = self._metadata.span
            outside = sum(
                file.count_outside(begin - _TOLERANCE, end + _TOLERANCE) for file in self._files
            )
            what = plural(outside, "message has", "messages have")
            lines += [f"{what} a time outside that of the bag"] if outside else []
        return lines + [
            f"{read[topic]} of the {promised[topic]} messages that metadata.yaml promises on "
            f"{topic} were read"
            for topic in sorted(promised)
            if (topic in topics or topic not in self.topics) and read[topic] != promised[topic]
        ]

    def _open(self) -> None:
        if self.path.is_dir():
            self._metadata = _read_metadata(self.path)
            named = [self.path / Path(name).name for name in self._metadata.files]
            self._missing = [path.name for path in named if not path.is_file()]
            paths = [path for path in named if path.is_file()] or _storage_files(self.path)
        else:
            paths = [self.path]
        for path in paths:
            self._files.append(open_file(path, self._stack))
        if not any(file.connections for file in self._files):
            raise SourceError(
                f"{self.path} cannot be read as a bag: not one topic is found in "
                f"{', '.join(p.name for p in paths) or 'it, nor a .mcap or .db3 file'}"
            )
        for file in self._files:
            for connection in file.connections:
                self._add(connection)

    def _open_ros1(self) -> None:
        try:
            reader = self._stack.enter_context(AnyReader([self.path]))
        except (AnyReaderError, rosbag1.ReaderError, OSError) as error:
            raise SourceError(f"{self.path} cannot be read as a bag: {error}") from error
        self._ros1 = reader
        self._files = [BagFile(self.path, reader, self._stack)]
        for connection in reader.connections:
            self._add(connection)

    def _add(self, connection: Connection) -> None:
        known = self.topics.get(connection.topic)
        if known is not None:
            count = known.count + connection.msgcount
            self.topics[known.name] = replace(known, count=count)
            return
        extension = connection.ext
        encoding = "ros1"
        qos: tuple[Qos, ...] = ()
        if isinstance(extension, ConnectionExtRosbag2):
            encoding, qos = extension.serialization_format, (*extension.offered_qos_profiles,)
        self.topics[connection.topic] = Topic(
            connection.topic,
            connection.msgtype,
            connection.msgcount,
            connection.msgdef.data,
            connection.digest,
            encoding,
            qos,
        )


def _storage_files(folder: Path) -> list[Path]:
    """Return the recorded files of a folder, in their order."""
    return sorted(filter(is_storage, folder.iterdir()), key=natural_key)


def _read_metadata(folder: Path) -> _Metadata:
    """Return the content of metadata.yaml; without it, because the recorder was killed, nothing."""
    path = folder / "metadata.yaml"
    if not path.is_file():
        return _Metadata()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
        files = [str(name) for name in content["relative_file_paths"]]
        compression = str(content.get("compression_mode", "")).lower()
        counts = {
            str(topic["topic_metadata"]["name"]): int(topic["message_count"])
            for topic in content["topics_with_message_count"]
        }
        begin = int(content["starting_time"]["nanoseconds_since_epoch"])
        span = begin, begin + int(content["duration"]["nanoseconds"])
        return _Metadata(files, counts, span, compression)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return _Metadata(fault=f"{path.name} is damaged: the files beside it are read without it")
