"""Damaged images print nothing, and nothing else that is printed meanwhile is lost."""

from __future__ import annotations

import os
import struct
import threading

import cv2
import numpy as np
import pytest

from edan_ros.core.images import ImageError, decode_compressed, decode_file
from edan_ros.core.images.decoder_log import decoder_log
from edan_ros.core.images.exif import TiffDirectory

PIXELS = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def encoded(suffix: str, damage_from: int, damage: bytes) -> bytes:
    _, data = cv2.imencode(suffix, PIXELS)
    raw = bytearray(data.tobytes())
    raw[damage_from : damage_from + len(damage)] = damage
    return bytes(raw)


def test_a_damaged_png_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImageError) as caught:
        decode_compressed(encoded(".png", 500, b"\0\0\0\0"), "png")
    assert caught.value.reason in ("not_an_image", "cut_short")
    assert capfd.readouterr().err == ""


def test_a_damaged_jpeg_that_decodes_carries_the_warning(
    capfd: pytest.CaptureFixture[str],
) -> None:
    image = decode_compressed(encoded(".jpg", 900, b"\xff" * 40), "jpeg")
    assert image.pixels.shape == (64, 64, 3)
    assert image.warning is not None
    assert image.warning.reason == "damaged"
    assert "Corrupt JPEG data" in str(image.warning)
    assert capfd.readouterr().err == ""


def test_a_damaged_tiff_prints_nothing_and_names_the_fault(
    capfd: pytest.CaptureFixture[str],
) -> None:
    _, data = cv2.imencode(".tif", PIXELS, [cv2.IMWRITE_TIFF_COMPRESSION, 32773])
    raw = bytearray(data.tobytes())
    raw[8:48] = bytes(40)
    image = decode_file(bytes(raw), "x.tif")
    assert image.warning is not None
    assert str(image.warning).startswith("x.tif is damaged: TIFF_Warning PackBitsDecode")
    assert capfd.readouterr().err == ""


def test_a_message_of_several_lines_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    _, data = cv2.imencode(".tif", PIXELS.astype(np.uint16), [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    tiff = TiffDirectory(data.tobytes())
    (entry,) = (entry for entry in tiff.entries if entry.tag == 339)  # SampleFormat
    raw = bytearray(data.tobytes())
    for at in range(tiff.position(entry), tiff.position(entry) + tiff.byte_count(entry), 2):
        struct.pack_into(f"{tiff.order}H", raw, at, 3)  # floating point
    with pytest.raises(ImageError, match="does not decode"):
        decode_file(bytes(raw), "x.tif")
    assert capfd.readouterr().err == ""


def test_empty_lines_of_others_are_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with decoder_log() as lines:
        os.write(2, b"before\n\nafter\n")
    assert lines == []
    assert capfd.readouterr().err == "before\n\nafter\n"


def test_what_others_print_meanwhile_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with decoder_log() as lines:
        os.write(2, b"libpng error: bad\n[WARN] of somebody else\n")
    assert lines == ["libpng error: bad"]
    assert capfd.readouterr().err == "[WARN] of somebody else\n"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_decoding_in_several_threads_restores_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def decode() -> None:
        for _ in range(50):
            decode_compressed(encoded(".jpg", 900, b"\xff" * 40), "jpeg")

    threads = [threading.Thread(target=decode) for _ in range(4)]
    descriptors = len(os.listdir("/proc/self/fd"))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1
