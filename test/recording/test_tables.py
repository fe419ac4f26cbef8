from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import numpy as np
from results import face, result

from edan_ros.core.faces import HeadPose
from edan_ros.recording.tables import COLUMNS, FaceTable


def test_a_row_holds_what_is_known_and_nothing_else(tmp_path: Path) -> None:
    one, other = face(3, "sad", 0.7), face(4, "unknown")
    one.action_units["AU12"] = 0.25
    one.valence = one.arousal = math.nan
    one.head_pose = HeadPose(np.array([[0, -1, 0], [0, 0, -1], [-1, 0, 0.0]]), np.zeros(3))
    with FaceTable(tmp_path / "a.csv") as table:
        table.add(12.5, "a.jpg", result(one, other))
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {name: rows[0][name] for name in ("stamp", "file", "track_id", "label")} == {
        "stamp": "12.500000",
        "file": "a.jpg",
        "track_id": "3",
        "label": "sad",
    }
    assert (rows[0]["x"], rows[0]["height"], rows[0]["sad"]) == ("100.0", "80.0", "0.7000")
    assert (rows[0]["valence"], rows[0]["AU12"], rows[0]["AU1"]) == ("", "0.2500", "")
    assert (rows[0]["polarity"], float(rows[0]["pitch"])) == ("neutral", 0.0)
    assert rows[1]["pitch"] == ""
    assert rows[1]["label"] == "unknown"


def test_a_file_name_that_is_not_utf8_is_written_as_it_is(tmp_path: Path) -> None:
    with FaceTable(tmp_path / "a.csv") as table:
        table.add(0.0, os.fsdecode(b"caf\xe9.jpg"), result(face()))
    assert b"0.000000,caf\xe9.jpg,1,happy" in (tmp_path / "a.csv").read_bytes()
