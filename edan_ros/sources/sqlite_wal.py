"""Read the write-ahead log beside an SQLite database without changing either file.

SQLite itself needs to create a shared-memory file for that, or to write into the database.
https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

#: Of a log whose checksums are over little-endian words, and over big-endian ones.
_MAGIC = {0x377F0682: "<u4", 0x377F0683: ">u4"}
_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
#: First bytes of a rollback journal that has not been applied yet.
_JOURNAL_MAGIC = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"


@dataclass
class WriteAheadLog:
    """The committed pages of a log.

    Attributes:
        page_size: bytes of a page.
        pages: page number, from 1 up, to the place of its newest content in the log.
        page_count: pages of the database after the last commit, 0 without any commit.
        fault: what of the log cannot be used, "" where all of it can.
    """

    page_size: int = 0
    pages: dict[int, int] = field(default_factory=dict)
    page_count: int = 0
    fault: str = ""


def wal_path(database: Path) -> Path | None:
    """Return the path of the log beside a database, None where there is none or it is empty."""
    path = database.with_name(database.name + "-wal")
    return path if path.is_file() and path.stat().st_size else None


def has_hot_journal(database: Path) -> bool:
    """Return whether the writer was killed within a transaction (rollback-journal mode)."""
    path = database.with_name(database.name + "-journal")
    try:
        with path.open("rb") as file:
            return file.read(len(_JOURNAL_MAGIC)) == _JOURNAL_MAGIC
    except OSError:
        return False


def read_wal(file: BinaryIO) -> WriteAheadLog:
    """Return the pages that SQLite would take from a log: those up to the last commit."""
    header = file.read(_HEADER.size)
    log = WriteAheadLog()
    if len(header) < _HEADER.size:
        log.fault = "it ends within its header"
        return log
    magic, _, log.page_size, _, *salts, sum0, sum1 = _HEADER.unpack(header)
    words = _MAGIC.get(magic)
    size = log.page_size
    if words is None or not 512 <= size <= 65536 or size & (size - 1):
        log.fault = "its header is damaged"
        return log
    checksum = _checksum((0, 0), header[:24], words)
    if checksum != (sum0, sum1):
        log.fault = "its header is damaged"
        return log
    pending: dict[int, int] = {}
    while len(head := file.read(_FRAME.size)) == _FRAME.size:
        number, page_count, *frame_salts, sum0, sum1 = _FRAME.unpack(head)
        if frame_salts != salts:
            break  # left over from before the log was restarted
        place = file.tell()
        page = file.read(size)
        if len(page) < size:
            log.fault = "it ends within a page"
            break
        checksum = _checksum(checksum, head[:8] + page, words)
        if checksum != (sum0, sum1):
            log.fault = f"it is damaged from byte {place - _FRAME.size} on"
            break
        pending[number] = place
        if page_count:
            log.pages |= pending
            log.page_count = page_count
            pending = {}
    if pending and not log.fault:
        log.fault = "its last transaction was not completed"
    return log


def _checksum(start: tuple[int, int], data: bytes, words: str) -> tuple[int, int]:
    """Continue the checksum of section 4.2 of the format over more data.

    The two sums follow a linear recurrence whose powers are Fibonacci numbers, modulo 2**32:
    (s, t) -> (s + t + x, s + 2 t + x + y) for each pair of words x, y.
    """
    pairs = np.frombuffer(data, words).astype(np.uint32).reshape(-1, 2)
    count = 2 * len(pairs)
    fibonacci = _fibonacci(count + 2)
    # The last pair counts with F0, F1 and F2, the one before it with F2, F3 and F4, and so on.
    low, middle, high = (fibonacci[i : count + i : 2][::-1] for i in range(3))
    x, y = pairs[:, 0], pairs[:, 1]
    sum0 = int(np.sum(middle * x, dtype=np.uint64)) + int(np.sum(low * y, dtype=np.uint64))
    sum1 = int(np.sum(high * x, dtype=np.uint64)) + int(np.sum(middle * y, dtype=np.uint64))
    a, b, c = (int(fibonacci[count + i]) for i in (-1, 0, 1))
    s, t = start
    return (sum0 + a * s + b * t) % 2**32, (sum1 + b * s + c * t) % 2**32


@lru_cache(maxsize=4)
def _fibonacci(count: int) -> NDArray[np.uint32]:
    """Return F0 to F(count - 1) modulo 2**32."""
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append((numbers[-1] + numbers[-2]) % 2**32)
    return np.array(numbers, np.uint32)
