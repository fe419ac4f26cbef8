"""Read one file of a recording by its index, what is left where it is damaged, and what is lost."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rosbags import rosbag2
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection

from edan_ros.core.wording import plural
from edan_ros.sources.base import SourceError
from edan_ros.sources.mcap_summary import (
    DamagedSummaryError,
    McapSummary,
    SummaryError,
    read_summary,
)
from edan_ros.sources.salvage import (
    ZSTD_MAGIC,
    Salvage,
    ZstdError,
    decompress_file,
    zstd_decompress,
)
from edan_ros.sources.salvage_mcap import McapSalvage
from edan_ros.sources.salvage_sqlite import SqliteSalvage
from edan_ros.sources.sqlite_wal import has_hot_journal, wal_path

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

    Attributes:
        path: the file itself, decompressed.
        reader: what reads it.
        packed: the whole file was compressed.
        indexed: it is read by its index; else by a scan of all of it.
        broken: its index or something else in it could not be read.
        summary: what an MCAP file promises to hold.
    """

    path: Path
    reader: _Opened
    stack: ExitStack
    packed: bool = False
    indexed: bool = True
    broken: bool = False
    summary: McapSummary = field(default_factory=McapSummary)
    #: Of the last call of messages(): topics and begin requested, and whether it was exhausted.
    _requested: tuple[Collection[str], int | None] = ((), None)
    _complete: bool = False
    #: Topic -> times of the messages that were read.
    _read: dict[str, array[int]] = field(default_factory=dict)
    #: Topic -> times in the table of an SQLite file, once they were needed.
    _table: dict[str, NDArray[np.uint64]] | None = None

    @property
    def connections(self) -> list[Connection]:
        """The topics, as rosbags has them, with what is known of their messages' number."""
        return self.reader.connections

    @property
    def storage(self) -> str:
        """ "mcap" or "sqlite3": the format of the file."""
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
        if self.summary.times:  # the times in the statistics record may be damaged
            ends = [(int(t[0]), int(t[-1])) for t in self.summary.times.values() if len(t)]
            return min(begin for begin, _ in ends), max(end for _, end in ends)
        assert isinstance(reader, (rosbag2.Reader, AnyReader))
        return (reader.start_time, reader.end_time - 1) if reader.message_count else None

    @property
    def read(self) -> Counter[str]:
        """Topic -> messages that the last call of messages() has given."""
        return Counter({topic: len(times) for topic, times in self._read.items()})

    def count_outside(self, begin: int, end: int) -> int:
        """Return how many messages of the last call have a time before begin or after end (ns)."""
        times = [np.array(times, np.int64) for times in self._read.values()]
        return sum(int(np.count_nonzero((t < begin) | (t > end))) for t in times)

    def messages(self, topics: Collection[str], start: int | None) -> Iterator[Entry]:
        """Yield the messages of some topics, recorded at ``start`` (ns) or later, decompressed."""
        self._requested, self._complete = (topics, start), False
        self._read = {topic: array("q") for topic in topics}
        for connection, time, data in self._stored(topics, start):
            if data.startswith(ZSTD_MAGIC):
                try:
                    data = zstd_decompress(data)
                except ZstdError:
                    self.broken = True
                    continue
            self._read[connection.topic].append(time)
            yield connection, time, bytes(data)
        self._complete = True

    def damage(self, promised: Mapping[str, int] | None) -> list[str]:
        """Return what could not be read, a sentence a fault; complete after all messages.

        promised: topic -> messages that it holds according to metadata.yaml, where that is known.
        """
        name = self.path.name
        faults = list(self.reader.faults) if isinstance(self.reader, Salvage) else []
        if not self.indexed and self.broken:
            return [*faults, f"{name} is cut or damaged: {self._what_was_read(promised)}"]
        missing = self._missing()  # which may find more that is broken
        if self.broken and not missing:
            what = plural(self.read.total(), "message was", "messages were")
            faults.append(f"{name} is damaged: {what} read")
        return [*faults, *(f"{name} is damaged: {line}" for line in missing)]

    def _what_was_read(self, promised: Mapping[str, int] | None) -> str:
        topics, start = self._requested
        read = self.read.total() if topics else sum(c.msgcount for c in self.connections)
        promised = self.summary.counts or promised
        if promised is not None and start is None:
            expected = sum(promised.get(topic, 0) for topic in topics or promised)
            share = f"{min(read, expected)} of its {expected} messages can be read"
        else:
            share = f"{plural(read, 'message')} can be read; how many are lost is not known"
        span = self.times
        return share + (f", over {(span[1] - span[0]) * 1e-9:.1f} s" if span else "")

    def _missing(self) -> list[str]:
        """Compare what was read with what statistics and index promise, a line a topic."""
        if not self._complete:
            return []
        lines = []
        orphans = self._count_orphans()
        if orphans:
            what = plural(orphans, "message in its index has", "messages in its index have")
            lines.append(f"{what} no topic or cannot be read")
        for topic in sorted(self._requested[0]):
            read = np.sort(np.array(self._read[topic], np.int64))
            found = self._index_fault(topic, read) or self._count_fault(topic, len(read))
            lines += [f"{found} on {topic}"] if found else []
        return lines

    def _count_orphans(self) -> int:
        """Return the messages of an SQLite file that are in its index and on no topic."""
        if self.storage != "sqlite3" or not isinstance(self.reader, rosbag2.Reader):
            return 0
        return self.reader.message_count - sum(c.msgcount for c in self.connections)

    def _index_fault(self, topic: str, read: NDArray[np.int64]) -> str:
        """Compare the times of a topic with those in the message indexes of an MCAP file.

        SQLite gives times by its index, so those of an SQLite file are compared with its table.
        """
        start = self._requested[1]
        times = self.summary.times
        if self.storage == "sqlite3" and isinstance(self.reader, rosbag2.Reader):
            times = self._times_in_table()
        if times is None:
            return ""
        indexed = times.get(topic, np.zeros(0, np.uint64)).astype(np.int64)
        if start is not None:
            indexed = indexed[indexed >= start]
        if np.array_equal(indexed, read):
            return ""
        if len(read) != len(indexed):
            return f"{len(read)} of the {len(indexed)} messages in its index were read"
        changed = len(read) - sum((Counter(read.tolist()) & Counter(indexed.tolist())).values())
        what = plural(changed, "message has", "messages have")
        return f"{what} another time than in its index"

    def _times_in_table(self) -> dict[str, NDArray[np.uint64]] | None:
        """Return topic -> sorted times in ns in the table of an SQLite file, None if damaged."""
        if self._table is not None:
            return self._table
        found: dict[str, list[int]] = defaultdict(list)
        uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
        query = "SELECT name, timestamp FROM messages NOT INDEXED JOIN topics ON topics.id=topic_id"
        try:
            with closing(sqlite3.connect(uri, uri=True)) as base:
                for topic, time in base.execute(query):
                    found[topic].append(time)
            self._table = {t: np.sort(np.array(v, np.uint64)) for t, v in found.items()}
        except (sqlite3.Error, OverflowError, TypeError, ValueError):
            self.broken = True
        return self._table

    def _count_fault(self, topic: str, read: int) -> str:
        """Compare the number of messages of a topic with the statistics, which count all."""
        if self._requested[1] is not None:
            return ""
        promised: dict[str, int] = defaultdict(int)
        if self.summary.counts is not None:
            promised |= self.summary.counts
        else:
            for connection in self.connections:
                promised[connection.topic] += connection.msgcount or 0
        if promised.get(topic, 0) == read:
            return ""
        return f"{read} of the {promised.get(topic, 0)} messages in its statistics were read"

    def _stored(self, topics: Collection[str], start: int | None) -> Iterator[Entry]:
        """Yield as stored; where damage is found on the way, scan the rest of the file."""
        last: int | None = None
        at_last: list[tuple[str, bytes]] = []  # what was read with the time `last`
        wanted = self._of(topics)
        if not wanted:  # without any connection rosbags would yield everything
            return
        try:
            for entry in self.reader.messages(wanted, start=start):
                # The kind of a value in SQLite is part of its row, and may be damaged.
                if not isinstance(entry[1], int) or isinstance(entry[2], (int, float, str)):
                    raise TypeError("a time or a message has another kind")
                if entry[1] != last:
                    last, at_last = entry[1], []
                at_last.append((entry[0].topic, bytes(entry[2])))
                yield entry
            return
        except Exception:  # as in open_file
            self.broken = True
            if not self.indexed or isinstance(self.reader, AnyReader):
                return
        self.reader, self.indexed = _salvage(self.path, self.path, self.stack), False
        begin = start if last is None else last
        for entry in self.reader.messages(self._of(topics), start=begin):
            if entry[1] != last or (entry[0].topic, entry[2]) not in at_last:
                yield entry

    def _of(self, topics: Collection[str]) -> list[Connection]:
        return [connection for connection in self.connections if connection.topic in topics]


