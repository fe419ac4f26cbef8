"""What a damaged file of a bag gives up, whatever format it has."""

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
    from compression import zstd
else:
    from backports import zstd

#: First bytes of what zstd has compressed. No serialised message begins like that.
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

#: Bytes given to a decompressor at once: what comes before a fault is kept in such steps.
_STEP = 1 << 14


class Salvage(ABC):
    """Reads what is left of a file of a bag, without trust in any index.

    The file is looked through once; then ``connections``, with their counts, and ``messages`` are
    as those of the readers of rosbags.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self._size = path.stat().st_size
        self.connections: list[Connection] = []
        #: Time in ns, number of the connection, and where the data is: sorted by time.
        self._index: list[tuple[int, int, tuple[int, int]]] = []
        self._look_through()
        # A time that no clock can show is damaged.
        self._index = sorted(entry for entry in self._index if 0 <= entry[0] < 2**63)
        counts = Counter(entry[1] for entry in self._index)
        self.connections = [c._replace(msgcount=counts[c.id]) for c in self.connections]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def times(self) -> tuple[int, int] | None:
        """Nanoseconds of the first and the last message; None without any."""
        return (self._index[0][0], self._index[-1][0]) if self._index else None

    def messages(
        self, connections: Collection[Connection], start: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Connection, time in ns, and data of every message, from ``start`` on."""
        wanted = {connection.id: connection for connection in connections}
        for time, number, place in self._index:
            if number in wanted and (start is None or time >= start):
                data = self._data(place)
                if data is not None:
                    yield wanted[number], time, data

    @abstractmethod
    def _look_through(self) -> None:
        """Fills ``connections`` and ``_index``."""

    @abstractmethod
    def _data(self, place: tuple[int, int]) -> bytes | None:
        """The message at a place, or None where it is damaged."""

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)


def connection(
    number: int, topic: str, kind: str, encoding: str, qos: str, definition: tuple[str, str] | None
) -> Connection:
    """A connection as rosbags has it. definition: encoding and text."""
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
    """What "zstd" or "lz4" has compressed, up to the first fault; data as it is for ""."""
    if not compression:
        return data
    machine = zstd.ZstdDecompressor() if compression == "zstd" else LZ4FrameDecompressor()
    parts: list[bytes] = []
    try:
        for at in range(0, len(data), _STEP):
            parts.append(machine.decompress(data[at : at + _STEP]))
    except (zstd.ZstdError, RuntimeError, EOFError):
        pass
    return b"".join(parts)


def decompress_file(source: Path, target: Path) -> bool:
    """Writes what zstd has compressed to another file. False if it could not be read to its end."""
    machine = zstd.ZstdDecompressor()
    with source.open("rb") as packed, target.open("wb") as plain:
        while part := packed.read(_STEP):
            try:
                while part:
                    if machine.eof:  # a file may be several frames, one after the other
                        machine = zstd.ZstdDecompressor()
                    plain.write(machine.decompress(part))
                    part = machine.unused_data
            except zstd.ZstdError:
                return False
    return machine.eof
