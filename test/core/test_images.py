"""Decoding of every encoding, and rejection of every malformed image with its reason."""

from __future__ import annotations

import array
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.core.crops import Crop, extract
from edan_ros.core.images import (
    ENCODINGS,
    REDUCTIONS,
    Image,
    ImageError,
    decode_compressed,
    decode_raw,
)

WIDTH, HEIGHT = 48, 36


def smooth_bgr(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return an image with slow colour gradients, which mosaics and subsampling preserve."""
    y, x = np.mgrid[:height, :width]
    blue = 40 + 3 * x * 48 // max(width, 48)
    green = 60 + 4 * y * 36 // max(height, 36)
    red = 220 - 2 * x * 48 // max(width, 48)
    return np.dstack([blue, green, red]).clip(0, 255).astype(np.uint8)


def packed_yuv(bgr: np.ndarray, uyvy: bool) -> np.ndarray:
    """Return YUV 4:2:2 made from OpenCV's planar 4:2:0 of doubled rows (limited range)."""
    y, u, v = planes(bgr)
    out = np.empty((*bgr.shape[:2], 2), np.uint8)
    out[..., 1 if uyvy else 0] = y
    chroma = 0 if uyvy else 1
    out[:, 0::2, chroma] = u.repeat(2, axis=0)
    out[:, 1::2, chroma] = v.repeat(2, axis=0)
    return out


def planes(bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    height, width = bgr.shape[:2]
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).ravel()
    y, quarter = height * width, height * width // 4
    shape = height // 2, width // 2
    u = i420[y : y + quarter].reshape(shape)
    return i420[:y].reshape(height, width), u, i420[y + quarter :].reshape(shape)


def semi_planar(bgr: np.ndarray, v_first: bool) -> np.ndarray:
    y, u, v = planes(bgr)
    pair = (v, u) if v_first else (u, v)
    return np.vstack([y, np.dstack(pair).reshape(-1, bgr.shape[1])])


def mosaic(bgr: np.ndarray, pattern: str) -> np.ndarray:
    """Return the sensor's mosaic: one sample per pixel, in the order of the pattern."""
    channel = {"b": 0, "g": 1, "r": 2}
    out = np.empty(bgr.shape[:2], np.uint8)
    for i, letter in enumerate(pattern):
        out[i // 2 :: 2, i % 2 :: 2] = bgr[i // 2 :: 2, i % 2 :: 2, channel[letter]]
    return out


def encoded(encoding: str, bgr: np.ndarray) -> np.ndarray:
    """Return the rows of a message of this encoding, uint8 or little-endian uint16."""
    if encoding.startswith("bayer_"):
        samples = mosaic(bgr, encoding[6:10])
        return samples.astype("<u2") * 257 if encoding.endswith("16") else samples
    if encoding in ("yuv422", "uyvy", "yuv422_yuy2", "yuyv"):
        return packed_yuv(bgr, uyvy=encoding in ("yuv422", "uyvy"))
    if encoding in ("nv12", "nv21"):
        return semi_planar(bgr, v_first=encoding == "nv21")
    if encoding in ("mono8", "8UC1", "mono16", "16UC1"):
        samples = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    elif encoding.startswith("rgb"):
        samples = bgr[..., ::-1]
    else:
        samples = bgr
    if encoding.startswith(("bgra", "rgba", "8UC4")):
        alpha = np.full((*bgr.shape[:2], 1), 9, np.uint8)
        samples = np.concatenate([samples, alpha], axis=2)
    sixteen = encoding.endswith("16") or encoding.startswith("16")
    return samples.astype("<u2") * 257 if sixteen else np.ascontiguousarray(samples)


def message(encoding: str, bgr: np.ndarray, padding: int = 0) -> tuple[bytes, int]:
    """Return data and step of a message with rows padded by 0xEE."""
    rows = encoded(encoding, bgr)
    as_bytes = np.ascontiguousarray(rows).view(np.uint8).reshape(rows.shape[0], -1)
    padded = np.pad(as_bytes, ((0, 0), (0, padding)), constant_values=0xEE)
    return padded.tobytes(), padded.shape[1]


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_every_encoding_is_decoded(encoding: str, padding: int) -> None:
    bgr = smooth_bgr()
    data, step = message(encoding, bgr, padding)
    image = decode_raw(data, WIDTH, HEIGHT, step, encoding)
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    if image.order == "mono":
        expected = cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    else:
        expected = bgr
    got = image.bgr().astype(int)
    inner = np.s_[2:-2, 2:-2]  # a mosaic's outermost samples are extrapolated
    lossy = encoding.startswith(("bayer", "yuv", "uyvy", "yuyv", "nv"))
    # Chroma averaged over two pixels and limited range cost a few greys of this gradient.
    assert np.abs(got - expected)[inner].max() <= (8 if lossy else 0)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1", "bgr8", "8UC3", "rgb8"])
@pytest.mark.parametrize("padding", [0, 32])
@pytest.mark.parametrize("kind", [bytes, bytearray, lambda b: array.array("B", b)])
def test_common_encodings_are_views(encoding: str, padding: int, kind) -> None:
    data, step = message(encoding, smooth_bgr(), padding)
    buffer = kind(data)
    image = decode_raw(buffer, WIDTH, HEIGHT, step, encoding)
    assert np.shares_memory(image.pixels, np.frombuffer(buffer, np.uint8))


@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "bgr16", "bayer_rggb16"])
def test_big_endian_sixteen_bit_equals_little_endian(encoding: str) -> None:
    data, step = message(encoding, smooth_bgr())
    swapped = np.frombuffer(data, "<u2").astype(">u2").tobytes()
    little = decode_raw(data, WIDTH, HEIGHT, step, encoding, False)
    big = decode_raw(swapped, WIDTH, HEIGHT, step, encoding, True)
    assert np.array_equal(little.pixels, big.pixels)
    assert little.warning is not None
    assert little.warning.reason == "sixteen_bit"


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_sixteen_bit_samples_of_fewer_bits_keep_their_contrast(bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, WIDTH).astype("<u2")
    data = np.tile(ramp, (HEIGHT, 1)).tobytes()
    image = decode_raw(data, WIDTH, HEIGHT, 2 * WIDTH, "mono16")
    assert image.pixels.max() == 255
    assert image.pixels.min() == 0


