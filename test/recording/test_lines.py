from __future__ import annotations

import json
import os

import numpy as np
from results import face, result

from edan_ros.recording.run_folder import result_line


def test_a_line_has_the_faces_as_dictionaries() -> None:
    one = face(track_id=7, label="sad", confidence=0.71)
    line = result_line(1_700_000_000_123_456_789, 0.0123456, result(one))
    assert "\n" not in line
    record = json.loads(line)
    assert record["stamp"] == 1_700_000_000.123457
    assert record["latency_ms"] == 12.35
    (found,) = record["faces"]
    assert found == one.to_dict()
    assert (found["track_id"], found["label"], found["confidence"]) == (7, "sad", 0.71)
    assert found["roi"] == [100, 110, 91, 81]
    assert found["presence"] == 0.95
    np.testing.assert_allclose(found["probabilities"], one.probabilities, atol=1e-4)
    np.testing.assert_allclose(found["landmarks"], one.landmarks, atol=0.01)


def test_a_file_name_that_is_not_utf8_survives() -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    line = result_line(0, None, result(), name)
    assert json.loads(line.encode("utf-8").decode("utf-8"))["file"] == name


def test_no_face_is_an_empty_list_and_an_unknown_latency_null() -> None:
    assert json.loads(result_line(0, None, result())) == {
        "stamp": 0.0,
        "latency_ms": None,
        "faces": [],
    }
