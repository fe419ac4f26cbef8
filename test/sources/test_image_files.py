from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import corner_picture
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.sources import SourceError
from edan_ros.sources.image_files import (
    IMAGE_RATE,
    ImageFileSource,
    images_in,
    images_matching,
    natural_key,
)


def make(folder: Path, *names: str) -> None:
    for level, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), corner_picture(level=level))


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_numbers_in_names_sort_by_value(numbers: list[int]) -> None:
    paths = [Path(f"image_{number}.png") for number in numbers]
    expected = [Path(f"image_{number}.png") for number in sorted(numbers)]
    assert sorted(paths, key=natural_key) == expected


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1)))
def test_any_names_have_one_order(names: list[str]) -> None:
    paths = {Path(name) for name in names}
    order = sorted(paths, key=natural_key)
    backwards = order[::-1]
    assert sorted(backwards, key=natural_key) == order
    assert len({str(natural_key(path)) for path in paths}) == len(paths)


def test_a_folder_gives_its_images_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, "b10.png", "b9.JPG", "a.webp", "below/c.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in images_in(tmp_path)] == ["a.webp", "b9.JPG", "b10.png"]


def test_globs(tmp_path: Path) -> None:
    make(tmp_path, "a1.png", "a2.png", "b1.png", "below/a3.png")
    (tmp_path / "a4.txt").write_text("no picture")

    def names(pattern: str) -> list[str]:
        return [path.name for path in images_matching(str(tmp_path / pattern))]

    assert names("a*") == ["a1.png", "a2.png"]
    assert names("[ab]1.png") == ["a1.png", "b1.png"]
    assert names("**/a?.png") == ["a1.png", "a2.png", "a3.png"]
    with pytest.raises(SourceError, match="no image matches"):
        names("*.txt")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no image"):
        images_in(tmp_path)


def test_images_come_in_order_and_in_time(tmp_path: Path) -> None:
    make(tmp_path, "2.png", "10.png")
    source = ImageFileSource("pictures", images_in(tmp_path))
    frames = list(source.frames())
    assert [int(f.image.pixels[-1, -1, 0]) for f in frames] == [0, 1]
    assert [f.time for f in frames] == [0.0, 1.0 / IMAGE_RATE]
    assert source.length == 2


#: The beginning of a PNG of 40,000 pixels a side, more than OpenCV reads.
HUGE = b"\x89PNG\r\n\x1a\n" + struct.pack(
    ">I4s2I5BI",
    13,
    b"IHDR",
    40_000,
    40_000,
    8,
    0,
    0,
    0,
    0,
    zlib.crc32(b"IHDR" + struct.pack(">2I5B", 40_000, 40_000, 8, 0, 0, 0, 0)),
)


@pytest.mark.parametrize("broken", [b"broken", HUGE], ids=["broken", "huge"])
def test_unreadable_images_are_skipped_and_logged(tmp_path: Path, broken: bytes) -> None:
    make(tmp_path, "1.png", "3.png")
    (tmp_path / "2.png").write_bytes(broken)
    logged: list[str] = []
    frames = list(ImageFileSource("pictures", images_in(tmp_path), logged.append).frames())
    assert [f.time for f in frames] == [0.0, 1.0 / IMAGE_RATE]
    assert [f.name for f in frames] == ["1.png", "3.png"]
    assert len(logged) == 1
    assert "2.png" in logged[0]


def test_only_unreadable_images_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"broken")
    with pytest.raises(SourceError, match="cannot be read as an image"):
        list(ImageFileSource(str(tmp_path), images_in(tmp_path)).frames())


def test_grey_images_of_twelve_bits_keep_their_levels(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 4096, 16, np.uint16), (8, 1))
    cv2.imwrite(str(tmp_path / "1.png"), ramp)
    (frame,) = ImageFileSource("p", [tmp_path / "1.png"]).frames()
    np.testing.assert_array_equal(frame.image.gray(), ramp >> 4)


def test_exif_orientation_is_followed(tmp_path: Path) -> None:
    # Orientation 6: the camera was held turned; the stored image is to be turned clockwise.
    _, jpeg = cv2.imencode(".jpg", corner_picture())
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    data = jpeg.tobytes()
    (tmp_path / "1.jpg").write_bytes(data[:2] + segment + data[2:])
    image = next(ImageFileSource("p", [tmp_path / "1.jpg"]).frames()).image
    assert (image.width, image.height) == (48, 64)
    assert np.all(image.pixels[2:8, -8:-2] > 200), "the upper left corner is the upper right now"