def test_black_sixteen_bit_image() -> None:
    image = decode_raw(bytes(2 * WIDTH * HEIGHT), WIDTH, HEIGHT, 2 * WIDTH, "mono16")
    assert not image.pixels.any()


BAD = [
    ("zero_size", {"width": 0}),
    ("zero_size", {"height": 0}),
    ("zero_size", {"width": 0, "height": 0, "step": 0, "data": b""}),
    ("step", {"step": WIDTH * 3 - 1}),
    ("step", {"step": 0}),
    ("data_length", {"step": WIDTH * 3 + 16}),
    ("data_length", {"data": bytes(WIDTH * HEIGHT * 3 - 1)}),
    ("data_length", {"data": bytes(WIDTH * HEIGHT * 3 + 1)}),
    ("data_length", {"data": b""}),
    ("encoding", {"encoding": "32FC1"}),
    ("encoding", {"encoding": "64FC3"}),
    ("encoding", {"encoding": ""}),
    ("encoding", {"encoding": "BGR8"}),
    ("odd_size", {"encoding": "uyvy", "width": 47}),
    ("odd_size", {"encoding": "nv12", "height": 35}),
    ("odd_size", {"encoding": "bayer_rggb8", "width": 1, "height": 1, "step": 1, "data": b"x"}),
]


@pytest.mark.parametrize(("reason", "change"), BAD)
def test_malformed_images_are_rejected_with_their_reason(reason: str, change: dict) -> None:
    fields = {
        "data": bytes(WIDTH * HEIGHT * 3),
        "width": WIDTH,
        "height": HEIGHT,
        "step": WIDTH * 3,
        "encoding": "bgr8",
        "is_bigendian": False,
    }
    with pytest.raises(ImageError) as caught:
        decode_raw(**{**fields, **change})
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


