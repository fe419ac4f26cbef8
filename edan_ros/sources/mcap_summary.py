"""Counts and times of the messages of an MCAP file by its statistics and message indexes.

https://mcap.dev/spec. A reader that trusts the index silently skips what a damaged record hides;
comparing the messages read with these counts reveals what is missing.
"""

from __future__ import annotations

import os
import struct
from binascii import crc32
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX = 2, 3, 4, 5, 6, 7, 8
STATISTICS, LAST_OPCODE = 0x0B, 0x0F
#: Opcode and length of a record.
HEAD = struct.Struct("<BQ")
#: Channel, sequence number, log time and publish time of a message.
MESSAGE_HEAD = struct.Struct("<HIQQ")
_FOOTER_SIZE = 20
_CHUNK_INDEX = struct.Struct("<QQQQI")
_STATISTICS = struct.Struct("<QHIIIIQQI")
_INDEX_ENTRY = np.dtype([("time", "<u8"), ("offset", "<u8")])


class SummaryError(ValueError):
    """An MCAP file has no summary."""


class DamagedSummaryError(SummaryError):
    """The summary of an MCAP file cannot be trusted."""


@dataclass
class McapSummary:
    """Messages that a file should hold.

    Attributes:
        counts: topic -> messages by the statistics record, None where there is none.
        times: topic -> log times in nanoseconds by the message indexes, sorted; None where the
            file has no message index.
        chunks: number of chunks.
        damaged: whether the summary cannot be trusted.
    """

    counts: dict[str, int] | None = None
    times: dict[str, NDArray[np.uint64]] | None = None
    chunks: int = 0
    damaged: bool = False

    @property
    def is_without_index(self) -> bool:
        """Whether there are chunks, and no message index of any of them."""
        return self.chunks > 0 and self.times is None


@dataclass
class _Records:
    """The records of a summary section that matter here."""

    topics: dict[int, str] = field(default_factory=dict)
    counts: dict[int, int] | None = None
    #: Where the message indexes of each chunk begin, and their size in bytes.
    indexes: list[tuple[int, int]] = field(default_factory=list)


def read_summary(path: Path) -> McapSummary:
    """Read the summary of a file. Raises SummaryError, OSError."""
    with path.open("rb") as file:
        records = _read_records(file, path.stat().st_size)
        summary = McapSummary(chunks=len(records.indexes))
        if records.counts is not None:
            summary.counts = defaultdict(int)
            for channel, count in records.counts.items():
                summary.counts[records.topics.get(channel, "")] += count
        if records.indexes and any(size for _, size in records.indexes):
            summary.times = _read_indexes(file, records)
    return summary


def _read_records(file: BinaryIO, size: int) -> _Records:
    end = size - len(MAGIC) - _FOOTER_SIZE - HEAD.size
    footer = _read(file, end, HEAD.size + _FOOTER_SIZE + len(MAGIC)) if end > 0 else b""
    if not footer.endswith(MAGIC) or HEAD.unpack_from(footer) != (FOOTER, _FOOTER_SIZE):
        raise SummaryError("it has no footer")
    start, _, crc = struct.unpack_from("<QQI", footer, HEAD.size)
    if not 0 < start <= end:
        raise SummaryError("it has no summary")
    section = _read(file, start, end - start)
    # The checksum includes the footer up to itself.
    if crc and crc32(section + footer[: HEAD.size + _FOOTER_SIZE - 4]) != crc:
        raise DamagedSummaryError("the checksum of its summary is wrong")
    records = _Records()
    try:
        for op, _, body in iterate_records(section):
            if op == CHANNEL:
                channel, _, length = struct.unpack_from("<HHI", body)
                records.topics[channel] = body[8 : 8 + length].decode("utf-8")
            elif op == CHUNK_INDEX:
                _, _, chunk, chunk_size, offsets = _CHUNK_INDEX.unpack_from(body)
                (index_size,) = struct.unpack_from("<Q", body, _CHUNK_INDEX.size + offsets)
                records.indexes.append((chunk + chunk_size, index_size))
            elif op == STATISTICS:
                *_, length = _STATISTICS.unpack_from(body)
                pairs = body[_STATISTICS.size : _STATISTICS.size + length]
                records.counts = dict(struct.iter_unpack("<HQ", pairs))
    except (struct.error, UnicodeDecodeError) as error:
        raise DamagedSummaryError(f"its summary is damaged: {error}") from error
    return records


def _read_indexes(file: BinaryIO, records: _Records) -> dict[str, NDArray[np.uint64]]:
    times: dict[str, list[NDArray[np.uint64]]] = defaultdict(list)
    for place, size in records.indexes:
        for channel, entries in message_indexes(_read(file, place, size)):
            times[records.topics.get(channel, "")].append(entries["time"])
    return {topic: np.sort(np.concatenate(parts)) for topic, parts in times.items()}


def message_indexes(data: bytes) -> Iterator[tuple[int, NDArray[np.void]]]:
    """Yield channel, and (n,) entries of ``time`` and ``offset``, of message index records."""
    for op, _, body in iterate_records(data):
        if op == MESSAGE_INDEX and len(body) >= 6:
            channel, length = struct.unpack_from("<HI", body)
            count = min(length, len(body) - 6) // _INDEX_ENTRY.itemsize
            yield channel, np.frombuffer(body, _INDEX_ENTRY, count, offset=6)


def iterate_records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield opcode, place of the body and body of the whole records in a section or chunk."""
    at = 0
    while at + HEAD.size <= len(data):
        op, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        if at + length > len(data):
            return
        yield op, at, data[at : at + length]
        at += length


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    end = file.seek(0, os.SEEK_END)
    if at + size > end:
        raise DamagedSummaryError(f"its summary points at byte {at + size}, but it has {end}")
    file.seek(at)
    return file.read(size)
