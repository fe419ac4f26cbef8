"""All messages of a recording in the order of time: whole, split, compressed, cut or damaged."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rosbags import rosbag1
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection, ConnectionExtRosbag2, Qos
from rosbags.typesys import Stores, get_typestore

from edan_ros.sources.bag_file import BagFile, is_storage, open_file
from edan_ros.sources.base import SourceError
from edan_ros.sources.pictures import natural_key


class Message(NamedTuple):
    """topic: its name. time: when it was recorded, ns. data: serialised as on the wire."""

    topic: str
    time: int
    data: bytes


@dataclass(frozen=True)
class Topic:
    """What a bag says of a topic.

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
    """What metadata.yaml says. expected: messages of all topics, None where it does not say."""

    files: list[str] = field(default_factory=list)
    expected: int | None = None
    compression: str = ""
    fault: str = ""


class BagReader:
    """A context manager that reads a bag: rosbag2 of any distribution, or ROS 1.

    path: the folder, or one file (.mcap, .db3, either with .zstd after it, .bag). A damaged file of
    rosbag2 gives what can be read of it; ``damage`` says afterwards what could not.

    Raises SourceError when nothing at all can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[str, Topic] = {}
        self._stack = ExitStack()
        self._files: list[BagFile] = []
        self._metadata = _Metadata()
        self._missing: list[str] = []
        self._typestore = get_typestore(Stores.LATEST)
        self._ros1: AnyReader | None = None

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
        """Whether it is a bag of ROS 1, whose messages are serialised in another way."""
        return self._ros1 is not None

    @property
    def storage(self) -> str:
        """ "mcap" or "sqlite3": how the first file is written."""
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
        """The message as an object. Raises SourceError when its data is no such message."""
        kind = self.topics[message.topic].kind
        try:
            if self._ros1 is not None:
                return self._ros1.deserialize(message.data, kind)
            return self._typestore.deserialize_cdr(message.data, kind)
        except Exception as error:  # rosbags does not check lengths before it uses them
            raise SourceError(f"a message of {message.topic} is damaged: {error}") from error

    def messages(
        self, topics: Collection[str] | None = None, start: int | None = None
    ) -> Iterator[Message]:
        """The messages of some topics, of all for None, recorded at ``start`` (ns) or later."""
        names = set(self.topics if topics is None else topics)
        for file in self._files:
            for connection, time, data in file.messages(names, start):
                yield Message(connection.topic, time, data)

    @property
    def damage(self) -> list[str]:
        """What could not be read, a line for each file; complete when all messages were taken."""
        expected = self._metadata.expected if len(self._files) == 1 else None
        lines = [self._metadata.fault, *(f"{name} is missing" for name in self._missing)]
        lines += [file.damage(expected) for file in self._files]
        return [line for line in lines if line]

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
        self._files = [BagFile(self.path, reader, self._stack)]  # type: ignore[arg-type]
        for connection in reader.connections:
            self._add(connection)

    def _add(self, connection: Connection) -> None:
        known = self.topics.get(connection.topic)
        if known is not None:
            count = known.count + connection.msgcount
            self.topics[known.name] = replace(known, count=count)
            return
        extension = connection.ext
        encoding, qos = "ros1", ()
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
    """The recorded files of a folder, in their order."""
    return sorted(filter(is_storage, folder.iterdir()), key=natural_key)


def _read_metadata(folder: Path) -> _Metadata:
    """What metadata.yaml says; without it, because the recorder was killed, nothing."""
    path = folder / "metadata.yaml"
    if not path.is_file():
        return _Metadata()
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
        files = [str(name) for name in told["relative_file_paths"]]
        compression = str(told.get("compression_mode", "")).lower()
        return _Metadata(files, int(told["message_count"]), compression)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return _Metadata(fault=f"{path.name} is damaged: the files beside it are read without it")