@given(
    st.binary(max_size=200),
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(0, 60),
    st.sampled_from([*ENCODINGS, "32FC1", "nonsense"]),
    st.booleans(),
)
@settings(max_examples=400)
def test_any_fields_give_an_image_of_that_size_or_an_image_error(
    data, width, height, step, encoding, big
) -> None:
    try:
        image = decode_raw(data, width, height, step, encoding, big)
    except ImageError:
        return
    assert (image.width, image.height) == (width, height)
    assert image.bgr().shape == (height, width, 3)
    assert image.pixels.dtype == np.uint8


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_the_smallest_image_of_every_encoding(encoding: str) -> None:
    side = 2 if ENCODINGS[encoding].even else 1
    data, step = message(encoding, np.full((side, side, 3), 200, np.uint8))
    image = decode_raw(data, side, side, step, encoding)
    assert image.bgr().shape == (side, side, 3)


@pytest.mark.parametrize(
    ("reason", "size", "padding", "big"),
    [
        (None, (64, 48), 0, False),
        ("padded_rows", (64, 48), 8, False),
        ("big_endian", (64, 48), 0, True),
        ("tiny_image", (1, 1), 0, False),
        ("huge_image", (8000, 6000), 0, False),
    ],
)
def test_unusual_but_usable_images_carry_a_warning(reason, size, padding, big) -> None:
    width, height = size
    data = np.zeros((height, width + padding), np.uint8)
    image = decode_raw(data.tobytes(), width, height, width + padding, "mono8", big)
    assert (image.warning.reason if image.warning else None) == reason


