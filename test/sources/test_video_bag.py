"""Bags of H.264 and H.265: read, with results added, and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bags import SECOND, camera_info, header, write_bag
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from streams import GOP, encode, moving

from edan_ros.core.message_fields import stamp_ns
from edan_ros.sources import SourceError, create_source
from edan_ros.sources.bag import BagPlayback, base_topic, info_topic, is_bag, open_bag, twins_of
from edan_ros.sources.video_packets import FFMPEG_PACKET, FOXGLOVE_VIDEO, VIDEO_DEFINITIONS

STORE = get_typestore(Stores.ROS2_HUMBLE)
for kind, text in VIDEO_DEFINITIONS.items():
    STORE.register(get_types_from_msg(text, kind))
COUNT = 2 * GOP
TOPICS = {FFMPEG_PACKET: "/cam/image_raw/ffmpeg", FOXGLOVE_VIDEO: "/cam/image_raw/foxglove"}


def message(kind: str, stamp: int, data: bytes, codec: str) -> Any:
    pixels = np.frombuffer(data, np.uint8)
    if kind == FFMPEG_PACKET:
        return STORE.types[kind](header(stamp), 96, 64, f"{codec};yuv420p", 7, 0, False, pixels)
    return STORE.types[kind](header(stamp).stamp, "bag_camera", pixels, codec)


def video_bag(
    path: Path, kind: str, codec: str, *, reordered: bool = False, lost: int | None = None
) -> Path:
    """A bag of 2 GOPs at 10 Hz; the message of one image may be lost."""
    packets = encode(codec, moving(COUNT), reordered=reordered)
    messages = [(info_topic(TOPICS[kind]), 0, camera_info(0))]
    for order, (number, data) in enumerate(packets.items()):
        if number != lost:
            stamp = SECOND + number * SECOND // 10
            written = message(kind, stamp, data, codec)
            messages.append((TOPICS[kind], SECOND + order * SECOND // 10, written))
    return write_bag(path, messages, "mcap", store=STORE)


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
