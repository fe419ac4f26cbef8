"""Completeness and size of a JPEG, PNG or WebP image, read from its bytes without decoding.

OpenCV fills the missing end of a JPEG with grey without an error, so completeness is checked
before it decodes.
"""

from __future__ import annotations

import struct

JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
WEBP_MAGIC = b"RIFF"

# Markers that carry the image's size (SOF0 to SOF15 without DHT, JPG and DAC).
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = b"\xff\xd9"


def has_known_signature(data: bytes) -> bool:
    """Return whether the data starts like one of the three formats."""
    if data.startswith(WEBP_MAGIC):
        return data[8:12] == b"WEBP"
    return data.startswith((JPEG_MAGIC, PNG_MAGIC))


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels; None if the data is truncated or malformed.

    The data must start like one of the formats (``has_known_signature``).
    """
    read = {b"\xff": _jpeg_size, b"\x89": _png_size, b"R": _webp_size}[data[:1]]
    try:
        return read(data)
    except (struct.error, IndexError):
        return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the segments (ITU-T T.81, annex B) to the first scan and require an end after it.

    The search for the end starts there because a thumbnail in the header has an end of its own;
    inside a scan 0xFF is always escaped.
    """
    size: tuple[int, int] | None = None
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = width, height
        at += 2 + length
        if marker == _START_OF_SCAN:
            return size if data.rfind(_END_OF_IMAGE, at) >= 0 else None


def _png_size(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from(">II", data, 16)
    # The last chunk is empty: its type, then four bytes of checksum.
    end = data.rfind(b"IEND")
    return (width, height) if 0 <= end <= len(data) - 8 else None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Read the size from the first chunk, of one of three kinds (RFC 9649)."""
    (length,) = struct.unpack_from("<I", data, 4)
    if len(data) < 8 + length:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (v & 0x3FFF for v in struct.unpack_from("<HH", data, 26))
    return width, height
