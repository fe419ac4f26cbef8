"""Still images in JPEG, PNG and WebP: structure, size and completeness, read without decoding.

OpenCV decodes more than a still image holds: animations, comments, colour profiles, EXIF. Its
readers of these have crashed on hostile data, and they allocate what a chunk claims. Only the
parts that make up the still image are kept, after a check of their lengths.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable

from edan_ros.core.images.exif import exif_orientation
from edan_ros.core.images.still_image import CutShortError, FormatError, StillImage

JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
WEBP_MAGIC = b"RIFF"

# Markers that carry the image's size (SOF0 to SOF15 without DHT, JPG and DAC).
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ARITHMETIC = frozenset(range(0xC9, 0xD0))
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
# Markers without a length (TEM, RST, SOI, EOI), none of which belongs before the first scan.
_BARE_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
# APP0 (JFIF) and APP14 (Adobe) determine the colour space; the other APPn and COM are comments.
_COMMENTS = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
_APP1 = 0xE1
#: Most segments of a JPEG; cameras write about 20.
_MAX_SEGMENTS = 20_000
# In entropy-coded data, 0xFF is followed by 0 or belongs to a restart marker.
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")

_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: Compressed bytes of a PNG above which their end is looked for: zlib expands them at most 1032
#: times, and libpng takes 2 s for 10^9 bytes, even if the image is small.
_PNG_CHECKED = 1_000_000
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def parse_jpeg(data: bytes) -> StillImage:
    """Read the segments of a JPEG (ITU-T T.81, annex B). Raises FormatError."""
    kept = [data[:2]]
    at, start = 2, 2  # of the segment, and of the bytes that are not in kept yet
    frame: tuple[int, bytes] | None = None
    orientation = 1
    for _ in range(_MAX_SEGMENTS):
        marker, after = _segment(data, at)
        if marker in _START_OF_FRAME:
            if frame is not None:
                raise CutShortError("it has two frame headers")
            frame = marker, data[at + 4 : after]
        elif marker in _COMMENTS:
            if marker == _APP1 and data[at + 4 : at + 10] == b"Exif\0\0":
                orientation = exif_orientation(data[at + 10 : after])
            kept.append(data[start:at])
            start = after
        if marker == _START_OF_SCAN:
            break
        at = after
    else:
        raise CutShortError(f"it has more than {_MAX_SEGMENTS} segments")
    if frame is None:
        raise CutShortError("it has no frame header")
    if data[at + 4 : at + 5] == b"":
        raise CutShortError("its scan header is empty")
    still = _jpeg_frame(frame[1])
    components = len(frame[1][6:]) // 3
    several = frame[0] in _PROGRESSIVE or data[at + 4] < components
    if several:
        still.scans, end = _count_scans(data, after)
        still.working_bytes = 128 * sum(_blocks(frame[1]))  # 64 coefficients of 2 bytes
    else:
        end = data.rfind(b"\xff\xd9", after)
    if end < 0:
        raise CutShortError(f"its end is missing after {len(data)} bytes")
    # The shortest code has one bit: one block takes one for DC and, in a baseline JPEG, one for AC.
    bits = _blocks(frame[1])[0] if several else 2 * sum(_blocks(frame[1]))
    if frame[0] not in _ARITHMETIC and 8 * (end - after) < bits:
        raise CutShortError(f"{end - after} bytes cannot hold {still.width}x{still.height} pixels")
    still.orientation = orientation
    removed = start - sum(map(len, kept))
    still.data = data if len(kept) == 1 else b"".join([*kept, data[start:]])
    still.entropy = after - removed, end - removed
    return still


def _segment(data: bytes, at: int) -> tuple[int, int]:
    """Return the marker of the segment at an offset, and the offset after it."""
    if at + 4 > len(data):
        raise CutShortError(f"its end is missing after {len(data)} bytes")
    marker = data[at + 1]
    if data[at] != 0xFF or marker in _BARE_MARKERS or marker == 0xFF:
        raise CutShortError(f"there is no segment at byte {at}")
    (length,) = struct.unpack_from(">H", data, at + 2)
    after = at + 2 + length
    if length < 2 or after > len(data):
        raise CutShortError(f"the segment at byte {at} claims {length} bytes")
    return marker, after


def _jpeg_frame(header: bytes) -> StillImage:
    """Return the size in a frame header: precision, height, width, components of 3 bytes."""
    if len(header) < 9 or len(header) != 6 + 3 * header[5] or not 1 <= header[5] <= 4:
        raise CutShortError(f"its frame header has {len(header)} bytes")
    for factors in header[7::3]:
        if not (1 <= factors >> 4 <= 4 and 1 <= factors & 15 <= 4):
            raise CutShortError("a sampling factor is not 1 to 4")
    _, height, width, components = struct.unpack_from(">BHHB", header)
    return StillImage(b"", width, height, 1 if components == 1 else 3)


def _blocks(header: bytes) -> list[int]:
    """Return the number of blocks of 8x8 samples in each component of a frame."""
    height, width = struct.unpack_from(">HH", header, 1)
    horizontal = [factors >> 4 for factors in header[7::3]]
    vertical = [factors & 15 for factors in header[7::3]]
    return [
        -(-width * h // (8 * max(horizontal))) * -(-height * v // (8 * max(vertical)))
        for h, v in zip(horizontal, vertical, strict=True)
    ]


def _count_scans(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of scans from the data of the first on, and the offset of the end."""
    scans = 1
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return scans, -1
        at = found.end() - 2
        if data[at + 1] == _END_OF_IMAGE:
            return scans, at
        marker, at = _segment(data, at)
        scans += marker == _START_OF_SCAN
    raise CutShortError(f"it has more than {_MAX_SEGMENTS} segments")


