"""Still images in the formats of files alone: TIFF, BMP and Netpbm (PBM, PGM, PPM)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from edan_ros.core.images.compressed import find_parser
from edan_ros.core.images.exif import ORIENTATION, TiffDirectory
from edan_ros.core.images.still_image import CutShortError, FormatError, StillImage

#: Formats that files may have, for messages.
FILE_FORMATS = "JPEG, PNG, WebP, TIFF, BMP or PPM"
#: Suffixes of the names of image files, in lower case.
IMAGE_SUFFIXES = (
    *(".bmp", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
)

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES = 256, 257, 258, 259, 277
_STRIP_OFFSETS, _STRIP_BYTES, _ROWS_PER_STRIP, _PLANAR = 273, 279, 278, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
# Fields that describe the still image; all others are removed, as are further directories.
_TIFF_KEPT = frozenset(
    {
        *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _STRIP_OFFSETS, _STRIP_BYTES),
        *(_ROWS_PER_STRIP, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES),
        *(ORIENTATION, 262, 266, 292, 293, 317, 320, 338, 339, 347, 529, 530, 531, 532),
    }
)
# Uncompressed, CCITT, LZW, JPEG, deflate (two numbers), PackBits.
_TIFF_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})

_PNM_HEADER = re.compile(
    rb"P([1-6])" + 2 * rb"(?:\s|#[^\n]*\n)+(\d{1,9})" + rb"(?:(?:\s|#[^\n]*\n)+(\d{1,5}))?\s"
)
_BITMAP_HEADER = re.compile(rb"P([14])" + 2 * rb"(?:\s|#[^\n]*\n)+(\d{1,9})" + rb"\s")


def parse_tiff(data: bytes) -> StillImage:
    """Read the first directory of a TIFF (TIFF 6.0). Raises FormatError.

    Further pages are removed, and fields that do not describe the image.
    """
    if data[2:4] in (b"+\0", b"\0+"):
        raise FormatError("not_an_image", "is a BigTIFF: save it as TIFF or PNG")
    directory = TiffDirectory(data)
    width, height = directory.value(_WIDTH, 0), directory.value(_HEIGHT, 0)
    samples = directory.value(_SAMPLES, 1)
    bits = max(directory.values(_BITS) or (1,))
    compression = directory.value(_COMPRESSION, 1)
    if compression not in _TIFF_COMPRESSIONS:
        raise FormatError(
            "not_an_image", f"has the compression {compression}: save it with LZW or as PNG"
        )
    if not 1 <= samples <= 4 or not 1 <= bits <= 16:
        raise FormatError(
            "not_an_image",
            f"has {samples} samples of {bits} bits per pixel: save it with 1 to 4 of 8 or 16 bits",
        )
    tiled = _TILE_OFFSETS in {entry.tag for entry in directory.entries}
    offsets = directory.values(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    lengths = directory.values(_TILE_BYTES if tiled else _STRIP_BYTES)
    if not offsets or len(offsets) != len(lengths):
        raise CutShortError(f"it has {len(offsets)} parts, but {len(lengths)} lengths of them")
    if any(start + size > len(data) for start, size in zip(offsets, lengths, strict=True)):
        raise CutShortError(f"its end is missing after {len(data)} bytes")
    part_rows = directory.value(_TILE_HEIGHT if tiled else _ROWS_PER_STRIP, height)
    part_width = directory.value(_TILE_WIDTH, width) if tiled else width
    row = part_width * samples * bits // 8
    needed = width * height * samples * bits // 8
    if compression == 1 and sum(lengths) < needed:
        raise CutShortError(f"it holds {sum(lengths)} of {needed} bytes")
    depth = 2 if bits > 8 else 1
    part = max(row, 4 * part_width) * (part_rows if tiled else min(part_rows, height))
    channels = 1 if samples == 1 else 3
    still = StillImage(_one_page(data, directory), width, height, channels, depth, 2 * part)
    still.working_bytes += width * height * (samples - channels) * depth if samples > 3 else 0
    return still


def _one_page(data: bytes, directory: TiffDirectory) -> bytes:
    """Return the file with the needed fields of its first directory, and no other directory."""
    kept = [entry for entry in directory.entries if entry.tag in _TIFF_KEPT]
    for entry in kept:
        size = directory.byte_count(entry)
        if not size or directory.position(entry) + size > len(data):
            raise CutShortError(f"the values of its field {entry.tag} are not within the data")
    fields = b"".join(data[entry.at : entry.at + 12] for entry in kept)
    order, start = directory.order, directory.start
    table = struct.pack(f"{order}H", len(kept)) + fields + bytes(4)
    end = start + 6 + 12 * len(directory.entries)
    return data[:start] + table.ljust(end - start, b"\0") + data[end:]


def parse_bmp(data: bytes) -> StillImage:
    """Read the header of a BMP. Raises FormatError."""
    try:
        start, header = struct.unpack_from("<II", data, 10)
        if header == 12:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
            compression = 0
        else:
            width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    except struct.error:
        raise CutShortError(f"its end is missing after {len(data)} bytes") from None
    height = abs(height)
    if width < 0 or header < 12 or bits not in (1, 4, 8, 16, 24, 32):
        raise CutShortError(f"its header has {header} bytes, {bits} bits, a width of {width}")
    needed = (width * bits + 31) // 32 * 4 * height
    if compression in (0, 3) and start + needed > len(data):
        raise CutShortError(f"it holds {max(len(data) - start, 0)} of {needed} bytes")
    return StillImage(data, width, height, 3)


def parse_pnm(data: bytes) -> StillImage:
    """Read the header of a PBM, PGM or PPM (Netpbm). Raises FormatError."""
    bitmap = data[1:2] in b"14"
    found = (_BITMAP_HEADER if bitmap else _PNM_HEADER).match(data[:4096])
    if found is None or (not bitmap and found[4] is None):
        raise CutShortError("its header is not complete")
    kind, width, height = int(found[1]), int(found[2]), int(found[3])
    largest = 1 if bitmap else int(found[4])
    if not 1 <= largest <= 65535:
        raise CutShortError(f"its largest value is {largest}")
    samples = 3 if kind in (3, 6) else 1
    depth = 2 if largest > 255 else 1
    if kind == 4:
        needed = (width + 7) // 8 * height
    elif kind > 4:
        needed = width * height * samples * depth
    else:  # one digit per sample, and a space between them except in bitmaps
        needed = width * height * samples * (1 if bitmap else 2) - 1
    if len(data) - found.end() < needed:
        raise CutShortError(f"it holds {len(data) - found.end()} of {needed} bytes")
    return StillImage(data, width, height, samples, depth)


def find_file_parser(data: bytes) -> Callable[[bytes], StillImage] | None:
    """Return the parser of the format that a file's bytes start with, None for other formats."""
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return parse_tiff
    if data[:2] == b"BM":
        return parse_bmp
    if re.match(rb"P[1-6][\s#]", data[:3]):
        return parse_pnm
    return find_parser(data)
