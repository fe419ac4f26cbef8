"""Writes bags of images for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from clips import corner_picture
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_HUMBLE)
_T = STORE.types
SECOND = 10**9


def header(stamp_ns: int, frame_id: str = "bag_camera") -> Any:
    time = _T["builtin_interfaces/msg/Time"](stamp_ns // SECOND, stamp_ns % SECOND)
    return _T["std_msgs/msg/Header"](time, frame_id)


def raw(stamp_ns: int, level: int = 0, **changed: Any) -> Any:
    """A 64x48 bgr8 image, with some fields changed."""
    pixels = corner_picture(level=level)
    fields = {"height": 48, "width": 64, "encoding": "bgr8", "is_bigendian": 0, "step": 192}
    fields |= {"data": pixels.ravel()} | changed
    return _T["sensor_msgs/msg/Image"](header=header(stamp_ns), **fields)


def compressed(stamp_ns: int, level: int = 0) -> Any:
    _, data = cv2.imencode(".png", corner_picture(level=level))
    return _T["sensor_msgs/msg/CompressedImage"](header(stamp_ns), "png", data.ravel())


def camera_info(stamp_ns: int, focal: float = 50.0) -> Any:
    roi = _T["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    K = np.array([focal, 0, 31.5, 0, focal, 23.5, 0, 0, 1.0])
    P = np.array([focal, 0, 31.5, 0, 0, focal, 23.5, 0, 0, 0, 1.0, 0])
    return _T["sensor_msgs/msg/CameraInfo"](
        header(stamp_ns), 48, 64, "plumb_bob", np.zeros(5), K, np.eye(3).ravel(), P, 0, 0, roi
    )


def write_bag(
    path: Path, messages: Sequence[tuple[str, int, Any]], storage: str = "sqlite3"
) -> Path:
    """messages: topic, time of recording in ns, message."""
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections: dict[str, Any] = {}
        for topic, time, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], time, STORE.serialize_cdr(message, kind))
    return path
