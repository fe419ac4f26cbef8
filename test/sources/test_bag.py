from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bags import SECOND, camera_info, compressed, raw, write_bag
from clips import corner_picture

from edan_ros.sources import SourceError, create_source
from edan_ros.sources.bag import BagPlayback, BagSource, is_bag

START = 1_700_000_000 * SECOND
STORAGES = pytest.mark.parametrize("storage", ["sqlite3", "mcap"])


@STORAGES
@pytest.mark.parametrize("make", [raw, compressed])
def test_images_come_with_their_stamps(
    tmp_path: Path, storage: str, make: Callable[[int, int], Any]
) -> None:
    # The bag got the images 3 ms after their stamps.
    stamps = [START, START + 40_000_001, START + SECOND]
    messages = [("/cam/image", s + 3_000_000, make(s, level)) for level, s in enumerate(stamps)]
    source = BagSource(write_bag(tmp_path / "bag", messages, storage))
    frames = list(source.frames())
    assert [f.stamp_ns for f in frames] == stamps
    assert [f.time for f in frames] == pytest.approx([0.0, 0.040000001, 1.0], abs=1e-12)
    assert [f.frame_id for f in frames] == ["bag_camera"] * 3
    np.testing.assert_array_equal(frames[1].image.pixels, corner_picture(level=1))
    assert source.length == 3
    assert source.rate == pytest.approx(2.0, rel=0.01)
    assert not source.live


@STORAGES
def test_the_topic_with_most_images_is_taken_raw_ones_first(tmp_path: Path, storage: str) -> None:
    few = [("/few/image", START + i, raw(START + i)) for i in range(2)]
    many = [("/many/image", START + i, raw(START + i)) for i in range(4)]
    small = [("/small/compressed", START + i, compressed(START + i)) for i in range(9)]
    path = write_bag(tmp_path / "bag", few + many + small, storage)
    assert BagSource(path).topic == "/many/image"
    assert BagSource(path, "small/compressed").length == 9
    with pytest.raises(SourceError, match="no images on /other, but on /few/image, /many/image"):
        BagSource(path, "other")


@STORAGES
def test_the_recorded_calibration_comes_along(tmp_path: Path, storage: str) -> None:
    messages = [
        ("/cam/image_raw", START, raw(START)),
        ("/cam/camera_info", START + 1, camera_info(START)),
        ("/other/camera_info", START + 2, camera_info(START, focal=9.0)),
        ("/cam/image_raw", START + 3, raw(START + 3)),
    ]
    first, second = BagSource(write_bag(tmp_path / "bag", messages, storage)).frames()
    assert first.camera is None
    assert second.camera is not None
    assert second.camera.K[0, 0] == 50.0
    assert (second.camera.width, second.camera.height) == (64, 48)
    assert second.camera.model == "plumb_bob"


@pytest.mark.parametrize("name", ["image_rect", "image_rect_color/compressed"])
def test_rectified_images_have_no_distortion(tmp_path: Path, name: str) -> None:
    info = camera_info(START)
    info.d[0] = -0.3
    make = compressed if name.endswith("compressed") else raw
    messages = [("/cam/camera_info", START, info), (f"/cam/{name}", START + 1, make(START))]
    (frame,) = BagSource(write_bag(tmp_path / "bag", messages)).frames()
    assert frame.camera is not None
    assert not np.any(frame.camera.D)


def test_a_calibration_of_zeros_counts_as_none(tmp_path: Path) -> None:
    messages = [
        ("/cam/camera_info", START, camera_info(START, focal=0.0)),
        ("/cam/image_raw", START + 1, raw(START)),
    ]
    (frame,) = BagSource(write_bag(tmp_path / "bag", messages)).frames()
    assert frame.camera is None


def test_without_stamps_the_time_of_recording_counts(tmp_path: Path) -> None:
    messages = [("/cam/image", START + i * SECOND, raw(0)) for i in range(3)]
    frames = list(BagSource(write_bag(tmp_path / "bag", messages)).frames())
    assert [f.stamp_ns for f in frames] == [START, START + SECOND, START + 2 * SECOND]


