"""Writes bags of H.264 and H.265 for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bags import SECOND, camera_info, header, write_bag
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from streams import GOP, encode, moving

from edan_ros.sources.bag import info_topic
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
