"""Conversion of 16-bit images: robust against single pixels, and stable from frame to frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edan_ros.core.images import decode_compressed, decode_file, decode_raw
from edan_ros.core.images.sixteen_bit import SixteenBitScaler, to_8bit
from edan_ros.datasets.files import from_file

WIDTH, HEIGHT = 320, 240


def infrared(bits: int = 10, seed: int = 0) -> np.ndarray:
    """Return an image that uses the given number of bits, uint16."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    smooth = 0.5 + 0.45 * np.sin(x / 20) * np.cos(y / 25)
    noise = np.random.default_rng(seed).normal(0, 0.01, smooth.shape)
    return ((smooth + noise).clip(0, 1) * (2**bits - 1)).astype(np.uint16)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("saturated", [1, 40])
def test_saturated_pixels_do_not_darken_the_image(bits: int, saturated: int) -> None:
    clean = infrared(bits)
    expected = (clean >> (bits - 8)).astype(np.uint8)
    assert np.array_equal(to_8bit(clean), expected)
    hot = clean.copy()
    hot.ravel()[:: hot.size // saturated] = 65535
    found = to_8bit(hot)
    assert np.array_equal(found[hot != 65535], expected[hot != 65535])
    assert (found[hot == 65535] == 255).all()


def test_messages_files_and_data_sets_are_converted_alike(tmp_path: Path) -> None:
    deep = infrared()
    deep[3, 4] = 65535
    expected = to_8bit(deep)
    png = cv2.imencode(".png", deep)[1].tobytes()
    path = tmp_path / "infrared.png"
    path.write_bytes(png)
    raw = decode_raw(deep.tobytes(), WIDTH, HEIGHT, 2 * WIDTH, "mono16")
    for pixels in (
        raw.pixels,
        decode_compressed(png).pixels,
        decode_file(png, "x").pixels,
        from_file(path)(),
    ):
        assert np.array_equal(pixels, expected)


def test_the_levels_of_a_camera_do_not_flicker() -> None:
    """Brightness around a power of two would halve and double the levels of single images."""
    scaler = SixteenBitScaler()
    rng = np.random.default_rng(2)
    levels = []
    for frame in range(60):
        deep = (infrared(10, frame) * rng.uniform(0.97, 1.05)).astype(np.uint16)
        levels.append(
            float(
                np.median(
                    decode_raw(
                        deep.tobytes(), WIDTH, HEIGHT, 2 * WIDTH, "mono16", scaler=scaler
                    ).pixels
                )
            )
        )
    jumps = [a / b for a, b in zip(levels[1:], levels[:-1], strict=True) if not 0.8 < a / b < 1.25]
    assert len(jumps) <= 1


def test_the_levels_follow_a_lasting_change() -> None:
    scaler = SixteenBitScaler()
    assert np.array_equal(to_8bit(infrared(10), scaler), infrared(10) >> 2)
    assert np.array_equal(to_8bit(infrared(14), scaler), infrared(14) >> 6)
    assert np.array_equal(to_8bit(infrared(10), scaler), infrared(10) >> 2)


def test_a_single_image_does_not_depend_on_the_one_before() -> None:
    first = to_8bit(infrared(10))
    to_8bit(infrared(16))
    assert np.array_equal(to_8bit(infrared(10)), first)


def test_a_thermal_image_keeps_its_contrast() -> None:
    """Kelvin in hundredths: 20 to 38 degrees are 29,315 to 31,115 of 65,535 levels."""
    thermal = (29_315 + infrared(10) * 1.76).astype(np.uint16)
    found = to_8bit(thermal)
    assert len(np.unique(found)) > 64
    order = np.argsort(thermal.ravel(), kind="stable")
    assert (np.diff(found.ravel()[order].astype(int)) >= 0).all()


def test_the_colours_of_a_16_bit_image_keep_their_ratio() -> None:
    bgr = np.zeros((60, 60, 3), np.uint16)
    bgr[...] = (200, 400, 800)
    bgr[0, 0] = 65535
    assert np.array_equal(to_8bit(bgr)[5, 5], [50, 100, 200])


@pytest.mark.parametrize("noise", [0, 40])
def test_a_uniform_image_keeps_its_brightness(noise: int) -> None:
    levels = np.random.default_rng(0).integers(51_200, 51_201 + noise, (HEIGHT, WIDTH))
    assert (to_8bit(levels.astype(np.uint16)) == 200).all()


@pytest.mark.parametrize("outlier", [0, 65_535])
def test_one_dead_pixel_of_a_32x24_thermal_image_keeps_the_contrast(outlier: int) -> None:
    thermal = (29_315 + infrared(10)[::10, ::10] * 0.7).astype(np.uint16)
    expected = np.delete(to_8bit(thermal), 7, axis=1).astype(int)
    thermal[5, 7] = outlier
    found = np.delete(to_8bit(thermal), 7, axis=1)
    assert np.ptp(expected) > 100
    assert np.abs(found - expected).max() < 16
