"""Read what is left of a damaged file of a bag, whatever its format."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from lz4.frame import LZ4FrameDecompressor
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.metadata import parse_qos

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
    from compression.zstd import decompress as zstd_decompress
else:
    from backports.zstd import ZstdDecompressor, ZstdError
    from backports.zstd import decompress as zstd_decompress

__all__ = ["ZSTD_MAGIC", "Salvage", "ZstdError", "decompress_file", "zstd_decompress"]

#: First bytes of zstd-compressed data. No serialised message begins with them.
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

#: Bytes passed to a decompressor at once: what precedes a fault is kept in steps of this size.
_STEP = 1 << 14


class Salvage(ABC):
    """A reader of what is left of a file of a bag, which trusts no index.

    The file is scanned once; ``connections``, with their counts, and ``messages`` then behave as
    those of the readers of rosbags. ``faults`` lists what the scan could not use.

    Raises OSError where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")
        self._size = path.stat().st_size
        self.connections: list[Connection] = []
        self.faults: list[str] = []
        #: Time in ns, number of the connection, and place of the data: sorted by time.
        self._index: list[tuple[int, int, tuple[int, int]]] = []
        self._scan()
        # No clock shows a time outside this range: the record is damaged.
        self._index = sorted(entry for entry in self._index if 0 <= entry[0] < 2**63)
        counts = Counter(entry[1] for entry in self._index)
        self.connections = [c._replace(msgcount=counts[c.id]) for c in self.connections]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def times(self) -> tuple[int, int] | None:
        """Nanoseconds of the first and the last message; None without any."""
        return (self._index[0][0], self._index[-1][0]) if self._index else None

    def messages(
        self, connections: Collection[Connection], start: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield connection, time in ns, and data of every message, from ``start`` on."""
        wanted = {connection.id: connection for connection in connections}
        for time, number, place in self._index:
            if number in wanted and (start is None or time >= start):
                data = self._data(place)
                if data is not None:
                    yield wanted[number], time, data

    @abstractmethod
    def _scan(self) -> None:
        """Fill ``connections``, ``faults`` and ``_index``."""

    @abstractmethod
    def _data(self, place: tuple[int, int]) -> bytes | None:
        """Return the message at a place, None where it is damaged."""

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)


def connection(
    number: int, topic: str, kind: str, encoding: str, qos: str, definition: tuple[str, str] | None
) -> Connection:
    """Return a connection as rosbags has it. definition: encoding and text."""
    formats = {
        "ros2msg": MessageDefinitionFormat.MSG,
        "ros2idl": MessageDefinitionFormat.IDL,
        "omgidl": MessageDefinitionFormat.IDL,
    }
    form, text = definition or ("", "")
    described = MessageDefinition(formats.get(form, MessageDefinitionFormat.NONE), text)
    try:
        profiles = parse_qos(qos)
    except (ReaderError, TypeError, AttributeError):  # the text is damaged
        profiles = []
    extension = ConnectionExtRosbag2(encoding, profiles)
    return Connection(number, topic, kind, described, "", 0, extension, None)


def decompressed(data: bytes, compression: str) -> bytes:
    """Return decompressed "zstd" or "lz4" data up to the first fault; the data itself for ""."""
    if not compression:
        return data
    machine = ZstdDecompressor() if compression == "zstd" else LZ4FrameDecompressor()
    parts: list[bytes] = []
    try:
        for at in range(0, len(data), _STEP):
            parts.append(machine.decompress(data[at : at + _STEP]))
    except (ZstdError, RuntimeError, EOFError):
        pass
    return b"".join(parts)


def decompress_file(source: Path, target: Path) -> bool:
    """Decompress a zstd file into another one. Return whether it could be read to its end."""
    machine = ZstdDecompressor()
    with source.open("rb") as packed, target.open("wb") as plain:
        while part := packed.read(_STEP):
            try:
                while part:
                    if machine.eof:  # a file may consist of several frames in sequence
                        machine = ZstdDecompressor()
                    plain.write(machine.decompress(part))
                    part = machine.unused_data
            except ZstdError:
                return False
    return machine.eof
