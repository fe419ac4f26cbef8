"""All messages of a recording in the order of time: whole, split, compressed, cut or damaged."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

import yaml
from rosbags import rosbag1, rosbag2
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection, ConnectionExtRosbag2, Qos
from rosbags.typesys import Stores, get_typestore

from edan_ros.sources.base import SourceError
from edan_ros.sources.pictures import natural_key
from edan_ros.sources.salvage import ZSTD_MAGIC, Salvage, decompress_file, zstd
from edan_ros.sources.salvage_mcap import McapSalvage
from edan_ros.sources.salvage_sqlite import SqliteSalvage

_SALVAGE: dict[str, type[Salvage]] = {".mcap": McapSalvage, ".db3": SqliteSalvage}


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


class _Opened(Protocol):
    """A reader of rosbags, or a Salvage."""

    @property
    def connections(self) -> list[Connection]: ...
    def close(self) -> None: ...
    def messages(
        self, connections: Collection[Connection], start: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]: ...


@dataclass
class _File:
    """One file of a recording. read: messages that were read from it, of all topics asked for."""

    path: Path
    reader: _Opened
    packed: bool = False
    salvaged: bool = False
    cut: bool = False
    last: int | None = None
    read: int = 0

    @property
    def damaged(self) -> bool:
        return self.salvaged or self.cut


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
        self._files: list[_File] = []
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def is_ros1(self) -> bool:
        """Whether it is a bag of ROS 1, whose messages are serialised in another way."""
        return self._ros1 is not None

    @property
    def storage(self) -> str:
        """ "mcap" or "sqlite3": how the first file is written."""
        return "mcap" if self._files[0].path.suffix == ".mcap" else "sqlite3"

    @property
    def compression(self) -> str:
        """ "file" or "message" as rosbag2 names it, "storage" for MCAP's own, or "none"."""
        first = self._files[0]
        if first.packed:
            return "file"
        if self._metadata.compression == "message":
            return "message"
        reader = first.reader
        if isinstance(reader, McapSalvage):
            return "storage" if reader.compressed else "none"
        chunks = getattr(getattr(reader, "storage", None), "chunks", ())
        return "storage" if any(chunk.compression for chunk in chunks) else "none"

    @property
    def times(self) -> tuple[int, int]:
        """Nanoseconds of the first and the last message; (0, 0) without any."""
        spans = [span for file in self._files if (span := _span(file.reader)) is not None]
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
            file.read, file.last = 0, None
            for connection, time, data in self._of_file(file, names, start):
                file.read += 1
                if data.startswith(ZSTD_MAGIC):
                    try:
                        data = zstd.decompress(data)
                    except zstd.ZstdError:
                        file.cut = True
                        continue
                yield Message(connection.topic, time, bytes(data))

    @property
    def damage(self) -> list[str]:
        """What could not be read, a line for each file; complete when all messages were taken."""
        lines = [self._metadata.fault] if self._metadata.fault else []
        lines += [f"{name} is missing" for name in self._missing]
        expected = self._metadata.expected if len(self._files) == 1 else None
        for file in self._files:
            if file.damaged:
                counts = sum(connection.msgcount for connection in file.reader.connections)
                lines.append(_damage_line(file, counts, expected))
        return lines

    def _open(self) -> None:
        if self.path.is_dir():
            self._metadata = _read_metadata(self.path)
            named = [self.path / Path(name).name for name in self._metadata.files]
            self._missing = [path.name for path in named if not path.is_file()]
            paths = [path for path in named if path.is_file()] or _storage_files(self.path)
        else:
            paths = [self.path]
        for path in paths:
            self._files.append(self._open_file(path))
        if not any(file.reader.connections for file in self._files):
            raise SourceError(
                f"{self.path} cannot be read as a bag: not one topic is found in "
                f"{', '.join(p.name for p in paths) or 'it, nor a .mcap or .db3 file'}"
            )
        for file in self._files:
            for connection in file.reader.connections:
                self._add(connection)

    def _open_ros1(self) -> None:
        try:
            reader = self._stack.enter_context(AnyReader([self.path]))
        except (AnyReaderError, rosbag1.ReaderError, OSError) as error:
            raise SourceError(f"{self.path} cannot be read as a bag: {error}") from error
        self._ros1 = reader
        self._files = [_File(self.path, reader)]  # type: ignore[arg-type]
        for connection in reader.connections:
            self._add(connection)

    def _open_file(self, path: Path) -> _File:
        plain, whole, packed = path, True, path.suffix == ".zstd"
        if packed:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="edan_bag_"))
            plain = Path(folder) / path.stem
            whole = decompress_file(path, plain)
        reader: _Opened
        try:
            reader = rosbag2.Reader(plain)
            reader.open()
        except Exception:  # rosbags does not check what it reads: damage raises all kinds
            return _File(plain, self._salvage(path, plain), packed, salvaged=True)
        self._stack.callback(reader.close)
        return _File(plain, reader, packed, cut=not whole)

    def _salvage(self, path: Path, plain: Path) -> Salvage:
        try:
            salvage = _SALVAGE[plain.suffix](plain)
        except (OSError, KeyError) as error:
            raise SourceError(f"{path} cannot be read as a bag: {error}") from error
        self._stack.callback(salvage.close)
        return salvage

    def _of_file(
        self, file: _File, names: set[str], start: int | None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Reads a file; where it turns out to be damaged on the way, salvages the rest."""
        at_last: list[tuple[str, bytes]] = []  # what was read with the time file.last
        wanted = _wanted(file.reader, names)
        if not wanted:  # for none at all rosbags would give everything
            return
        try:
            for entry in file.reader.messages(wanted, start=start):
                if entry[1] != file.last:
                    file.last, at_last = entry[1], []
                at_last.append((entry[0].topic, bytes(entry[2])))
                yield entry
            return
        except Exception:  # as in _open_file
            if file.salvaged or self.is_ros1:
                file.cut = True
                return
        salvage = self._salvage(file.path, file.path)
        file.reader, file.salvaged = salvage, True
        begin = start if file.last is None else file.last
        for entry in salvage.messages(_wanted(salvage, names), start=begin):
            if entry[1] != file.last or (entry[0].topic, entry[2]) not in at_last:
                yield entry

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


def _wanted(reader: _Opened, names: set[str]) -> list[Connection]:
    return [connection for connection in reader.connections if connection.topic in names]


def _plain_suffix(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix == ".zstd" else path.suffix


def _storage_files(folder: Path) -> list[Path]:
    """The recorded files of a folder, in their order."""
    found = (path for path in folder.iterdir() if _plain_suffix(path) in _SALVAGE)
    return sorted(found, key=natural_key)


def _span(reader: _Opened) -> tuple[int, int] | None:
    if isinstance(reader, Salvage):
        return reader.times
    assert isinstance(reader, (rosbag2.Reader, AnyReader))
    return (reader.start_time, reader.end_time - 1) if reader.message_count else None


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


def _damage_line(file: _File, counted: int, expected: int | None) -> str:
    name = file.path.name
    if not file.salvaged:
        return f"{name} is damaged: {file.read} messages were read"
    if expected is not None:
        share = f"{min(counted, expected)} of its {expected} messages can be read"
    else:
        share = f"{counted} messages can be read; how many are lost is not known"
    span = _span(file.reader)
    seconds = f", over {(span[1] - span[0]) * 1e-9:.1f} s" if span else ""
    return f"{name} is cut or damaged: {share}{seconds}"
