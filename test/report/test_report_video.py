"""The video of a report: its times, its size, and what it shows of people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from recordings import face, line, write_lines
from test_thumbnails import frames

from edan_ros.report import video as video_module
from edan_ros.report.from_lines import read_lines
from edan_ros.report.records import Recording
from edan_ros.report.video import write_videos
from edan_ros.sources import SourceError

pytestmark = pytest.mark.skipif(not video_module.browsers_play(), reason="no H.264 encoder")


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    lines = [line(i / 10, face()) for i in range(8)]
    return read_lines(write_lines(tmp_path / "faces.jsonl", lines))


def decoded(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        for frame in container.decode(video=0):
            yield frame.time, frame.to_ndarray(format="bgr24").astype(int)


def test_images_have_the_times_of_their_results(recording: Recording, tmp_path: Path) -> None:
    videos = write_videos(recording, {0: frames(8)}, tmp_path / "a")
    assert (videos[0].path.name, videos[0].begin) == ("a_video.mp4", 0.0)
    assert (videos[0].width, videos[0].height) == (160, 120)
    shown = list(decoded(videos[0].path))
    assert [time for time, _ in shown] == pytest.approx([i / 10 for i in range(8)], abs=1e-3)
    # The eyes are the only dark places of the face.
    assert shown[0][1][30:40, 35:65].max(axis=2).min() < 60


@pytest.mark.parametrize("privacy", ["blur", "landmarks-only"])
def test_nobody_can_be_recognised(recording: Recording, tmp_path: Path, privacy: str) -> None:
    videos = write_videos(recording, {0: frames(8)}, tmp_path / "a", privacy)
    for _, pixels in decoded(videos[0].path):
        if privacy == "blur":
            assert pixels[25:55, 35:65].max(axis=2).min() > 90, "there are no eyes"
        else:
            assert np.ptp(pixels, axis=2).max() < 30, "there is no colour"
            assert pixels.max() > 150, "there are landmarks"


def test_a_long_recording_gets_a_smaller_video(recording: Recording, tmp_path: Path) -> None:
    big = np.zeros((900, 1600, 3), np.uint8)
    widths = []
    for last in (60.0, 1000.0):
        recording.streams[0].times[-1] = last
        images = list(frames(1))
        images[0].image.pixels = big
        videos = write_videos(recording, {0: iter(images)}, tmp_path / "a")
        widths += [pixels.shape[1] for _, pixels in decoded(videos[0].path)]
        assert videos[0].width == 1600, "boxes refer to the full image"
    assert widths == [960, 640]


def test_what_cannot_be_shown_is_an_error(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="no image"):
        write_videos(recording, {0: iter(())}, tmp_path / "a")
    stills = read_lines(write_lines(tmp_path / "b.jsonl", [line(0, face("sad", 0))]))
    with pytest.raises(SourceError, match="single images"):
        write_videos(stills, {0: frames(1)}, tmp_path / "a")
    monkeypatch.setattr(video_module, "browsers_play", lambda: False)
    with pytest.raises(SourceError, match=r"must be H\.264"):
        write_videos(recording, {0: frames(8)}, tmp_path / "a")
