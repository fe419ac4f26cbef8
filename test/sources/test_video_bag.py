"""Bags of H.264 and H.265: read, with results added, and reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bags import SECOND, write_bag
from streams import GOP, encode, moving
from video_bags import COUNT, STORE, TOPICS, message, video_bag

from edan_ros.core.message_fields import stamp_ns
from edan_ros.sources import SourceError, create_source
from edan_ros.sources.bag import BagPlayback, base_topic, info_topic, is_bag, open_bag, twins_of
from edan_ros.sources.video_packets import FFMPEG_PACKET, FOXGLOVE_VIDEO


@pytest.mark.parametrize("kind", list(TOPICS))
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_bag_of_video_is_read_with_stamps_and_calibration(
    tmp_path: Path, kind: str, codec: str
) -> None:
    source = create_source(str(video_bag(tmp_path / "bag", kind, codec)))
    frames = list(source.frames())
    assert [frame.time for frame in frames] == pytest.approx([0.1 * n for n in range(COUNT)])
    for frame, pixels in zip(frames, moving(COUNT), strict=True):
        assert frame.frame_id == "bag_camera"
        assert frame.camera is not None
        assert np.abs(frame.image.gray().astype(float) - pixels.mean(axis=2)).mean() < 30.0


def test_a_gap_in_a_bag_of_video_is_logged_once(tmp_path: Path) -> None:
    lines: list[str] = []
    path = video_bag(tmp_path / "bag", FFMPEG_PACKET, "h264", lost=4)
    numbers = [
        round(10 * frame.time) for frame in create_source(str(path), log=lines.append).frames()
    ]
    assert numbers == [*range(4), *range(GOP, COUNT)]
    assert lines == ["the video cannot be decoded before its next key frame"]


def test_frames_that_the_encoder_reordered_all_come(tmp_path: Path) -> None:
    path = video_bag(tmp_path / "bag", FFMPEG_PACKET, "h264", reordered=True)
    numbers = [round(10 * frame.time) for frame in create_source(str(path)).frames()]
    assert numbers == list(range(COUNT))


def test_a_bag_of_video_is_played_unchanged(tmp_path: Path) -> None:
    path = video_bag(tmp_path / "bag", FOXGLOVE_VIDEO, "h264")
    assert is_bag(path)
    playback = BagPlayback(path)
    assert playback.kinds[TOPICS[FOXGLOVE_VIDEO]] == FOXGLOVE_VIDEO
    with open_bag(path) as reader:
        recorded = list(reader.messages(playback.kinds))
        assert stamp_ns(reader.deserialize(recorded[1])) == SECOND
    assert [scheduled.message for scheduled in playback.frames()] == recorded


def test_a_video_without_a_key_frame_is_an_error(tmp_path: Path) -> None:
    packets = list(encode("h264", moving(4)).values())[1:]
    topic = TOPICS[FFMPEG_PACKET]
    messages = [
        (topic, n, message(FFMPEG_PACKET, SECOND, data, "h264")) for n, data in enumerate(packets)
    ]
    source = create_source(str(write_bag(tmp_path / "bag", messages, store=STORE)))
    with pytest.raises(SourceError, match="no image on /cam/image_raw/ffmpeg can be decoded"):
        list(source.frames())


def test_topics_of_every_transport_belong_to_the_raw_images() -> None:
    assert twins_of("/cam/image_raw/ffmpeg")[:2] == ["/cam/image_raw", "/cam/image_raw/compressed"]
    assert {base_topic(topic) for topic in twins_of("/cam/image_raw")} == {"/cam/image_raw"}
    assert info_topic("/cam/image_raw/foxglove") == "/cam/camera_info"
