"""Orientation of an image from its EXIF data, and the directory of a TIFF that holds it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images.still_image import CutShortError

ORIENTATION = 274
# TIFF 6.0, section 2: bytes per value of each type; 16 to 18 are those of BigTIFF.
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS = {1: "B", 3: "H", 4: "I"}

#: EXIF orientation -> whether to transpose, flip the rows (0), the columns (1) or both (-1) after.
_UPRIGHT: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


@dataclass(frozen=True, slots=True)
class TiffEntry:
    """A field of a TIFF directory: its tag, type, number of values and the offset of the field."""

    tag: int
    kind: int
    count: int
    at: int


class TiffDirectory:
    """The first directory of a TIFF.

    Raises CutShortError if it is not within the data, or the values of a field are not.
    """

    def __init__(self, data: bytes) -> None:
        if data[:4] not in (b"II*\0", b"MM\0*"):
            raise CutShortError("it has no TIFF header")
        self.order = "<" if data[:1] == b"I" else ">"
        self._data = data
        try:
            (self.start,) = struct.unpack_from(f"{self.order}I", data, 4)
            (count,) = struct.unpack_from(f"{self.order}H", data, self.start)
            self.entries = [self._entry(self.start + 2 + 12 * i) for i in range(count)]
            struct.unpack_from(f"{self.order}I", data, self.start + 2 + 12 * count)
        except struct.error:
            raise CutShortError("its directory is not within the data") from None

    def _entry(self, at: int) -> TiffEntry:
        tag, kind, count = struct.unpack_from(f"{self.order}HHI", self._data, at)
        return TiffEntry(tag, kind, count, at)

    def byte_count(self, entry: TiffEntry) -> int:
        """Return the length of a field's values in bytes; 0 for an unknown type."""
        return _TYPE_BYTES.get(entry.kind, 0) * entry.count

    def position(self, entry: TiffEntry) -> int:
        """Return the offset of a field's values."""
        if self.byte_count(entry) <= 4:
            return entry.at + 8
        return int(struct.unpack_from(f"{self.order}I", self._data, entry.at + 8)[0])

    def values(self, tag: int) -> tuple[int, ...]:
        """Return the integers of a field; () if there is none. Raises CutShortError."""
        for entry in self.entries:
            if entry.tag == tag and entry.kind in _INTEGERS:
                size = self.byte_count(entry)
                if self.position(entry) + size > len(self._data):
                    raise CutShortError(f"the values of its field {tag} are not within the data")
                code = f"{self.order}{entry.count}{_INTEGERS[entry.kind]}"
                return struct.unpack_from(code, self._data, self.position(entry))
        return ()

    def value(self, tag: int, default: int) -> int:
        """Return the first integer of a field, or the default. Raises CutShortError."""
        return next(iter(self.values(tag)), default)


def exif_orientation(exif: bytes) -> int:
    """Return the orientation in EXIF data, 1 to 8; 1, upright, if there is none."""
    try:
        value = TiffDirectory(exif).value(ORIENTATION, 1)
    except CutShortError:
        return 1
    return value if value in _UPRIGHT else 1


def turn_upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return an image of an EXIF orientation, 1 to 8, turned upright."""
    transpose, flip = _UPRIGHT.get(orientation, (False, None))
    if transpose:
        pixels = np.asarray(cv2.transpose(pixels))
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip))
