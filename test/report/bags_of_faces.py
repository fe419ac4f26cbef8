"""Writes bags with faces for the tests of reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from recordings import BEGIN, LANDMARKS, SECOND
from rosbags.rosbag2 import StoragePlugin, Writer

from edan_ros.core.emotions import EMOTIONS, UNKNOWN
from edan_ros.recording.definitions import Definitions

FACES, FACE = "edan_ros/msg/FaceEmotionArray", "edan_ros/msg/FaceEmotion"
MODEL, IMAGE = "edan_ros/msg/ModelInfo", "sensor_msgs/msg/Image"
STATUS, STATUSES = "diagnostic_msgs/msg/DiagnosticStatus", "diagnostic_msgs/msg/DiagnosticArray"
STORE = Definitions().store_with(FACES, MODEL, STATUSES)

#: Topic, seconds of the recording, message.
Entry = tuple[str, float, Any]


def make(kind: str, *values: Any, **fields: Any) -> Any:
    return STORE.types[kind](*values, **fields)


def header(seconds: float) -> Any:
    stamp = round((BEGIN + seconds) * SECOND)
    time = make("builtin_interfaces/msg/Time", stamp // SECOND, stamp % SECOND)
    return make("std_msgs/msg/Header", time, "camera")


def face(label: str = "happy", track_id: int = 1, valence: float = 0.5) -> Any:
    emotion = UNKNOWN if label == "unknown" else EMOTIONS.index(label)
    shares = np.full(7, 0.05, np.float32)
    shares[emotion % 7] = 0.7
    point = make("geometry_msgs/msg/Point", 0.0, 0.0, 0.0)
    pose = make("geometry_msgs/msg/Pose", point, make("geometry_msgs/msg/Quaternion", 0, 0, 0, 1))
    return make(
        FACE,
        track_id=track_id,
        roi=make("sensor_msgs/msg/RegionOfInterest", 30, 20, 40, 40, False),
        presence=0.99,
        emotion=emotion,
        label=label,
        confidence=0.7,
        probabilities=shares,
        raw_probabilities=shares,
        polarity=1,
        polarity_probabilities=np.array([0.1, 0.8, 0.1], np.float32),
        valence=valence,
        arousal=valence,
        landmarks_x=LANDMARKS[:, 0].astype(np.float32),
        landmarks_y=LANDMARKS[:, 1].astype(np.float32),
        head_pose_valid=False,
        head_pose=pose,
        action_units=[],
        action_unit_intensities=np.zeros(0, np.float32),
        emfacs_consistency=float("nan"),
        unknown_reason=0,
        intensity=float("nan"),
        baseline_seconds=0.0,
        age=0.0,
        eye_openness=np.full(2, np.nan, np.float32),
        gaze_valid=False,
        gaze=make("geometry_msgs/msg/Vector3", 0, 0, 0),
        gaze_yaw=float("nan"),
        gaze_pitch=float("nan"),
        eye_quality=0,
    )


def faces(seconds: float, *found: Any) -> Any:
    return make(FACES, header(seconds), 160, 120, list(found))


def image(seconds: float) -> Any:
    """160 x 120, blue, red where the face is."""
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[..., 0] = 200
    pixels[20:60, 30:70] = (0, 0, 220)
    return make(IMAGE, header(seconds), 120, 160, "bgr8", 0, 480, pixels.ravel())


def model() -> Any:
    fields = {"name": "edan-lite", "version": "1.0.0", "engine": "onnxruntime", "input_size": 64}
    fields |= {"labels": list(EMOTIONS), "terms": "as the data allow", "why": "requested"}
    names = [name for name, _ in STORE.fielddefs[MODEL][1]]
    fields |= {"class_prior": np.full(7, 1 / 7, np.float32), "prior_strength": 0.0}
    return make(MODEL, **(dict.fromkeys(names, "") | fields))


def diagnostics(seconds: float, processed: int) -> Any:
    pair = make("diagnostic_msgs/msg/KeyValue", "images_processed", str(processed))
    status = make(STATUS, 1, "emotion_node: image_raw", "slow: <b>", "", [pair])
    return make(STATUSES, header(seconds), [status])


def write_bag(path: Path, entries: Sequence[Entry], *, storage: str = "mcap") -> Path:
    """In the order of time. storage: "mcap", or "sqlite3" with definitions."""
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections: dict[str, Any] = {}
        for topic, seconds, message in sorted(entries, key=lambda entry: entry[1]):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            time = round((BEGIN + seconds) * SECOND)
            writer.write(connections[topic], time, bytes(STORE.serialize_cdr(message, kind)))
    return path


def smile(late: float = 0.02) -> list[Entry]:
    """20 images at 10 Hz, neutral, then happy from 1 s on; no result for the images 5 and 6.

    late: seconds from an image to its result.
    """
    entries: list[Entry] = [("/model_info", 0.0, model())]
    for i in range(20):
        t = i / 10
        entries.append(("/image_raw", t + 0.001, image(t)))
        if i not in (5, 6):
            found = face("neutral" if i < 10 else "happy", valence=float("nan") if i == 3 else 0.5)
            entries.append(("/faces", t + 0.001 + late, faces(t, found)))
        entries.append(("/diagnostics", t, diagnostics(t, i)))
    return entries
