from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.recording.video import VideoWriter, fitted


def make_image(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def read(path: Path) -> tuple[list[float], list[np.ndarray], av.VideoCodecContext]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        pixels = [frame.to_ndarray(format="bgr24") for frame in frames]
        return [frame.time for frame in frames], pixels, stream.codec_context


def test_frames_keep_their_times(tmp_path: Path) -> None:
    times = [50.0, 50.04, 50.08, 51.5, 51.6]
    with VideoWriter(tmp_path / "a.mp4") as video:
        for number, time in enumerate(times):
            video.write(make_image(40 * number), time)
    shown, pixels, codec = read(tmp_path / "a.mp4")
    np.testing.assert_allclose(shown, np.array(times) - 50.0, atol=0.001)
    for number, frame in enumerate(pixels):
        assert abs(int(frame.mean()) - 40 * number) < 6
    # What browsers play.
    assert codec.name == "h264"
    assert codec.pix_fmt == "yuv420p"


def test_times_that_do_not_increase_are_moved(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as video:
        for time in (1.0, 1.0, 0.9, 2.0):
            video.write(make_image(100), time)
    shown, _, _ = read(tmp_path / "a.mp4")
    assert len(shown) == 4
    assert np.all(np.diff(shown) > 0)
    assert shown[-1] == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0.0, 0.04, 25_200.0, 25_200.04], [0.0, 0.04, 1.04, 1.08]),
        ([5000.0, 5000.04, 1400.0, 1400.04], [0.0, 0.04, 1.04, 1.08]),
    ],
)
def test_segments_follow_one_another_where_times_jump(
    tmp_path: Path, times: list[float], expected: list[float]
) -> None:
    with VideoWriter(tmp_path / "a.mp4") as video:
        for time in times:
            video.write(make_image(100), time)
    shown, _, _ = read(tmp_path / "a.mp4")
    np.testing.assert_allclose(shown, expected, atol=0.001)


@pytest.mark.parametrize("name", ["12:30.mp4", os.fsdecode(b"caf\xe9.mp4")])
def test_a_colon_or_a_byte_that_is_not_utf8_in_a_relative_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with VideoWriter(Path(name)) as video:
        video.write(make_image(100), 0.0)
    (tmp_path / name).rename(tmp_path / "a.mp4")
    assert len(read(tmp_path / "a.mp4")[0]) == 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((63, 47), (64, 48)),
        ((1, 1), (2, 2)),
        ((2560, 1440), (1280, 720)),
        ((720, 2560), (360, 1280)),
    ],
)
def test_sizes_are_even_and_bounded(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    with VideoWriter(tmp_path / "a.mp4") as video:
        video.write(make_image(100, *size), 0.0)
    _, (frame,), _ = read(tmp_path / "a.mp4")
    assert frame.shape[1::-1] == expected


def test_another_size_in_between_is_fitted_in(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as video:
        video.write(make_image(200), 0.0)
        video.write(make_image(200, 30, 90), 0.1)
    _, (_, tall), _ = read(tmp_path / "a.mp4")
    assert tall.shape == (48, 64, 3)
    assert abs(int(tall[24, 32, 0]) - 200) < 10
    assert tall[24, 4, 0] < 30, "black beside it"


@given(*[st.integers(1, 60)] * 4)
def test_fitting_fills_one_side_and_keeps_the_shape(
    w: int, h: int, width: int, height: int
) -> None:
    frame = fitted(make_image(255, w, h), width, height)
    assert frame.shape == (height, width, 3)
    rows, columns = (np.count_nonzero(frame.max(axis=(2, axis))) for axis in (1, 0))
    assert rows == height or columns == width
    scale = min(width / w, height / h)
    assert abs(columns - max(1, w * scale)) <= 1.0
    assert abs(rows - max(1, h * scale)) <= 1.0
