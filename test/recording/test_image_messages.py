"""Pixels written back into messages: hidden ones change, others keep their bytes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from edan_ros.core.images import ENCODINGS
from edan_ros.core.images.sixteen_bit import SixteenBitScaler
from edan_ros.core.message_fields import decode_image
from edan_ros.recording.image_messages import jpeg_quality, replaced_data

WIDTH, HEIGHT, PADDING = 24, 16, 8
COLOUR = (200, 90, 40)


def raw(encoding: str, *, bigendian: bool = False) -> Any:
    """A smooth image, with padded rows."""
    layout = ENCODINGS[encoding]
    used = WIDTH * layout.channels * layout.depth
    rows = HEIGHT * layout.rows // 2
    data = np.random.default_rng(0).integers(60, 190, (rows, used + PADDING), np.uint8)
    return SimpleNamespace(
        data=data.ravel(), width=WIDTH, height=HEIGHT, step=used + PADDING, encoding=encoding,
        is_bigendian=bigendian,
    )  # fmt: skip


@pytest.mark.parametrize("bigendian", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_raw_images_keep_their_encoding_and_all_other_bytes(encoding: str, bigendian: bool) -> None:
    message, scaler = raw(encoding, bigendian=bigendian), SixteenBitScaler()
    before = decode_image(message, scaler=scaler)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:11, 7:17] = True
    painted = before.bgr().copy()
    painted[mask] = COLOUR
    data = replaced_data(message, painted, mask, scaler)
    changed = SimpleNamespace(**{**vars(message), "data": data})
    after = decode_image(changed, scaler=scaler).bgr()
    inside = after[6:9, 10:14].astype(int)
    expected = np.array(COLOUR)
    if before.order == "mono":
        expected = cv2.cvtColor(np.uint8([[COLOUR]]), cv2.COLOR_BGR2GRAY).repeat(3)
    assert np.abs(inside - expected).max() <= 6
    rows = ENCODINGS[encoding].rows * HEIGHT // 2
    different = (data != message.data).reshape(rows, -1)
    assert different.any()
    assert not different[:, -PADDING:].any(), "padding"
    assert not different[[0, 1, 2, 3, 12, 13, 14, 15]].any(), "rows outside, or half of a block"
    far = np.ones_like(mask)
    far[2:13, 5:19] = False
    assert np.array_equal(after[far], before.bgr()[far])


_GRAY, _COLOUR = (32, 48), (32, 48, 3)


@pytest.mark.parametrize(
    ("suffix", "depth", "shape"),
    [
        (".jpg", np.uint8, _GRAY),
        (".jpg", np.uint8, _COLOUR),
        (".png", np.uint8, _GRAY),
        (".png", np.uint8, _COLOUR),
        (".png", np.uint16, _GRAY),
        (".png", np.uint16, _COLOUR),
        (".webp", np.uint8, _COLOUR),
    ],
)
def test_compressed_images_keep_format_depth_and_channels(
    suffix: str, depth: Any, shape: tuple[int, ...]
) -> None:
    pixels = np.full(shape, 100, depth) * (64 if depth == np.uint16 else 1)
    pixels[:4] = pixels[:4] // 2
    original = cv2.imencode(suffix, pixels)[1].ravel()
    message, scaler = SimpleNamespace(data=original, format=suffix), SixteenBitScaler()
    image = decode_image(message, scaler=scaler)
    mask = np.zeros(shape[:2], bool)
    mask[8:24, 8:24] = True
    painted = image.bgr().copy()
    painted[mask] = 30
    data = replaced_data(message, painted, mask, scaler)
    again = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert (again.shape, again.dtype) == (pixels.shape, pixels.dtype)
    assert data[:4].tobytes() == original[:4].tobytes()
    after = decode_image(SimpleNamespace(data=data, format=""), scaler=scaler).bgr()
    assert np.abs(after[10:22, 10:22].astype(int) - 30).max() <= 6
    assert np.abs(after[26:, 26:].astype(int) - image.bgr()[26:, 26:]).max() <= 4


@pytest.mark.parametrize("quality", [30, 60, 85, 95])
def test_the_quality_of_a_jpeg_is_kept(quality: int) -> None:
    pixels = np.full((16, 16, 3), 90, np.uint8)
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    assert abs(jpeg_quality(data) - quality) <= 2
    assert jpeg_quality(b"no table") == 95
