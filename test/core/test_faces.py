"""Faces as plain values: every key of to_dict, its rounding, and that JSON takes it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import POLARITY_UNKNOWN, UNKNOWN, UNKNOWN_REASONS
from edan_ros.core.eyes import Eyes
from edan_ros.core.faces import Face, HeadPose

#: Axes of a face that looks straight into the camera.
FRONTAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
LANDMARKS = np.array([[i + 0.128, 2.0 * i] for i in range(68)], np.float32)


def happy_face() -> Face:
    return Face(
        track_id=np.int64(4),
        box=Box(10.256, 20.4, 30.6, 40.0),
        presence=np.float32(0.98766),
        landmarks=LANDMARKS,
        emotion=1,
        label="happy",
        confidence=0.71239,
        probabilities=np.array([0.28761, 0.71239, 0, 0, 0, 0, 0]),
        raw_probabilities=np.array([0.1, 0.9, 0, 0, 0, 0, 0]),
        polarity=1,
        polarity_probabilities=np.array([0.28761, 0.71239, 0.0]),
        valence=0.57703,
        arousal=0.36332,
        head_pose=HeadPose(FRONTAL, np.array([0.1, -0.2, 0.654321])),
        head_pose_assumed_lens=True,
        action_units={"AU12": 0.81234},
        emfacs_consistency=math.nan,
        attention=np.ones((7, 2, 2), np.float32),
        intensity=0.4,
        baseline_seconds=2.5,
        eyes=Eyes(
            np.array([0.91236, np.nan], np.float32), 1, np.array([0.6, 0.0, -0.8]), 0.5, -0.1
        ),
    )


def test_a_face_becomes_plain_values() -> None:
    values = happy_face().to_dict()
    landmarks = values.pop("landmarks")
    assert values == {
        "track_id": 4,
        "box": [10.26, 20.4, 30.6, 40.0],
        "roi": [10, 20, 32, 41],
        "presence": 0.9877,
        "label": "happy",
        "unknown_reason": "",
        "confidence": 0.7124,
        "probabilities": [0.2876, 0.7124, 0.0, 0.0, 0.0, 0.0, 0.0],
        "raw_probabilities": [0.1, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0],
        "polarity": "positive",
        "polarity_probabilities": [0.2876, 0.7124, 0.0],
        "valence": 0.577,
        "arousal": 0.3633,
        "intensity": 0.4,
        "baseline_seconds": 2.5,
        "head_pose": {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "position": [0.1, -0.2, 0.6543]},
        "head_pose_assumed_lens": True,
        "action_units": {"AU12": 0.8123},
        "emfacs_consistency": None,
        "eyes": {
            "openness": [0.9124, None],
            "quality": "visible",
            "gaze": [0.6, 0.0, -0.8],
            "yaw": 28.65,
            "pitch": -5.73,
        },
    }
    assert len(landmarks) == 68
    assert landmarks[3] == [3.13, 6.0]


def test_plain_values_survive_json() -> None:
    values = happy_face().to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_unknown_values_are_none() -> None:
    face = replace(
        happy_face(),
        emotion=UNKNOWN,
        label="unknown",
        unknown_reason=UNKNOWN_REASONS.index("turned_away"),
        polarity=POLARITY_UNKNOWN,
        valence=math.nan,
        arousal=math.nan,
        intensity=math.nan,
        head_pose=None,
        head_pose_assumed_lens=False,
        action_units={},
    )
    values = face.to_dict()
    assert (values["label"], values["polarity"]) == ("unknown", "unknown")
    assert values["unknown_reason"] == "turned_away"
    assert values["valence"] is values["arousal"] is values["intensity"] is None
    assert values["head_pose"] is None
    assert (values["head_pose_assumed_lens"], values["action_units"]) == (False, {})


@pytest.mark.parametrize("name", ["yaw", "pitch", "roll"])
def test_head_angles_are_in_degrees(name: str) -> None:
    """A rotation by 30 degrees about the camera's y, x or z axis."""
    c, s = math.cos(math.radians(30)), math.sin(math.radians(30))
    turn = {
        "yaw": [[c, 0, -s], [0, 1, 0], [s, 0, c]],
        "pitch": [[1, 0, 0], [0, c, s], [0, -s, c]],
        "roll": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[name]
    face = replace(happy_face(), head_pose=HeadPose(np.array(turn) @ FRONTAL, np.ones(3)))
    pose = face.to_dict()["head_pose"]
    assert {key: abs(pose[key]) for key in ("yaw", "pitch", "roll")} == {
        key: pytest.approx(30.0 if key == name else 0.0) for key in ("yaw", "pitch", "roll")
    }


def test_the_representation_of_a_face_is_one_line() -> None:
    face = replace(happy_face(), intensity=0.5)
    assert repr(face) == (
        "Face(track_id=4, label='happy', confidence=0.71, intensity=0.50, "
        "box=Box(x=10.3, y=20.4, width=30.6, height=40.0))"
    )
