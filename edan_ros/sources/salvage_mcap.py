"""Read a damaged MCAP file record by record, without the index at its end.

https://mcap.dev/spec. A recorder that was killed leaves no index, and a cut removes it.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Iterator
from functools import lru_cache

from edan_ros.sources.mcap_summary import (
    CHANNEL,
    CHUNK,
    FOOTER,
    HEAD,
    LAST_OPCODE,
    MAGIC,
    MESSAGE,
    MESSAGE_HEAD,
    SCHEMA,
    iterate_records,
)
from edan_ros.sources.salvage import Salvage, connection, decompressed

#: Stands for the chunk of a message outside all chunks.
_NO_CHUNK = -1


class McapSalvage(Salvage):
    """Reads every message that lies whole in the file, in a chunk whose checksum is right.

    Of the chunk in which the file ends, what can be decompressed counts. A record with an
    impossible length ends the scan: where the next one begins is unknown.
    """

    def _scan(self) -> None:
        #: Whether chunks are compressed.
        self.compressed = False
        self._schemas: dict[int, tuple[str, str, str]] = {}
        # Messages of neighbouring chunks may alternate.
        self._opened = lru_cache(maxsize=4)(self._open_chunk)
        known: set[int] = set()
        for chunk, op, at, body in self._records():
            try:
                self._add(chunk, op, at, body, known)
            except (struct.error, UnicodeDecodeError):
                continue  # this record is damaged, the next need not be

    def _records(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield chunk, opcode, place of the body and body of each record, inside chunks too."""
        if self._read(0, len(MAGIC)) != MAGIC:
            return
        at = len(MAGIC)
        while len(head := self._read(at, HEAD.size)) == HEAD.size:
            op, length = HEAD.unpack(head)
            at += HEAD.size
            if not 0 < op <= LAST_OPCODE or op == FOOTER:
                return
            if op == CHUNK:
                inside = self._open_chunk(at)
                yield from ((at, *record) for record in iterate_records(inside))
            elif at + length > self._size:
                return
            elif op in (SCHEMA, CHANNEL, MESSAGE):
                yield _NO_CHUNK, op, at, self._read(at, length)
            at += length

    def _add(self, chunk: int, op: int, at: int, body: bytes, known: set[int]) -> None:
        if op == SCHEMA:
            (number,) = struct.unpack_from("<H", body)
            name, rest = _text(body, 2)
            encoding, rest = _text(body, rest)
            self._schemas[number] = name, encoding, _text(body, rest)[0]
        elif op == CHANNEL:
            number, schema = struct.unpack_from("<HH", body)
            if number not in known and schema in self._schemas:
                known.add(number)
                self._add_channel(number, schema, body)
        elif op == MESSAGE:
            number, _, time, _ = MESSAGE_HEAD.unpack_from(body)
            if number in known:
                # Outside chunks the data is read again: the length takes the place of the chunk.
                place = (chunk, at) if chunk != _NO_CHUNK else (-len(body), at)
                self._index.append((time, number, place))

    def _add_channel(self, number: int, schema: int, body: bytes) -> None:
        topic, at = _text(body, 4)
        encoding, at = _text(body, at)
        values: dict[str, str] = {}
        end = at + 4 + struct.unpack_from("<I", body, at)[0]
        at += 4
        while at < end:
            key, at = _text(body, at)
            values[key], at = _text(body, at)
        kind, form, text = self._schemas[schema]
        qos = values.get("offered_qos_profiles", "")
        self.connections.append(connection(number, topic, kind, encoding, qos, (form, text)))

    def _data(self, place: tuple[int, int]) -> bytes | None:
        first, at = place
        if first < 0:
            body = self._read(at, -first)
        else:
            chunk = self._opened(first)
            _, length = HEAD.unpack_from(chunk, at - HEAD.size)
            body = chunk[at : at + length]
        return body[MESSAGE_HEAD.size :]

    def _open_chunk(self, at: int) -> bytes:
        """Return the records in a chunk; those before the cut where the file ends within it."""
        try:
            size, crc = struct.unpack("<QI", self._read(at + 16, 12))
            (name,) = struct.unpack("<I", self._read(at + 28, 4))
            compression = self._read(at + 32, min(name, 8)).decode("ascii", "replace")
            (packed,) = struct.unpack("<Q", self._read(at + 32 + name, 8))
        except struct.error:
            return b""
        if compression not in ("", "zstd", "lz4"):
            return b""
        self.compressed |= bool(compression)
        begin = at + 40 + name
        inside = decompressed(self._read(begin, min(packed, self._size - begin)), compression)
        is_whole = begin + packed <= self._size
        if is_whole and (len(inside) != size or (crc and crc32(inside) != crc)):
            # With a checksum, nothing in it can be trusted. Without one, the data before the
            # decompressor's fault is right.
            return b"" if crc else inside
        return inside


def _text(body: bytes, at: int) -> tuple[str, int]:
    """Return a string preceded by its length, and where it ends. Raises struct.error."""
    (length,) = struct.unpack_from("<I", body, at)
    (raw,) = struct.unpack_from(f"{length}s", body, at + 4)
    return raw.decode(), at + 4 + length