def test_bad_images_are_skipped_and_logged(tmp_path: Path) -> None:
    messages = [
        ("/cam/image", START, raw(START, step=10)),
        ("/cam/image", START + 1, raw(START + 1)),
        ("/cam/image", START + 2, raw(START + 2, encoding="32FC1")),
    ]
    logged: list[str] = []
    frames = list(BagSource(write_bag(tmp_path / "bag", messages), log=logged.append).frames())
    assert [f.stamp_ns for f in frames] == [START + 1]
    assert len(logged) == 2
    assert "step" in logged[0]
    assert "32FC1" in logged[1]


def test_only_bad_images_are_an_error(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", [("/cam/image", START, raw(START, step=10))])
    with pytest.raises(SourceError, match="no image on /cam/image can be decoded"):
        list(BagSource(path).frames())


def test_a_bag_without_images_is_refused(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", [("/cam/camera_info", START, camera_info(START))])
    with pytest.raises(SourceError, match="has no image topic"):
        BagSource(path)


@STORAGES
def test_a_bag_is_known_as_folder_and_as_file(tmp_path: Path, storage: str) -> None:
    path = write_bag(tmp_path / "bag", [("/cam/image", START, raw(START))], storage)
    (file,) = (p for p in path.iterdir() if p.suffix != ".yaml")
    assert is_bag(path)
    assert len(list(create_source(str(file)).frames())) == 1
    # A recorder that was killed leaves no metadata.
    (path / "metadata.yaml").unlink()
    assert is_bag(path)
    assert len(list(create_source(str(path)).frames())) == 1


@STORAGES
def test_an_empty_file_is_refused(tmp_path: Path, storage: str) -> None:
    path = write_bag(tmp_path / "bag", [("/i", START + i, raw(START)) for i in range(9)], storage)
    (file,) = (p for p in path.iterdir() if p.suffix != ".yaml")
    file.write_bytes(b"")
    with pytest.raises(SourceError, match="cannot be read as a bag"):
        list(create_source(str(path)).frames())


@STORAGES
def test_playback_and_source_go_on_where_the_times_jump(tmp_path: Path, storage: str) -> None:
    """Five days are missing; playback waits a second and logs it."""
    day = 86_400 * SECOND
    times = [START, START + SECOND // 2, START + 5 * day, START + 5 * day + SECOND // 2]
    path = write_bag(tmp_path / "bag", [("/image", time, raw(time)) for time in times], storage)
    logged: list[str] = []
    due = [message.time for message in BagPlayback(path, log=logged.append).frames()]
    assert due == pytest.approx([0.0, 0.5, 1.5, 2.0])
    assert logged == [f"{path}: the stamps jump ahead by 5 days: a new segment begins"]
    frames = list(BagSource(path, log=logged.append).frames())
    assert [frame.stamp_ns for frame in frames] == times
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.5, 432_000.0, 432_000.5])
    assert len(logged) == 2


def test_stamps_that_go_back_are_kept(tmp_path: Path) -> None:
    stamps = [START + 3600 * SECOND, START + 3601 * SECOND, START]
    messages = [("/image", START + i, raw(stamp)) for i, stamp in enumerate(stamps)]
    logged: list[str] = []
    frames = list(BagSource(write_bag(tmp_path / "bag", messages), log=logged.append).frames())
    assert [frame.time for frame in frames] == [0.0, 1.0, -3600.0]
    assert "the stamps jump back by 1 h 0 min" in logged[0]


def test_a_damaged_first_time_loses_no_message_of_a_playback(tmp_path: Path) -> None:
    times = [START + i * SECOND for i in range(4)]
    path = write_bag(tmp_path / "bag", [("/image", t, raw(t)) for t in times], "mcap")
    (file,) = path.glob("*.mcap")
    data = bytearray(file.read_bytes())
    at = data.rindex(times[0].to_bytes(8, "little") + times[-1].to_bytes(8, "little"))
    data[at : at + 8] = (times[2] + 5).to_bytes(8, "little")  # in the statistics record
    file.write_bytes(data)
    assert [due.message.time for due in BagPlayback(path).frames()] == times