def is_storage(path: Path) -> bool:
    """Return whether a name is that of a file in which rosbag2 keeps messages."""
    return _plain(path).suffix in _SALVAGE


def open_file(path: Path, stack: ExitStack) -> BagFile:
    """Open a file of rosbag2 for as long as ``stack`` is open. Raises SourceError."""
    plain, whole, packed = path, True, path.suffix == ".zstd"
    if packed:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edan_bag_"))
        plain = Path(folder) / _plain(path).name
        whole = decompress_file(path, plain)
    summary = _summary(plain)
    if plain.suffix == ".db3" and not packed and (wal_path(plain) or has_hot_journal(plain)):
        # The recorder was killed or still runs: its newest messages are in the log, not the file.
        return BagFile(plain, _salvage(path, plain, stack), stack, indexed=False)
    try:
        if summary.damaged:
            raise ValueError("the summary is damaged")
        reader = rosbag2.Reader(_openable(plain, stack))
        reader.open()
        stack.callback(reader.close)
        names = [name for c in reader.connections for name in (c.topic, c.msgtype)]
        if not all(isinstance(name, str) and name.isprintable() for name in names):
            raise ValueError("the name of a topic is damaged")
    except Exception:  # rosbags does not check what it reads: damage raises all kinds
        salvage = _salvage(path, plain, stack)
        return BagFile(plain, salvage, stack, packed, False, broken=True, summary=summary)
    if reader.message_count and summary.is_without_index:
        # rosbags finds no message in chunks without an index, although nothing is damaged.
        return BagFile(plain, _salvage(path, plain, stack), stack, packed, False, summary=summary)
    return BagFile(plain, reader, stack, packed, broken=not whole, summary=summary)


def _openable(path: Path, stack: ExitStack) -> Path:
    """Return a name of a file that SQLite accepts: rosbags makes a URI of it without quoting."""
    name = os.fspath(path)
    if path.suffix != ".db3" or (name.isascii() and not set(name) & set("%?#")):
        return path
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edan_bag_"))
    link = Path(folder) / "bag.db3"
    link.symlink_to(path.resolve())
    return link


def _summary(path: Path) -> McapSummary:
    if path.suffix != ".mcap":
        return McapSummary()
    try:
        return read_summary(path)
    except DamagedSummaryError:
        return McapSummary(damaged=True)
    except (OSError, SummaryError):
        return McapSummary()


def _salvage(path: Path, plain: Path, stack: ExitStack) -> Salvage:
    """Return a reader that needs no index. path: for messages. plain: the decompressed file."""
    try:
        salvage = _SALVAGE[plain.suffix](plain)
    except (OSError, KeyError) as error:
        raise SourceError(f"{path} cannot be read as a bag: {error}") from error
    stack.callback(salvage.close)
    return salvage


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix == ".zstd" else path
