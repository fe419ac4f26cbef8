from __future__ import annotations

import gc
import itertools
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import attach_cover, bright_corner, write_video

from edan_ros.sources import SourceError
from edan_ros.sources.video import VideoSource, orient


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 40, 80, 500, 510, 2000]
    frames = list(VideoSource(write_video(tmp_path / "a.mp4", times)).frames())
    np.testing.assert_allclose([f.time for f in frames], np.array(times) / 1000, atol=0.002)


def test_time_begins_with_the_first_frame(tmp_path: Path) -> None:
    frames = list(VideoSource(write_video(tmp_path / "a.mkv", [700, 740, 790])).frames())
    np.testing.assert_allclose([f.time for f in frames], [0.0, 0.04, 0.09], atol=0.002)


def test_rate_and_length_are_known_before_reading(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", range(0, 1000, 50)))
    assert source.length == 20
    assert source.rate == pytest.approx(20.0, rel=0.06)
    assert not source.live


def test_every_call_of_frames_starts_over(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", range(0, 400, 40)))
    first, second = ([f.image.pixels for f in source.frames()] for _ in range(2))
    assert len(first) == 10
    np.testing.assert_array_equal(first, second)


def test_decoded_frames_are_freed_at_once(tmp_path: Path) -> None:
    """Without waiting for the garbage collector: each holds pixels, and threads that convert."""
    source = VideoSource(write_video(tmp_path / "a.mp4", range(0, 400, 40)))
    gc.collect()
    gc.disable()
    try:
        assert len(list(source.frames())) == 10
        kept = sum(isinstance(each, av.VideoFrame) for each in gc.get_objects())
    finally:
        gc.enable()
    assert kept == 0


# The square is in the upper left corner of the stored image; a player turns it counter-clockwise.
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


@pytest.mark.skipif(not hasattr(av.video.stream.VideoStream, "set_display_matrix"), reason="PyAV")
@pytest.mark.parametrize(
    ("rotation", "mirrored", "corner", "orientation"),
    [
        (0, (True, False), ("top", "right"), "mirrored"),
        (0, (False, True), ("bottom", "left"), "mirrored, rotated by 180 degrees"),
        (180, (True, True), ("top", "left"), "upright"),
        (90, (False, False), ("bottom", "left"), "rotated by 270 degrees"),
    ],
)
def test_a_display_matrix_that_mirrors_is_applied(
    tmp_path: Path,
    rotation: int,
    mirrored: tuple[bool, bool],
    corner: tuple[str, str],
    orientation: str,
) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 40], rotation=rotation, mirrored=mirrored)
    source = VideoSource(path)
    assert bright_corner(next(source.frames()).image.pixels) == corner
    assert source.orientation == orientation


MATRICES = {
    # FFmpeg's autorotation for the signs of the display matrix: fftools/ffmpeg_filter.c.
    (1, 0, 0, 1): lambda p: p,
    (-1, 0, 0, 1): lambda p: p[:, ::-1],  # hflip
    (1, 0, 0, -1): lambda p: p[::-1],  # vflip
    (-1, 0, 0, -1): lambda p: p[::-1, ::-1],  # hflip, vflip
    (0, 1, -1, 0): lambda p: np.rot90(p, -1),  # transpose=clock
    (0, -1, 1, 0): lambda p: np.rot90(p),  # transpose=cclock
    (0, 1, 1, 0): lambda p: p.transpose(1, 0, 2),  # transpose=cclock_flip
    (0, -1, -1, 0): lambda p: np.rot90(p, -1)[::-1],  # transpose=clock_flip
}


@pytest.mark.parametrize("signs", MATRICES)
def test_all_eight_orientations_are_those_of_ffmpeg(signs: tuple[int, ...]) -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    matrix = np.zeros((3, 3))
    matrix[:2, :2] = np.reshape(signs, (2, 2))
    shown, _ = orient(pixels, matrix)
    np.testing.assert_array_equal(shown, MATRICES[signs](pixels))


def test_an_odd_angle_rotates_the_image_within_its_frame() -> None:
    angle = np.radians(30.0)
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    pixels = np.zeros((101, 101, 3), np.uint8)
    pixels[48:53, 80:90] = 255  # to the right of the middle
    shown, name = orient(pixels, matrix)
    y, x = (int(np.median(axis)) - 50 for axis in np.nonzero(shown.max(axis=2) > 128))
    # Clockwise: what was to the right lies lower.
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(30.0, abs=2.0)
    assert name == "rotated by 30 degrees"


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(2), (128, 48)), (Fraction(3, 4), (64, 64)), (None, (64, 48))]
)
def test_pixels_that_are_not_square_are_resampled(
    tmp_path: Path, aspect: Fraction | None, size: tuple[int, int]
) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", [0, 40], pixel_aspect=aspect))
    image = next(source.frames()).image
    assert (image.width, image.height) == size
    assert source.pixel_aspect == (aspect or 1)


def test_the_aspect_of_a_turned_video_is_that_of_the_stored_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 40], pixel_aspect=Fraction(2), rotation=90)
    source = VideoSource(path)
    image = next(source.frames()).image
    assert (image.width, image.height) == (48, 128)
    assert source.properties == {"orientation": "rotated by 270 degrees", "pixel aspect": "2:1"}


def test_a_cover_image_is_not_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", range(0, 400, 40), cover=True)
    frames = list(VideoSource(path).frames())
    assert len(frames) == 10
    assert (frames[0].image.width, frames[0].image.height) == (64, 48)


def test_sound_with_a_cover_image_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("mp3", rate=44100, layout="mono")
        attach_cover(container, container.add_stream("mjpeg", rate=1))
        for at in range(0, 44100, 1152):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16p", "mono")
            frame.sample_rate, frame.pts = 44100, at
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    with pytest.raises(SourceError, match="holds no video stream but a cover image"):
        VideoSource(path)


@pytest.mark.parametrize("name", ["12:30.mp4", "file:a.mp4", os.fsdecode(b"caf\xe9.mp4")])
def test_a_colon_or_a_byte_that_is_not_utf8_in_a_relative_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_video(tmp_path / "a.mp4", [0, 40]).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(VideoSource(Path(name)).frames())) == 2


def test_time_stamps_that_jump_are_reported(tmp_path: Path) -> None:
    logged: list[str] = []
    path = write_video(tmp_path / "a.mkv", [0, 40, 25_200_000, 25_200_040])
    frames = list(VideoSource(path, logged.append).frames())
    np.testing.assert_allclose(
        [f.time for f in frames], [0.0, 0.04, 25_200.0, 25_200.04], atol=0.01
    )
    (line,) = logged
    assert "the stamps jump ahead by 7 h 0 min" in line


def test_a_file_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mkv", range(0, 4000, 40), size=(320, 240)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    frames = list(VideoSource(tmp_path / "cut.mkv").frames())
    assert 10 < len(frames) < 100


def test_a_damaged_part_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    data = bytearray(write_video(path, range(0, 4000, 40), size=(320, 240)).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    frames = list(VideoSource(path).frames())
    assert 50 < len(frames) <= 100
    assert all(b.time > a.time for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(5000)])
def test_a_file_that_is_not_a_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mp4 is not a video that FFmpeg can read"):
        VideoSource(path)


def test_sound_alone_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(SourceError, match="holds no video stream"):
        VideoSource(path)
