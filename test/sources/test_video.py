from __future__ import annotations

import itertools
from pathlib import Path

import av
import numpy as np
import pytest
from clips import bright_corner, write_video

from edan_ros.sources import SourceError
from edan_ros.sources.video import VideoSource


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 40, 80, 500, 510, 2000]
    frames = list(VideoSource(write_video(tmp_path / "a.mp4", times)).frames())
    np.testing.assert_allclose([f.time for f in frames], np.array(times) / 1000, atol=0.002)


def test_time_begins_with_the_first_frame(tmp_path: Path) -> None:
    frames = list(VideoSource(write_video(tmp_path / "a.mkv", [700, 740, 790])).frames())
    np.testing.assert_allclose([f.time for f in frames], [0.0, 0.04, 0.09], atol=0.002)


def test_rate_and_length_are_told_before_reading(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", range(0, 1000, 50)))
    assert source.length == 20
    assert source.rate == pytest.approx(20.0, rel=0.06)
    assert not source.live


def test_frames_begin_anew_at_every_call(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", range(0, 400, 40)))
    first, second = ([f.image.pixels for f in source.frames()] for _ in range(2))
    assert len(first) == 10
    np.testing.assert_array_equal(first, second)


# The square is in the upper left corner of the stored picture; a player turns it counter-clockwise.
@pytest.mark.skipif(
    not hasattr(av.video.stream.VideoStream, "set_display_rotation"),
    reason="this PyAV cannot write a rotation flag",
)
@pytest.mark.parametrize(
    ("degrees", "corner"),
    [
        (0, ("top", "left")),
        (90, ("bottom", "left")),
        (180, ("bottom", "right")),
        (270, ("top", "right")),
    ],
)
def test_a_rotation_flag_is_followed(tmp_path: Path, degrees: int, corner: tuple[str, str]) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 40], rotation=degrees)
    image = next(VideoSource(path).frames()).image
    assert bright_corner(image.pixels) == corner
    assert (image.width, image.height) == ((64, 48) if degrees % 180 == 0 else (48, 64))


def test_a_file_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mkv", range(0, 4000, 40), size=(320, 240)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    frames = list(VideoSource(tmp_path / "cut.mkv").frames())
    assert 10 < len(frames) < 100


def test_a_damaged_part_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    data = bytearray(write_video(path, range(0, 4000, 40), size=(320, 240)).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    frames = list(VideoSource(path).frames())
    assert 50 < len(frames) <= 100
    assert all(b.time > a.time for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(5000)])
def test_what_is_no_video_is_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mp4 is not a video that FFmpeg can read"):
        VideoSource(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(SourceError, match="holds no video stream"):
        VideoSource(path)
