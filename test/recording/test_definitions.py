"""Definitions and hashes of messages as ROS itself has them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from results import face, result
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from edan_ros.recording.definitions import (
    FACE,
    FACES,
    MODEL_INFO,
    Definitions,
    FaceMessages,
    digest_of,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", [FACES, FACE, MODEL_INFO])
def test_hashes_are_those_that_ros_makes(kind: str) -> None:
    name = kind.rpartition("/")[2]
    built = Path(sys.prefix) / "share" / "edan_ros" / "msg" / f"{name}.json"
    if not built.is_file():
        pytest.skip("the messages are not built here: make build")
    hashes = {
        h["type_name"]: h["hash_string"] for h in json.loads(built.read_text())["type_hashes"]
    }
    found = Definitions().of(kind)
    assert found is not None
    assert found.digest == hashes[kind]
    assert digest_of(kind, found.text) == found.digest


def test_an_unknown_type_has_no_definition(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Definitions().of("their_msgs/msg/Alarm") is None
    folder = tmp_path / "share" / "their_msgs" / "msg"
    folder.mkdir(parents=True)
    (folder / "Alarm.msg").write_text("std_msgs/Header header\nLevel[] levels\n")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    assert Definitions().of("their_msgs/msg/Alarm") is None, "Level is missing"
    (folder / "Level.msg").write_text("uint8 value\n")
    found = Definitions().of("their_msgs/msg/Alarm")
    assert found is not None
    assert "MSG: their_msgs/Level" in found.text
    with pytest.raises(LookupError, match="other_msgs/msg/Name is not installed"):
        Definitions().store_with("other_msgs/msg/Name")


def test_a_definition_that_cannot_be_parsed_has_a_hash_of_zeros() -> None:
    assert set(digest_of("a/msg/B", "not ( a definition").removeprefix("RIHS01_")) == {"0"}


def test_results_survive_as_messages() -> None:
    """Read back by a store that knows the definitions alone."""
    found = Definitions().of(FACES)
    assert found is not None
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(found.text, FACES))
    one = face(track_id=7, label="sad", confidence=0.71)
    one.action_units = {"AU1": 0.25, "AU4": 0.5}
    data = FaceMessages(Definitions()).faces(result(one), 1_700_000_000_123_456_789, "front")
    array = store.deserialize_cdr(data, FACES)
    assert (array.header.stamp.sec, array.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert (array.header.frame_id, array.image_width, array.image_height) == ("front", 640, 480)
    (read,) = array.faces
    assert (read.track_id, read.label, read.action_units) == (7, "sad", ["AU1", "AU4"])
    np.testing.assert_array_equal(read.action_unit_intensities, np.float32([0.25, 0.5]))
    np.testing.assert_array_equal(read.landmarks_x, one.landmarks[:, 0])
    np.testing.assert_allclose(read.probabilities, one.probabilities, atol=1e-7)
    assert not read.head_pose_valid
    assert read.head_pose.orientation.w == 1.0
    assert np.isnan(read.emfacs_consistency)