def jpeg(bgr: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(".jpg", bgr, list(options))[1].tobytes()


COMPRESSED = {
    "jpeg": jpeg(smooth_bgr()),
    "jpeg grey": jpeg(smooth_bgr()[..., 1]),
    "jpeg progressive": jpeg(smooth_bgr(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "jpeg restarts": jpeg(smooth_bgr(), cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    "png": cv2.imencode(".png", smooth_bgr())[1].tobytes(),
    "webp": cv2.imencode(".webp", smooth_bgr(), [cv2.IMWRITE_WEBP_QUALITY, 95])[1].tobytes(),
    "webp lossless": cv2.imencode(".webp", smooth_bgr(), [cv2.IMWRITE_WEBP_QUALITY, 101])[
        1
    ].tobytes(),
}


@pytest.mark.parametrize("kind", list(COMPRESSED))
def test_compressed_images_decode(kind: str) -> None:
    image = decode_compressed(array.array("B", COMPRESSED[kind]), "bgr8; jpeg compressed bgr8")
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    if kind == "jpeg grey":
        assert image.order == "mono"
        difference = image.pixels.astype(int) - smooth_bgr()[..., 1]
    else:
        difference = image.bgr().astype(int) - smooth_bgr()
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("kind", list(COMPRESSED))
def test_truncated_compressed_images_are_rejected(kind: str) -> None:
    whole = COMPRESSED[kind]
    for end in range(len(whole)):
        with pytest.raises(ImageError) as caught:
            decode_compressed(whole[:end], "jpeg")
        assert caught.value.reason in {"cut_short", "not_an_image"}
        if end > 12:
            assert caught.value.reason == "cut_short"


def test_a_jpeg_truncated_after_its_thumbnail_is_rejected() -> None:
    whole, thumbnail = COMPRESSED["jpeg"], jpeg(smooth_bgr(16, 16))
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    with_thumbnail = whole[:2] + segment + whole[2:]
    assert decode_compressed(with_thumbnail, "jpeg").width == WIDTH
    with pytest.raises(ImageError) as caught:
        decode_compressed(with_thumbnail[:-40], "jpeg")
    assert caught.value.reason == "cut_short"


def test_padding_after_the_jpeg_is_allowed() -> None:
    assert decode_compressed(COMPRESSED["jpeg"] + bytes(64), "jpeg").height == HEIGHT


def test_alpha_and_sixteen_bits_in_png() -> None:
    bgra = np.dstack([smooth_bgr(), np.full((HEIGHT, WIDTH), 7, np.uint8)])
    image = decode_compressed(cv2.imencode(".png", bgra)[1].tobytes(), "png")
    assert np.array_equal(image.bgr(), smooth_bgr())
    deep = smooth_bgr()[..., 0].astype(np.uint16) * 257
    image = decode_compressed(cv2.imencode(".png", deep)[1].tobytes(), "16UC1; png compressed")
    assert np.abs(image.pixels.astype(int) - smooth_bgr()[..., 0]).max() <= 1
    assert image.warning is not None
    assert image.warning.reason == "sixteen_bit"


@pytest.mark.parametrize("bits", [10, 12])
def test_a_png_of_fewer_bits_equals_the_raw_image(bits: int) -> None:
    deep = (smooth_bgr()[..., 0].astype(np.uint16) << bits) // 256
    raw = decode_raw(deep.astype("<u2").tobytes(), WIDTH, HEIGHT, 2 * WIDTH, "mono16")
    packed = decode_compressed(cv2.imencode(".png", deep)[1].tobytes(), "mono16; png compressed")
    np.testing.assert_array_equal(packed.pixels, raw.pixels)
    assert raw.pixels.max() > 127


def test_data_that_is_not_an_image_or_too_large_is_rejected() -> None:
    for data in (b"", b"hello", b"GIF89a" + bytes(50), b"RIFF\x00\x00\x00\x00WAVE" + bytes(40)):
        with pytest.raises(ImageError) as caught:
            decode_compressed(data, "jpeg")
        assert caught.value.reason == "not_an_image"
    bomb = bytearray(COMPRESSED["png"])
    bomb[16:24] = (60000).to_bytes(4, "big") * 2
    with pytest.raises(ImageError) as caught:
        decode_compressed(bytes(bomb), "png")
    assert caught.value.reason == "too_large"


def blobs(width: int, height: int) -> np.ndarray:
    """Return (height, width, 3) smooth colours whose grey levels encode the position."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    channels = [np.sin(x / 23) + np.cos(y / 17), np.sin((x + y) / 31), np.cos(x / 29 - y / 37)]
    return (127.5 + 60 * np.stack(channels, axis=-1)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("size", [(320, 240), (301, 227)])
def test_a_jpeg_is_shrunk_while_it_is_decoded(
    reduction: int, gray: bool, size: tuple[int, int]
) -> None:
    """Every pixel is the mean of its block, within 3 grey levels (8 at most)."""
    width, height = size
    data = cv2.imencode(".jpg", blobs(width, height), [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    whole = decode_compressed(data, "jpeg")
    image = decode_compressed(data, "jpeg", reduction=reduction, gray=gray)
    assert (image.width, image.height, image.reduction) == (width, height, reduction)
    assert image.order == ("mono" if gray else "bgr")
    rows, columns = height // reduction, width // reduction
    means = whole.gray()[: rows * reduction, : columns * reduction].astype(float)
    means = means.reshape(rows, reduction, columns, reduction).mean(axis=(1, 3))
    difference = np.abs(image.gray()[:rows, :columns] - means)
    assert difference.mean() < 1
    assert difference.max() < 8


def test_other_formats_keep_their_size_and_colour() -> None:
    for kind in ("png", "webp"):
        image = decode_compressed(COMPRESSED[kind], kind, reduction=4, gray=True)
        assert (image.reduction, image.width, image.order) == (1, WIDTH, "bgr")


@pytest.mark.parametrize("encoding", ["mono8", "bgr8", "rgb8"])
def test_common_encodings_are_not_copied_for_a_crop(encoding: str) -> None:
    """Pixels are the memory of the message; only a crop's region is converted to grey."""
    channels = 1 if encoding == "mono8" else 3
    data = array.array("B", bytes(640 * 480 * channels))
    image = decode_raw(data, 640, 480, 640 * channels, encoding)
    assert np.shares_memory(image.pixels, np.frombuffer(data, np.uint8))
    crops = [Crop(np.array([200.0, 200.0]), 90.0, 0.1)]
    extract(image, crops, 64)
    tracemalloc.start()
    extract(image, crops, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 640 * 480 // 4


@given(st.sampled_from(list(COMPRESSED)), st.data())
@settings(max_examples=200)
def test_damaged_compressed_images_raise_nothing_else(kind: str, draw) -> None:
    data = bytearray(COMPRESSED[kind])
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        image = decode_compressed(data, kind)
    except ImageError:
        return
    assert image.pixels.dtype == np.uint8


def test_grey_of_a_region_equals_the_region_of_the_grey() -> None:
    bgr = smooth_bgr()
    for image in (
        Image(bgr, "bgr"),
        Image(bgr[..., ::-1].copy(), "rgb"),
        Image(bgr[..., 0], "mono"),
    ):
        region = image.gray((3, 4, 20, 30))
        assert np.array_equal(region, image.gray()[4:30, 3:20])
