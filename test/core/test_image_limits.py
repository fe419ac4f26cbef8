"""Hostile and unusual compressed images: still parts alone, within limits, whole or refused."""

from __future__ import annotations

import struct
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edan_ros.core.images import ImageError, decode_compressed, decode_file, decode_raw
from edan_ros.core.images.exif import TiffDirectory
from edan_ros.core.images.still_image import DecodeLimits

WIDTH, HEIGHT = 60, 44
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def make_image(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(1).integers(0, 20, (height, width, 3))
    return (np.dstack([x * 3, y * 4, 200 - x * 2]) % 230 + noise).astype(np.uint8)


def encode(suffix: str, image: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png(width: int, height: int, bits: int = 8, colour: int = 0, *extra: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), *extra, png_chunk(b"IEND", b"")]
    return PNG_MAGIC + b"".join(chunks)


IDAT = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
JPEG = encode(".jpg", make_image())
PROGRESSIVE = encode(".jpg", make_image(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
WEBP = encode(".webp", make_image(), cv2.IMWRITE_WEBP_QUALITY, 90)
LOSSLESS = encode(".webp", make_image(), cv2.IMWRITE_WEBP_QUALITY, 101)


def resized_jpeg(data: bytes, width: int, height: int) -> bytes:
    """Return a JPEG whose frame header claims another size."""
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def with_scans(data: bytes, scans: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated."""
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [k + struct.pack("<I", len(b)) + b + bytes(len(b) % 2) for k, b in chunks]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_image(data: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack_from("<I", data, 16)
    return data[12:16], data[20 : 20 + size]


def exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 255, marker, len(body) + 2) + body


ANIMATED_WEBP = riff(
    (b"VP8X", b"\2\0\0\0" + b"\xff\x3f\0" * 2), (b"ANIM", bytes(6)), (b"ANMF", bytes(16))
)
CLAIMING_CHUNK = PNG_MAGIC + png(9, 9)[8:33] + struct.pack(">I", 0xFFFFFFF0) + b"tEXt" + bytes(42)

HOSTILE = {
    "PNG chunk that claims 4 GB": (CLAIMING_CHUNK, "cut_short"),
    "PNG of 16 bits and 100 Mpx": (png(10_000, 10_000, 16, 2, IDAT), "too_large"),
    "PNG without data": (png(9, 9), "cut_short"),
    "PNG whose data end early": (png(100, 100, 8, 0, IDAT), "not_an_image"),
    "PNG of size 0": (png(0, 9, 8, 0, IDAT), "zero_size"),
    "animated WebP of a large canvas": (ANIMATED_WEBP, "animated"),
    "lossless WebP of 268 Mpx": (
        riff((b"VP8L", b"\x2f" + struct.pack("<I", 0x0FFFFFFF) + bytes(60))),
        "too_large",
    ),
    "WebP whose chunk claims too much": (
        WEBP[:16] + struct.pack("<I", 2**31) + WEBP[20:],
        "cut_short",
    ),
    "JPEG of 2,000 scans": (with_scans(PROGRESSIVE, 2000), "too_large"),
    "JPEG of few bytes that claims 100 Mpx": (resized_jpeg(JPEG[:-2], 9999, 9999), "cut_short"),
    "JPEG of few bytes with an end": (resized_jpeg(JPEG, 9999, 9999), "cut_short"),
    "JPEG cut in its data, with an end": (JPEG[: len(JPEG) // 2] + b"\xff\xd9", "cut_short"),
    "JPEG of size 0": (resized_jpeg(JPEG, 0, 9), "zero_size"),
    "JPEG of two frame headers": (
        JPEG[:2] + segment(0xC0, b"\x08\0\x09\0\x09\x01\x01\x11\0") + JPEG[2:],
        "cut_short",
    ),
    "JPEG whose frame header is hidden": (JPEG[:2] + b"\xff\xd0" + JPEG[2:], "cut_short"),
    "JPEG of many empty segments": (JPEG[:2] + segment(0xE2, b"") * 30_000 + JPEG[2:], "cut_short"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_images_are_refused_at_once(name: str) -> None:
    data, reason = HOSTILE[name]
    for decode in (lambda: decode_compressed(data, "x"), lambda: decode_file(data, "x")):
        start, before = time.process_time(), peak_memory()
        with pytest.raises(ImageError) as caught:
            decode()
        # Files may be larger than messages: what a chunk claims is refused all the same.
        assert caught.value.reason in (reason, "cut_short", "not_an_image")
        assert time.process_time() - start < 2
        assert peak_memory() - before < 50_000_000
    with pytest.raises(ImageError) as caught:
        decode_compressed(data, "x")
    assert caught.value.reason == reason


def peak_memory() -> int:
    """Return the largest resident memory so far in bytes (Linux)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


@pytest.mark.parametrize("data", [JPEG, WEBP, encode(".png", make_image(800, 600))])
def test_the_limit_of_memory_is_a_parameter(data: bytes) -> None:
    image = decode_compressed(data)
    limits = DecodeLimits(max_image_bytes=1_000_000)
    if image.width == WIDTH:
        assert decode_compressed(data, limits=limits).width == WIDTH
        return
    with pytest.raises(ImageError, match=r"takes 3 MB to decode, more than max_image_bytes, 1 MB"):
        decode_compressed(data, limits=limits)


def test_the_limits_of_scans_are_parameters() -> None:
    data = with_scans(PROGRESSIVE, 150)
    with pytest.raises(ImageError, match="has 160 scans, more than max_image_scans, 100"):
        decode_compressed(data)
    assert decode_compressed(data, limits=DecodeLimits(max_image_scans=200)).width == WIDTH
    large = encode(".jpg", make_image(640, 480), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    with pytest.raises(ImageError, match="640x480 pixels in 10 scans takes too long"):
        decode_compressed(large, limits=DecodeLimits(max_scanned_pixels=1_000_000))


@pytest.mark.parametrize("encoding", ["mono16", "rgba8", "bgr8"])
def test_raw_images_have_the_same_limit(encoding: str) -> None:
    depth = {"mono16": 2, "rgba8": 4, "bgr8": 3}[encoding]
    data = bytes(640 * 480 * depth)
    limits = DecodeLimits(max_image_bytes=1_000_000)
    if encoding == "bgr8":  # a view, without memory of its own
        assert decode_raw(data, 640, 480, 640 * depth, encoding, limits=limits).width == 640
        return
    if encoding == "mono16":
        assert decode_raw(data, 640, 480, 640 * depth, encoding, limits=limits).width == 640
        data, height = bytes(640 * 960 * depth), 960
    else:
        height = 480
    with pytest.raises(ImageError, match="more than max_image_bytes"):
        decode_raw(data, 640, height, 640 * depth, encoding, limits=limits)


def test_a_small_png_whose_data_expand_to_gigabytes_is_refused_at_once() -> None:
    machine = zlib.compressobj(9)
    block = bytes(10_000_000)
    data = b"".join(machine.compress(block) for _ in range(110)) + machine.flush()
    begin = time.process_time()
    with pytest.raises(ImageError, match="more data than 8x8 pixels need"):
        decode_compressed(png(8, 8, 8, 0, png_chunk(b"IDAT", data)))
    assert time.process_time() - begin < 0.2


def test_a_large_png_of_noise_is_not_taken_for_one_that_expands() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    image = decode_compressed(encode(".png", noise))
    np.testing.assert_array_equal(image.pixels, noise)


def test_an_animated_png_is_its_default_image() -> None:
    still = encode(".png", make_image())
    header, rest = still[:33], still[33:]
    control = struct.pack(">IIIIIHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
    frame = png_chunk(b"fdAT", struct.pack(">I", 2) + b"no data")
    animated = (
        header
        + png_chunk(b"acTL", struct.pack(">II", 2, 0))
        + png_chunk(b"fcTL", control)
        + rest[:-12]
        + frame
        + rest[-12:]
    )
    for image in (decode_compressed(animated), decode_file(animated, "x")):
        assert np.array_equal(image.pixels, make_image())
        assert image.warning is None


def test_a_tiff_of_several_pages_is_its_first_page() -> None:
    pages = [make_image(), 255 - make_image(), make_image()]
    _, data = cv2.imencodemulti(".tif", pages)
    assert np.array_equal(decode_file(data.tobytes(), "x").pixels, pages[0])


def test_the_alpha_channel_of_webp_is_dropped() -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 7, np.uint8)
    alpha[: HEIGHT // 2] = 200
    data = encode(".webp", np.dstack([make_image(), alpha]), cv2.IMWRITE_WEBP_QUALITY, 90)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decode_compressed(data).pixels, expected)


@pytest.mark.parametrize("orientation", range(10))
def test_files_are_turned_upright_as_opencv_turns_them(orientation: int) -> None:
    body = b"Exif\0\0" + exif(orientation)
    data = JPEG[:2] + segment(0xE1, body) + segment(0xFE, b"comment") + JPEG[2:]
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decode_file(data, "x").pixels, expected)
    assert np.array_equal(decode_compressed(data).pixels, decode_compressed(JPEG).pixels)
    still = encode(".png", make_image())
    turned = still[:33] + png_chunk(b"eXIf", exif(orientation)) + still[33:]
    assert decode_file(turned, "x").pixels.shape == expected.shape
    webp = riff((b"VP8X", bytes(10)), webp_image(WEBP), (b"EXIF", exif(orientation)))
    assert decode_file(webp, "x").pixels.shape == expected.shape


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_metadata_do_not_reach_the_decoder(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    junk = b"\xff\xff\xff\xffICC_PROFILE"
    still = encode(".png", make_image())
    data = {
        "png": still[:33] + png_chunk(b"iCCP", junk) + png_chunk(b"zTXt", junk) + still[33:],
        "jpeg": JPEG[:2] + segment(0xE2, junk) + segment(0xE1, junk) + JPEG[2:],
        "webp": riff((b"VP8X", bytes(10)), (b"ICCP", junk), webp_image(LOSSLESS), (b"XMP ", junk)),
    }[kind]
    plain = {"png": still, "jpeg": JPEG, "webp": LOSSLESS}[kind]
    image = decode_compressed(data)
    assert np.array_equal(image.pixels, decode_compressed(plain).pixels)
    assert image.warning is None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".pgm", ".tif"])
def test_files_whose_data_end_early_are_refused(
    suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    image = make_image()[..., 0] if suffix == ".pgm" else make_image()
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 1] if suffix == ".tif" else []
    data = encode(suffix, image, *options)
    assert np.array_equal(decode_file(data, "x").pixels, image)
    for end in range(0, len(data) - 1, 97):
        with pytest.raises(ImageError) as caught:
            decode_file(data[:end], "x")
        assert caught.value.reason in ("cut_short", "not_an_image")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_a_compressed_tiff_whose_data_end_early_is_refused(compression: int) -> None:
    data = encode(".tif", make_image(), cv2.IMWRITE_TIFF_COMPRESSION, compression)
    directory = TiffDirectory(data)
    (entry,) = (entry for entry in directory.entries if entry.tag == 279)  # StripByteCounts
    sizes = directory.values(279)
    code = f"{directory.order}{len(sizes)}{'H' if entry.kind == 3 else 'I'}"
    halved = bytearray(data)
    struct.pack_into(code, halved, directory.position(entry), *(size // 2 for size in sizes))
    assert decode_file(data, "x").warning is None
    with pytest.raises(ImageError) as caught:
        decode_file(bytes(halved), "x")
    assert caught.value.reason == "cut_short"


@pytest.mark.parametrize(
    "data", [b"GIF89a" + bytes(50), b"\0\0\0\x20ftypavif" + bytes(40), b"\x76\x2f\x31\x01", b"\0"]
)
def test_other_formats_are_named(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"a\.jpg is not an image in JPEG, PNG, WebP, TIFF"):
        decode_file(data, "a.jpg")


def test_an_empty_file_is_reported_as_empty() -> None:
    with pytest.raises(ImageError, match=r"^a\.jpg is empty") as caught:
        decode_file(b"", "a.jpg")
    assert caught.value.reason == "not_an_image"


def test_a_jpeg_damaged_in_the_middle_keeps_its_image() -> None:
    middle = len(JPEG) * 2 // 3
    data = JPEG[:middle] + b"\xff\x1a" * 4 + JPEG[middle + 8 :]
    image = decode_compressed(data)
    assert image.warning is not None
    assert image.warning.reason == "damaged"


LARGEST = {
    "png": lambda image: encode(".png", image),
    "png of 16 bits": lambda image: encode(".png", image.astype(np.uint16) * 257),
    "jpeg": lambda image: encode(".jpg", image),
    "progressive jpeg": lambda image: encode(".jpg", image, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "webp": lambda image: encode(".webp", image, cv2.IMWRITE_WEBP_QUALITY, 80),
    "lossless webp": lambda image: encode(".webp", image, cv2.IMWRITE_WEBP_QUALITY, 101),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory as Linux does")
@pytest.mark.parametrize("kind", list(LARGEST))
def test_decoding_takes_no_more_memory_than_the_limit(kind: str) -> None:
    """An image that is just refused with a limit takes about as much memory, not more."""
    data = LARGEST[kind](np.full((1500, 2000, 3), 77, np.uint8))
    with pytest.raises(ImageError, match="MB to decode") as caught:
        decode_compressed(data, limits=DecodeLimits(max_image_bytes=1_000_000))
    announced = 1e6 * int(str(caught.value).split(" MB to decode")[0].rpartition(" ")[2])
    decode_compressed(data)  # libraries are loaded
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_memory()
    decode_compressed(data)
    assert peak_memory() - before < 1.1 * announced + 4e6