def has_stray_marker(data: bytes, entropy: tuple[int, int]) -> bool:
    """Return whether the coded data of a JPEG are interrupted before their end."""
    return _MARKER.search(data, *entropy) is not None


def parse_png(data: bytes) -> StillImage:
    """Read the chunks of a PNG (W3C, PNG third edition). Raises FormatError.

    Of an animation the default image is kept, which shows without support for animations.
    """
    kept: list[bytes] = [PNG_MAGIC]
    orientation, at, image = 1, len(PNG_MAGIC), False
    header: tuple[int, ...] | None = None
    while True:
        if at + 12 > len(data):
            raise CutShortError(f"its end is missing after {len(data)} bytes")
        length, kind = struct.unpack_from(">I4s", data, at)
        after = at + 12 + length
        if after > len(data):
            raise CutShortError(
                f"its end is missing: the chunk at byte {at} claims {length} bytes, "
                f"{len(data) - at - 12} are present"
            )
        if (kind == b"IHDR") != (header is None) or (kind == b"IHDR" and length != 13):
            raise CutShortError("it does not start with one header")
        if kind == b"IHDR":
            header = struct.unpack_from(">IIBBBBB", data, at + 8)
        elif kind == b"eXIf":
            orientation = exif_orientation(data[at + 8 : after - 4])
        image |= kind == b"IDAT" and length > 0
        if kind in _PNG_KEPT:
            kept.append(data[at:after])
        at = after
        if kind == b"IEND":
            break
    assert header is not None
    if not image:
        raise CutShortError("it holds no image data")
    width, height, bits, colour = header[:4]
    if colour not in _PNG_SAMPLES or bits not in (1, 2, 4, 8, 16):
        raise CutShortError(f"it has {bits} bits of colour type {colour}")
    # OpenCV decodes palettes to colour and drops the alpha channel, or expands grey with alpha.
    samples = 1 if colour == 0 else 3
    row = (width * _PNG_SAMPLES[colour] * bits + 7) // 8 + 1
    parts = [chunk[8:-4] for chunk in kept if chunk[4:8] == b"IDAT"]
    # The rows of the passes of an interlaced image take up to twice as much.
    if sum(map(len, parts)) > _PNG_CHECKED and _expands_beyond(parts, 2 * row * height + 1024):
        raise FormatError("not_an_image", f"has more data than {width}x{height} pixels need")
    return StillImage(
        b"".join(kept),
        width,
        height,
        samples,
        depth=2 if bits == 16 else 1,
        working_bytes=4 * row + 8 * width,
        orientation=orientation,
    )


def _expands_beyond(parts: list[bytes], limit: int) -> bool:
    """Return whether zlib data in several parts hold more than ``limit`` bytes."""
    machine, size = zlib.decompressobj(), 0
    try:
        for part in parts:
            while part and size <= limit:
                size += len(machine.decompress(part, 1 << 18))
                part = machine.unconsumed_tail
    except zlib.error:  # libpng ends there too
        return False
    return size > limit


def parse_webp(data: bytes) -> StillImage:
    """Read the chunks of a WebP image (RFC 9649). Raises FormatError.

    The chunk of the image is kept alone, so the alpha channel of a lossy image is dropped.
    """
    (length,) = struct.unpack_from("<I", data, 4)
    end = 8 + length
    if end > len(data):
        raise CutShortError(f"its end is missing after {len(data)} of {end} bytes")
    at, orientation = 12, 1
    image: tuple[bytes, int, int] | None = None
    while at + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, at)
        after = at + 8 + size
        if after > end:
            raise CutShortError(f"the chunk at byte {at} claims {size} bytes, {end - at - 8} exist")
        if kind in (b"ANIM", b"ANMF"):
            raise FormatError("animated", "is an animation: publish its images one by one")
        if kind in (b"VP8 ", b"VP8L") and image is None:
            image = kind, at + 8, after
        elif kind == b"EXIF":
            orientation = exif_orientation(data[at + 8 : after].removeprefix(b"Exif\0\0"))
        at = after + size % 2
    if image is None:
        raise CutShortError("it holds no image data")
    kind, start, after = image
    width, height, working = _webp_size(kind, data[start : start + 10])
    body = data[start:after] + bytes((after - start) % 2)
    riff = b"WEBP" + kind + struct.pack("<I", after - start) + body
    still = WEBP_MAGIC + struct.pack("<I", len(riff)) + riff
    return StillImage(still, width, height, 3, working_bytes=working, orientation=orientation)


def _webp_size(kind: bytes, head: bytes) -> tuple[int, int, int]:
    """Return width, height and working memory from the head of a lossy or lossless image."""
    if len(head) < 10:
        raise CutShortError("its image data have no header")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 1)
        if head[0] != 0x2F:
            raise CutShortError("its image data have no signature")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return width, height, 4 * width * height
    if head[3:6] != b"\x9d\x01\x2a":
        raise CutShortError("its image data have no signature")
    width, height = (v & 0x3FFF for v in struct.unpack_from("<HH", head, 6))
    return width, height, 0


#: Signature -> parser of the formats that sensor_msgs/CompressedImage may carry.
COMPRESSED_FORMATS: dict[bytes, Callable[[bytes], StillImage]] = {
    JPEG_MAGIC: parse_jpeg,
    PNG_MAGIC: parse_png,
    WEBP_MAGIC: parse_webp,
}


def find_parser(data: bytes) -> Callable[[bytes], StillImage] | None:
    """Return the parser of JPEG, PNG or WebP whose signature the data start with, else None."""
    if data.startswith(WEBP_MAGIC) and data[8:12] != b"WEBP":
        return None
    for magic, parse in COMPRESSED_FORMATS.items():
        if data.startswith(magic):
            return parse
    return None
