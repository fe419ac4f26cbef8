"""Encoded images for fuzzing: a few valid ones of each format, and mutations that keep structure.

Random bytes rarely pass a checksum, so chunks and segments are mutated as such.
"""

from __future__ import annotations

import contextlib
import random
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np

Chunk = tuple[bytes, bytes]
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: Integers at which length and size checks tend to be wrong.
EDGES = (0, 1, 2, 7, 8, 255, 256, 32767, 65535, 2**24 - 1, 2**31 - 1, 2**31, 0xFFFFFFF0, 2**32 - 1)


def pixels(width: int = 40, height: int = 24, depth: type = np.uint8) -> np.ndarray:
    """Return a smooth colour image with some noise, (height, width, 3) of uint8 or uint16."""
    y, x = np.mgrid[:height, :width]
    smooth = np.dstack([x * 5, y * 9, 200 - x * 3]).clip(0, 255)
    noisy = smooth + np.random.default_rng(0).integers(0, 9, smooth.shape)
    image = noisy.clip(0, 255).astype(depth)
    return image * 257 if depth is np.uint16 else image


def encode(suffix: str, image: np.ndarray, *options: int) -> bytes:
    """Return an image encoded by OpenCV."""
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def png_chunks(data: bytes) -> list[Chunk]:
    """Return type and body of the chunks of a valid PNG."""
    chunks, at = [], len(PNG_MAGIC)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunks.append((kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def join_png(chunks: list[Chunk]) -> bytes:
    """Return a PNG of chunks, with their checksums."""
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return PNG_MAGIC + b"".join(parts)


def animated_png(frames: int = 3) -> bytes:
    """Return an animated PNG whose frames are all the same."""
    head, *rest = png_chunks(encode(".png", pixels()))
    body = b"".join(body for kind, body in rest if kind == b"IDAT")
    width, height = struct.unpack_from(">II", head[1])
    chunks: list[Chunk] = [head, (b"acTL", struct.pack(">II", frames, 0))]
    number = 0
    for frame in range(frames):
        control = struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0)
        chunks.append((b"fcTL", control))
        number += 1
        if frame:
            chunks.append((b"fdAT", struct.pack(">I", number) + body))
            number += 1
        else:
            chunks.append((b"IDAT", body))
    return join_png([*chunks, (b"IEND", b"")])


def webp_chunks(data: bytes) -> list[Chunk]:
    """Return type and body of the chunks of a valid WebP."""
    chunks, at = [], 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return chunks


def join_webp(chunks: list[Chunk]) -> bytes:
    """Return a WebP of chunks."""
    parts = [
        kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in chunks
    ]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _three_bytes(value: int) -> bytes:
    return value.to_bytes(3, "little")


def animated_webp(width: int = 40, height: int = 24, frames: int = 2) -> bytes:
    """Return an animated WebP; the frames of 40x24 pixels may be on a larger canvas."""
    (image,) = webp_chunks(encode(".webp", pixels(), cv2.IMWRITE_WEBP_QUALITY, 80))
    canvas = b"\x02\0\0\0" + _three_bytes(width - 1) + _three_bytes(height - 1)
    where = _three_bytes(0) * 2 + _three_bytes(39) + _three_bytes(23) + _three_bytes(50) + b"\0"
    frame = where + join_webp([image])[12:]
    return join_webp([(b"VP8X", canvas), (b"ANIM", bytes(6)), *[(b"ANMF", frame)] * frames])


def jpeg_segments(data: bytes) -> list[bytes]:
    """Return the parts of a JPEG; each but the first starts with a marker."""
    starts = [0] + [
        i for i in range(2, len(data) - 1) if data[i] == 255 and data[i + 1] not in (0, 255)
    ]
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


def exif(orientation: int) -> bytes:
    """Return EXIF data with an orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    """Return a JPEG with an EXIF orientation."""
    body = b"Exif\0\0" + exif(orientation)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def _tiffs() -> list[bytes]:
    compressions = (1, 5, 7, 8, 32773)
    images = [pixels(), pixels(depth=np.uint16), pixels()[..., 0]]
    made = [
        encode(".tif", image, cv2.IMWRITE_TIFF_COMPRESSION, compression)
        for image in images
        for compression in compressions
        if not (compression == 7 and image.dtype == np.uint16)
    ]
    _, pages = cv2.imencodemulti(".tif", [pixels(), pixels()])
    return [*made, pages.tobytes()]


#: Format -> valid images of it.
SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "png": lambda: [
        encode(".png", pixels()),
        encode(".png", pixels()[..., 0]),
        encode(".png", pixels(depth=np.uint16)),
        encode(".png", np.dstack([pixels(), pixels()[..., :1]])),
        encode(".png", (pixels()[..., 0] > 99).astype(np.uint8), cv2.IMWRITE_PNG_BILEVEL, 1),
    ],
    "apng": lambda: [animated_png()],
    "jpeg": lambda: [
        encode(".jpg", pixels()),
        encode(".jpg", pixels()[..., 0]),
        encode(".jpg", pixels(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encode(".jpg", pixels(), cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
        with_exif(encode(".jpg", pixels()), 6),
    ],
    "webp": lambda: [
        encode(".webp", pixels(), cv2.IMWRITE_WEBP_QUALITY, 80),
        encode(".webp", pixels(), cv2.IMWRITE_WEBP_QUALITY, 101),
        encode(".webp", np.dstack([pixels(), pixels()[..., :1]]), cv2.IMWRITE_WEBP_QUALITY, 80),
        animated_webp(),
    ],
    "tiff": _tiffs,
    "bmp": lambda: [encode(".bmp", pixels()), encode(".bmp", pixels()[..., 0])],
    "netpbm": lambda: [
        encode(".ppm", pixels()),
        encode(".pgm", pixels(depth=np.uint16)[..., 0]),
        b"P2\n# comment\n4 2\n255\n1 2 3 4 5 6 7 8\n",
        b"P1 4 2\n1 0 1 0 1 1 1 1\n",
        b"P4 9 2\n" + bytes(4),
    ],
}


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return a mutation of an encoded image: of its chunks or segments, of its bytes, or both."""
    if rng.random() < 0.5:
        # An input that is no longer valid has no structure.
        with contextlib.suppress(struct.error, IndexError, ValueError):
            data = _mutate_structure(data, rng)
    if rng.random() < 0.7:
        data = mutate_bytes(data, rng)
    return data


def _mutate_structure(data: bytes, rng: random.Random) -> bytes:
    if data.startswith(PNG_MAGIC):
        extra = [(b"acTL", struct.pack(">II", rng.choice(EDGES), 0)), (b"tRNS", bytes(6))]
        extra += png_chunks(animated_png())[1:-1]
        return join_png(_mutate_parts(png_chunks(data), extra, rng))
    if data.startswith(b"RIFF"):
        extra = webp_chunks(animated_webp(rng.choice((40, 16384)), 24))
        return join_webp(_mutate_parts(webp_chunks(data), extra, rng))
    if data.startswith(b"\xff\xd8"):
        segments = jpeg_segments(data)
        for _ in range(rng.randint(1, 3)):
            _change_list(segments, list(segments), rng)
        at = rng.randrange(len(segments))
        segments[at] = segments[at][:2] + mutate_bytes(segments[at][2:], rng)
        return b"".join(segments)
    return mutate_bytes(data, rng)


def _mutate_parts(chunks: list[Chunk], extra: list[Chunk], rng: random.Random) -> list[Chunk]:
    for _ in range(rng.randint(1, 3)):
        _change_list(chunks, [*chunks, *extra], rng)
    if chunks and rng.random() < 0.7:
        at = rng.randrange(len(chunks))
        chunks[at] = chunks[at][0], mutate_bytes(chunks[at][1], rng)
    return chunks


def _change_list(parts: list, pool: list, rng: random.Random) -> None:
    """Insert a part of the pool, or remove, or swap."""
    action = rng.randrange(4)
    if action < 2 and pool:
        parts.insert(rng.randint(1, len(parts)) if parts else 0, rng.choice(pool))
    elif action == 2 and len(parts) > 1:
        del parts[rng.randrange(1, len(parts))]
    elif len(parts) > 2:
        a, b = rng.randrange(1, len(parts)), rng.randrange(1, len(parts))
        parts[a], parts[b] = parts[b], parts[a]


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return data with one to four changes of bytes, integers or ranges."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if not out:
            return bytes(rng.randrange(256) for _ in range(rng.randrange(9)))
        at = rng.randrange(len(out))
        match rng.randrange(6):
            case 0:
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                out[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            case 2:
                code = rng.choice((">I", "<I", ">H", "<H"))
                value = rng.choice(EDGES) & (2 ** (8 * struct.calcsize(code)) - 1)
                if at + 4 <= len(out):
                    struct.pack_into(code, out, at, value)
            case 3:
                del out[at : at + rng.choice((1, 2, 4, 16, 256))]
            case 4:
                end = at + rng.choice((1, 2, 4, 16, 256))
                out[at:at] = out[at:end]
            case _:
                if rng.random() < 0.3:
                    del out[at:]
    return bytes(out)
