"""One file of a recording: read by its index, and what is left of it where it is damaged."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rosbags import rosbag2
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection

from edan_ros.sources.base import SourceError
from edan_ros.sources.salvage import ZSTD_MAGIC, Salvage, decompress_file, zstd
from edan_ros.sources.salvage_mcap import McapSalvage
from edan_ros.sources.salvage_sqlite import SqliteSalvage

_SALVAGE: dict[str, type[Salvage]] = {".mcap": McapSalvage, ".db3": SqliteSalvage}

#: Connection, time in ns, and serialised data of a message.
Entry = tuple[Connection, int, bytes]


class _Opened(Protocol):
    """A reader of rosbags, or a Salvage."""

    @property
    def connections(self) -> list[Connection]: ...
    def close(self) -> None: ...
    def messages(
        self, connections: Collection[Connection], start: int | None = None
    ) -> Iterator[Entry]: ...


@dataclass
class BagFile:
    """An opened file.

    path: of the file itself, unpacked. reader: what reads it. packed: the whole file was
    compressed. salvaged: its index is not used. cut: something in it could not be read. read:
    messages that were read from it, of all topics asked for. last: time of the last one.
    """

    path: Path
    reader: _Opened
    stack: ExitStack
    packed: bool = False
    salvaged: bool = False
    cut: bool = False
    last: int | None = None
    read: int = 0

    @property
    def connections(self) -> list[Connection]:
        """The topics, as rosbags has them, with what is known of their messages' number."""
        return self.reader.connections

    @property
    def storage(self) -> str:
        """ "mcap" or "sqlite3": how the file is written."""
        return "mcap" if self.path.suffix == ".mcap" else "sqlite3"

    @property
    def has_compressed_chunks(self) -> bool:
        """Whether it is an MCAP that compresses by itself."""
        if isinstance(self.reader, McapSalvage):
            return self.reader.compressed
        chunks = getattr(getattr(self.reader, "storage", None), "chunks", ())
        return any(chunk.compression for chunk in chunks)

    @property
    def times(self) -> tuple[int, int] | None:
        """Nanoseconds of the first and the last message; None without any."""
        reader = self.reader
        if isinstance(reader, Salvage):
            return reader.times
        assert isinstance(reader, (rosbag2.Reader, AnyReader))
        return (reader.start_time, reader.end_time - 1) if reader.message_count else None

    def messages(self, names: Collection[str], start: int | None) -> Iterator[Entry]:
        """The messages of some topics, recorded at ``start`` (ns) or later, decompressed."""
        self.read, self.last = 0, None
        for connection, time, data in self._stored(names, start):
            self.read += 1
            if data.startswith(ZSTD_MAGIC):
                try:
                    data = zstd.decompress(data)
                except zstd.ZstdError:
                    self.cut = True
                    continue
            yield connection, time, bytes(data)

    def damage(self, expected: int | None) -> str:
        """What could not be read, "" where all could; complete when all messages were taken.

        expected: messages that it should hold, where that is known.
        """
        name = self.path.name
        if not self.salvaged:
            return f"{name} is damaged: {self.read} messages were read" if self.cut else ""
        counted = sum(connection.msgcount for connection in self.connections)
        if expected is not None:
            share = f"{min(counted, expected)} of its {expected} messages can be read"
        else:
            share = f"{counted} messages can be read; how many are lost is not known"
        span = self.times
        seconds = f", over {(span[1] - span[0]) * 1e-9:.1f} s" if span else ""
        return f"{name} is cut or damaged: {share}{seconds}"

    def _stored(self, names: Collection[str], start: int | None) -> Iterator[Entry]:
        """As they are stored; where the file turns out to be damaged on the way, from its rest."""
        at_last: list[tuple[str, bytes]] = []  # what was read with the time self.last
        wanted = self._of(names)
        if not wanted:  # for none at all rosbags would give everything
            return
        try:
            for entry in self.reader.messages(wanted, start=start):
                if entry[1] != self.last:
                    self.last, at_last = entry[1], []
                at_last.append((entry[0].topic, bytes(entry[2])))
                yield entry
            return
        except Exception:  # as in open_file
            if self.salvaged or isinstance(self.reader, AnyReader):
                self.cut = True
                return
        self.reader, self.salvaged = _salvage(self.path, self.path, self.stack), True
        begin = start if self.last is None else self.last
        for entry in self.reader.messages(self._of(names), start=begin):
            if entry[1] != self.last or (entry[0].topic, entry[2]) not in at_last:
                yield entry

    def _of(self, names: Collection[str]) -> list[Connection]:
        return [connection for connection in self.connections if connection.topic in names]


def is_storage(path: Path) -> bool:
    """Whether a name is that of a file in which rosbag2 keeps messages."""
    return _plain(path).suffix in _SALVAGE


def open_file(path: Path, stack: ExitStack) -> BagFile:
    """A file of rosbag2, for as long as ``stack`` is open. Raises SourceError where it is none."""
    plain, whole, packed = path, True, path.suffix == ".zstd"
    if packed:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edan_bag_"))
        plain = Path(folder) / _plain(path).name
        whole = decompress_file(path, plain)
    try:
        reader = rosbag2.Reader(plain)
        reader.open()
    except Exception:  # rosbags does not check what it reads: damage raises all kinds
        return BagFile(plain, _salvage(path, plain, stack), stack, packed, salvaged=True)
    stack.callback(reader.close)
    return BagFile(plain, reader, stack, packed, cut=not whole)


def _salvage(path: Path, plain: Path, stack: ExitStack) -> Salvage:
    """path: as the user knows it. plain: unpacked."""
    try:
        salvage = _SALVAGE[plain.suffix](plain)
    except (OSError, KeyError) as error:
        raise SourceError(f"{path} cannot be read as a bag: {error}") from error
    stack.callback(salvage.close)
    return salvage


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix == ".zstd" else path
