"""Writes bags of images for the tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from clips import corner_picture
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
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
    path: Path,
    messages: Sequence[tuple[str, int, Any]],
    storage: str = "sqlite3",
    compression: str = "none",
    store: Any = STORE,
) -> Path:
    """messages: topic, time of recording in ns, message. compression: of CompressionMode."""
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        connections: dict[str, Any] = {}
        for topic, time, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], time, store.serialize_cdr(message, kind))
    return path


def write_humble_bag(path: Path, messages: Sequence[tuple[str, int, Any]]) -> Path:
    """As rosbag2 of Humble writes it: SQLite without definitions, metadata of version 5."""
    path.mkdir()
    file = path / f"{path.name}_0.db3"
    topics: dict[str, tuple[int, str]] = {}
    with sqlite3.connect(file) as base:
        base.execute("CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT)")
        base.execute("INSERT INTO schema VALUES (3, 'humble')")
        base.execute(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
            "serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL)"
        )
        base.execute(
            "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, "
            "timestamp INTEGER NOT NULL, data BLOB NOT NULL)"
        )
        base.execute("CREATE INDEX timestamp_idx ON messages (timestamp ASC)")
        for topic, time, message in messages:
            kind = message.__msgtype__
            if topic not in topics:
                topics[topic] = len(topics) + 1, kind
                base.execute(
                    "INSERT INTO topics VALUES (?, ?, ?, 'cdr', ?)",
                    (topics[topic][0], topic, kind, HUMBLE_QOS),
                )
            data = bytes(STORE.serialize_cdr(message, kind))
            base.execute(
                "INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)",
                (topics[topic][0], time, data),
            )
    base.close()
    times = [time for _, time, _ in messages]
    metadata = {
        "version": 5,
        "storage_identifier": "sqlite3",
        "relative_file_paths": [file.name],
        "duration": {"nanoseconds": max(times) - min(times)},
        "starting_time": {"nanoseconds_since_epoch": min(times)},
        "message_count": len(messages),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": name,
                    "type": kind,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": HUMBLE_QOS,
                },
                "message_count": sum(topic == name for topic, _, _ in messages),
            }
            for name, (_, kind) in topics.items()
        ],
        "compression_format": "",
        "compression_mode": "",
    }
    text = yaml.safe_dump({"rosbag2_bagfile_information": metadata})
    (path / "metadata.yaml").write_text(text)
    return path


#: As a camera offers it, in the words of Humble.
HUMBLE_QOS = """\
- history: 1
  depth: 5
  reliability: 2
  durability: 2
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: 1
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false"""
