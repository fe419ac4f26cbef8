from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import numpy as np
import pytest
from results import face, result

from edan_ros.core.faces import HeadPose
from edan_ros.recording.tables import COLUMNS, LANDMARK_COLUMNS, FaceTable, ParquetTable


def test_a_row_holds_what_is_known_and_nothing_else(tmp_path: Path) -> None:
    one, other = face(3, "sad", 0.7), face(4, "unknown")
    one.action_units["AU12"] = 0.25
    one.valence = one.arousal = math.nan
    one.head_pose = HeadPose(np.array([[0, -1, 0], [0, 0, -1], [-1, 0, 0.0]]), np.array([0, 0, 2]))
    one.head_pose_assumed_lens = True
    one.raw_probabilities = np.array([0.5, 0.5, 0, 0, 0, 0, 0])
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
    assert (rows[0]["head_z"], rows[0]["head_pose_assumed_lens"]) == ("2.0000", "true")
    assert (rows[0]["raw_happy"], rows[0]["raw_sad"]) == ("0.5000", "0.0000")
    assert (rows[1]["pitch"], rows[1]["head_pose_assumed_lens"]) == ("", "")
    assert rows[1]["label"] == "unknown"


def test_landmarks_and_parquet_on_request(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    one, name = face(3, "sad", 0.7), os.fsdecode(b"caf\xe9.jpg")
    with (
        FaceTable(tmp_path / "a.csv", landmarks=True) as table,
        ParquetTable(tmp_path / "a.parquet", landmarks=True) as packed,
    ):
        for stamp, result_ in ((12.5, result(one)), (None, result()), (None, result(one))):
            table.add(stamp, name, result_)
            packed.add(stamp, name, result_)
    with (tmp_path / "a.csv").open(encoding="utf-8", errors="replace", newline="") as file:
        text = list(csv.DictReader(file))
    rows = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert tuple(rows[0]) == tuple(text[0]) == COLUMNS + LANDMARK_COLUMNS
    assert [row["stamp"] for row in rows] == [12.5, None]
    assert [row["stamp"] for row in text] == ["12.500000", ""]
    assert (rows[0]["track_id"], rows[0]["label"], rows[0]["file"]) == (3, "sad", "caf\ufffd.jpg")
    assert rows[0]["head_pose_assumed_lens"] is None
    for values in rows[0], {key: float(text[0][key]) for key in LANDMARK_COLUMNS}:
        points = np.array([values[key] for key in LANDMARK_COLUMNS]).reshape(68, 2)
        assert points == pytest.approx(one.landmarks, abs=0.06)


def test_a_file_name_that_is_not_utf8_is_written_as_it_is(tmp_path: Path) -> None:
    with FaceTable(tmp_path / "a.csv") as table:
        table.add(0.0, os.fsdecode(b"caf\xe9.jpg"), result(face()))
    assert b"0.000000,caf\xe9.jpg,1,happy," in (tmp_path / "a.csv").read_bytes()
