"""Read a damaged SQLite file of a bag page by page, and one with a write-ahead log.

SQLite itself refuses a file that is cut, and finds nothing behind a damaged page of an index. The
pages that hold rows can be read without the others: https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from edan_ros.core.wording import plural
from edan_ros.sources.salvage import Salvage, connection
from edan_ros.sources.sqlite_wal import WriteAheadLog, has_hot_journal, read_wal, wal_path

_MAGIC = b"SQLite format 3\0"
_LEAF_OF_TABLE, _INTERIOR_OF_TABLE, _LEAF_OF_INDEX, _INTERIOR_OF_INDEX = 0x0D, 0x05, 0x0A, 0x02
#: Bytes of a message that are read for its topic and time.
_FRONT = 64
_INTEGER_SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}


class SqliteSalvage(Salvage):
    """Reads the messages whose rows, with all their overflow pages, lie in the file or its log.

    Tables are identified by the columns of their rows: a message has two numbers and a blob, a
    topic and a definition have texts.
    """

    def _scan(self) -> None:
        self._wal = WriteAheadLog()
        self._wal_file: BinaryIO | None = None
        self._page = 0
        self._open_wal()
        head = self._header()
        if not head.startswith(_MAGIC) or len(head) < 100:
            return
        page = struct.unpack_from(">H", head, 16)[0]
        self._page = 65536 if page == 1 else page
        self._usable = self._page - head[20]
        if self._page < 512 or self._usable < 480:
            return
        if self._wal.page_count and self._wal.page_size == self._page:
            self._size = self._wal.page_count * self._page
        elif self._wal.page_count:
            self._lose_wal("its pages have another size")
        #: Page -> number of its rows that are damaged.
        self._damaged: Counter[int] = Counter()
        root = index = 0
        definitions: dict[str, tuple[str, str]] = {}
        topics: dict[int, list[str]] = {}
        rows: dict[int, tuple[int, int, tuple[int, int]]] = {}
        for number, place, kinds, values in self._rows():
            if [k for k, _ in kinds] == ["null", "int", "int", "blob"]:
                rows[number] = (values[2], values[1], place)
            elif [k for k, _ in kinds] == ["text", "text", "text", "int", "text"]:
                root = values[3] if values[:2] == ["table", "messages"] else root
                index = values[3] if values[:2] == ["index", "timestamp_idx"] else index
            elif len(kinds) >= 4 and all(k == "text" for k, _ in kinds[1:]):
                texts = [str(value) for value in values[1:]]
                if texts[0].startswith("/"):
                    topics[number] = texts
                elif texts[1] in ("ros2msg", "ros2idl"):
                    definitions[texts[0]] = (texts[1], texts[2])
        for number, (name, kind, encoding, *more) in topics.items():
            qos = more[0] if more else ""
            self.connections.append(
                connection(number, name, kind, encoding, qos, definitions.get(kind))
            )
        self._index = [row for row in rows.values() if row[1] in topics]
        if wal_path(self._path):
            self._compare_with_tree(root, rows.keys(), len(rows) - len(self._index))
            indexed = self._index_times(index) if index else set()
            changed = len(indexed.difference((row[0], number) for number, row in rows.items()))
            if changed and not self.faults:
                name = self._path.name
                what = plural(changed, f"message of {name} has", f"messages of {name} have")
                self.faults.append(f"{what} another time than in its index")

    def _compare_with_tree(self, root: int, found: Collection[int], orphans: int) -> None:
        """Add faults where rows of the messages are missing that the tree of the table holds.

        The tree is followed only beside a log. Other files come here because they are damaged,
        which is reported with the number of their messages.
        """
        size = self._path.stat().st_size
        pages = range(size // self._page + 1, self._size // self._page + 1)
        if size % self._page or any(page not in self._wal.pages for page in pages):
            self.faults.append(f"{self._path.name} is cut or damaged: it has {size} bytes")
        numbers, damaged = self._follow(root)
        if damaged:
            self.faults.append(f"{self._path.name} is damaged: {damaged} of its pages or rows")
        if numbers != sorted(set(numbers)):
            self.faults.append(f"{self._path.name} is damaged: its messages are not in order")
        missing = len(set(numbers).difference(found)) + orphans
        if missing and not damaged:
            self.faults.append(f"{plural(missing, 'message')} of {self._path.name} cannot be read")

    def _follow(self, root: int) -> tuple[list[int], int]:
        """Return the row numbers in the tree of a table, and how many pages or rows are damaged."""
        numbers: list[int] = []
        damaged, seen, waiting = 0, set[int](), [root]
        while waiting:
            page = waiting.pop()
            is_within = 1 <= page <= self._size // self._page and page not in seen
            data = self._read((page - 1) * self._page, self._page) if is_within else b""
            begin = 100 if page == 1 else 0
            if len(data) < self._page or data[begin] not in (_LEAF_OF_TABLE, _INTERIOR_OF_TABLE):
                damaged += 1
                continue
            seen.add(page)
            head = 8 if data[begin] == _LEAF_OF_TABLE else 12
            (cells,) = struct.unpack_from(">H", data, begin + 3)
            try:
                places = struct.unpack_from(f">{cells}H", data, begin + head)
                if head == 8:
                    damaged += self._damaged[page]
                    numbers += [_varint(data, _varint(data, at)[1])[0] for at in places]
                else:
                    places = (*places, begin + 8)
                    children = [struct.unpack_from(">I", data, at)[0] for at in places]
                    waiting += reversed(children)
            except (struct.error, IndexError):
                damaged += 1
        return numbers, damaged

    def close(self) -> None:
        """Close the file and its log."""
        super().close()
        if self._wal_file is not None:
            self._wal_file.close()

    def _index_times(self, root: int) -> set[tuple[int, int]]:
        """Return times in ns and row numbers in the index of the messages, where it is whole."""
        found: set[tuple[int, int]] = set()
        seen, waiting = set[int](), [root]
        while waiting:
            page = waiting.pop()
            is_within = 1 < page <= self._size // self._page and page not in seen
            data = self._read((page - 1) * self._page, self._page) if is_within else b""
            if len(data) < self._page or data[0] not in (_LEAF_OF_INDEX, _INTERIOR_OF_INDEX):
                continue
            seen.add(page)
            skip = 0 if data[0] == _LEAF_OF_INDEX else 4  # the number of a page before each key
            (cells,) = struct.unpack_from(">H", data, 3)
            try:
                for at in struct.unpack_from(f">{cells}H", data, 8 + skip):
                    waiting += struct.unpack_from(">I", data, at) if skip else ()
                    _, begin = _varint(data, at + skip)
                    head, kinds = data[begin], [_kind(serial) for serial in data[begin + 1 :][:2]]
                    values, place = [], begin + head
                    for serial, (kind, size) in zip(data[begin + 1 :][:2], kinds, strict=True):
                        values.append(_value(serial, kind, data[place : place + size]))
                        place += size
                    found.add((values[0], values[1]))
                waiting += struct.unpack_from(">I", data, 8) if skip else ()
            except (struct.error, IndexError, ValueError):
                continue
        return found

    def _open_wal(self) -> None:
        if has_hot_journal(self._path):
            self.faults.append(
                f"{self._path.name}-journal lies beside it: the recorder was killed within a "
                "transaction, whose messages may be lost"
            )
        path = wal_path(self._path)
        if path is None:
            return
        try:
            self._wal_file = path.open("rb")
            self._wal = read_wal(self._wal_file)
        except OSError as error:
            self._lose_wal(f"it cannot be read: {error.strerror or error}")
            return
        if self._wal.fault:
            self.faults.append(
                f"of {path.name} the messages after the last commit are lost: {self._wal.fault}"
            )

    def _lose_wal(self, reason: str) -> None:
        self._wal = WriteAheadLog()
        self.faults.append(f"the messages in {self._path.name}-wal are missing: {reason}")

    def _header(self) -> bytes:
        place = self._wal.pages.get(1)
        if place is None or self._wal_file is None:
            return super()._read(0, 100)
        self._wal_file.seek(place)
        return self._wal_file.read(100)

    def _read(self, at: int, size: int) -> bytes:
        """Return bytes of one page, as the log has it where it does."""
        place = self._wal.pages.get(at // self._page + 1)
        if place is None or self._wal_file is None:
            return super()._read(at, size)
        self._wal_file.seek(place + at % self._page)
        return self._wal_file.read(size)

    def _rows(self) -> Iterator[tuple[int, tuple[int, int], list[tuple[str, int]], list[Any]]]:
        """Yield number, place, kinds of the columns and their values, of rows that are whole."""
        for page in range(self._size // self._page):
            data = self._read(page * self._page, self._page)
            begin = 100 if page == 0 else 0
            if len(data) < self._page or data[begin] != _LEAF_OF_TABLE:
                continue
            (cells,) = struct.unpack_from(">H", data, begin + 3)
            if begin + 8 + 2 * cells > len(data):
                continue
            for at in struct.unpack_from(f">{cells}H", data, begin + 8):
                try:
                    size, after = _varint(data, at)
                    number, after = _varint(data, after)
                    place = (page * self._page + after, size)
                    row = self._row(place)
                except (IndexError, struct.error, UnicodeDecodeError):
                    row = None
                if row is None:
                    self._damaged[page + 1] += 1
                else:
                    yield number, place, *row

    def _row(self, place: tuple[int, int]) -> tuple[list[tuple[str, int]], list[Any]] | None:
        """Return kinds and values of a row without its blobs; None where a part is missing."""
        if self._pieces(place) is None:
            return None
        front = self._payload(place, _FRONT)
        header, at = _varint(front, 0)
        serials = []
        while at < header:
            serial, at = _varint(front, at)
            serials.append(serial)
        kinds = [_kind(serial) for serial in serials]
        if all(kind != "blob" for kind, _ in kinds):
            front = self._payload(place, place[1])
        values: list[Any] = []
        for serial, (kind, length) in zip(serials, kinds, strict=True):
            raw = front[at : at + length]
            at += length
            values.append(_value(serial, kind, raw))
        return kinds, values

    def _data(self, place: tuple[int, int]) -> bytes | None:
        payload = self._payload(place, place[1])
        header, at = _varint(payload, 0)
        length = 0
        while at < header:
            serial, at = _varint(payload, at)
            length = _kind(serial)[1]  # of the last column, the blob
        return payload[len(payload) - length :]

    def _payload(self, place: tuple[int, int], wanted: int) -> bytes:
        """Return the first bytes of a row, joined from its page and its overflow pages."""
        parts, read = [], 0
        for at, size in self._pieces(place) or []:
            if read >= wanted:
                break
            parts.append(self._read(at, size))
            read += size
        return b"".join(parts)

    def _pieces(self, place: tuple[int, int]) -> list[tuple[int, int]] | None:
        """Return places and sizes of the parts of a row; None where one is missing."""
        begin, size = place
        if size > self._size:
            return None
        local = _local_size(size, self._usable)
        pieces, left, at = [(begin, local)], size - local, begin + local
        while left > 0:
            (page,) = struct.unpack(">I", self._read(at, 4))
            at = (page - 1) * self._page
            part = min(left, self._usable - 4)
            if page < 2 or at + 4 + part > self._size:
                return None
            pieces.append((at + 4, part))
            left -= part
        return pieces if begin + local <= self._size else None


def _local_size(size: int, usable: int) -> int:
    """Return the bytes of a row of ``size`` kept in its own page (section 1.6 of the format)."""
    most = usable - 35
    if size <= most:
        return size
    least = (usable - 12) * 32 // 255 - 23
    fitting = least + (size - least) % (usable - 4)
    return fitting if fitting <= most else least


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 1 to 9 bytes, seven bits each, and where it ends. Raises IndexError."""
    value = 0
    for i in range(8):
        byte = data[at + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9


def _kind(serial: int) -> tuple[str, int]:
    """Return the kind that a serial type stands for, and its bytes (section 2.1 of the format)."""
    if serial == 0:
        return "null", 0
    if serial >= 12:
        return ("text" if serial % 2 else "blob"), (serial - 12) // 2
    return ("int", _INTEGER_SIZES[serial]) if serial in _INTEGER_SIZES else ("real", 8)


def _value(serial: int, kind: str, raw: bytes) -> Any:
    if kind == "text":
        return raw.decode()
    if kind == "int":
        return serial - 8 if serial in (8, 9) else int.from_bytes(raw, "big", signed=True)
    return None
