from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from results import face, result

from edan_ros.core.images import Image
from edan_ros.drawing.privacy import PrivacyFilter
from edan_ros.recording.demo_writer import SHEET, VIDEO, DemoWriter
from edan_ros.recording.files import RecordingError
from edan_ros.recording.run_folder import LINES
from edan_ros.recording.run_info import RUN_FILE, RunInfo, read_run_info, write_run_info

IMAGE = Image(np.full((48, 64, 3), 90, np.uint8))


def test_a_run_leaves_its_three_files(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    with DemoWriter(folder) as record:
        lines = record.add(10**9, result(face(1)), IMAGE, 0.02)
        assert lines == ["   0.00 s  person 1 appears, happy (80 %)"]
        assert record.add(2 * 10**9, result(face(1)), IMAGE, 0.03) == []
        record.add(3 * 10**9, result(), None, None)
    records = [json.loads(line) for line in (folder / LINES).read_text().splitlines()]
    assert [(r["stamp"], r["latency_ms"], len(r["faces"])) for r in records] == [
        (1.0, 20.0, 1),
        (2.0, 30.0, 1),
        (3.0, None, 0),
    ]
    with av.open(str(folder / VIDEO)) as container:
        # The third result came without its image.
        assert [f.time for f in container.decode(video=0)] == pytest.approx([0.0, 1.0], abs=0.001)
    assert cv2.imread(str(folder / SHEET)) is not None
    assert record.summary.results == 3
    assert record.files() == [folder / name for name in (VIDEO, SHEET, LINES)]


def test_with_a_privacy_filter_all_images_are_written_in_order(tmp_path: Path) -> None:
    with DemoWriter(tmp_path, privacy=PrivacyFilter("blur")) as record:
        for i in range(20):
            record.add(i * 10**8, result(face(1)), IMAGE, 0.02)
    with av.open(str(tmp_path / VIDEO)) as container:
        times = [f.time for f in container.decode(video=0)]
    assert times == pytest.approx([i / 10 for i in range(20)], abs=0.001)
    assert cv2.imread(str(tmp_path / SHEET)) is not None


def test_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    for name in (VIDEO, SHEET, LINES):
        (tmp_path / name).write_text("old")
    with DemoWriter(tmp_path) as record:
        pass
    assert record.files() == []
    assert (tmp_path / LINES).read_text() == "old", "a run without a result replaces nothing"
    with DemoWriter(tmp_path) as record:
        record.add(0, result(), None, None)
    assert record.files() == [tmp_path / LINES]
    assert json.loads((tmp_path / LINES).read_text())["faces"] == []


def test_files_are_complete_when_a_run_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with DemoWriter(tmp_path) as record:
            record.add(0, result(face(1)), IMAGE, 0.02)
            raise RuntimeError("node died")

    with pytest.raises(RuntimeError, match="node died"):
        fail()
    with av.open(str(tmp_path / VIDEO)) as container:
        assert len(list(container.decode(video=0))) == 1
    assert len((tmp_path / LINES).read_text().splitlines()) == 1


def test_the_next_run_removes_model_and_settings_of_the_last(tmp_path: Path) -> None:
    info = RunInfo({"name": "edan-lite"}, {"smoothing_time": "0.4"})
    assert write_run_info(tmp_path, info) == tmp_path / RUN_FILE
    assert read_run_info(tmp_path) == info
    with DemoWriter(tmp_path) as record:
        record.add(0, result(), None, None)
    assert read_run_info(tmp_path) == RunInfo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_reported_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up() -> None:
        # Nothing is removed first: the links stay.
        monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
        with DemoWriter(tmp_path) as record:
            record.add(0, result(face(1)), IMAGE, 0.02)

    for name in (LINES, VIDEO, SHEET):
        (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(RecordingError, match="cannot be written: No space left on device"):
        fill_up()
