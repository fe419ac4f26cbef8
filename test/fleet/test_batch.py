"""`edan batch`: nothing is lost and nothing done twice, whatever fails, stops or dies."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from fleet_jobs import process_but_die_once

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))  # how the tests of sources write

from bags import SECOND, raw, write_bag

from edan_ros.cli.main import main
from edan_ros.engines import load_manifest
from edan_ros.fleet.batch import Plan, plan_jobs, read_records, write_summary
from edan_ros.fleet.processing import Job, fail, process
from edan_ros.fleet.recordings import find_recordings
from edan_ros.fleet.workers import run_on_dask
from edan_ros.recording.files import remove_unfinished, replacing
from edan_ros.recording.progress import ImageProgress

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra fleet is not installed")

MODEL = "edan-lite"
SETTINGS = {"model": MODEL, "detector": "full_frame"}


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """(104, 96, 3) bgr: a smiling face that fills the image."""
    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    close = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)[50:190, 160:290]
    return cv2.resize(close, (96, 104))


@pytest.fixture
def folder(tmp_path: Path, face: np.ndarray) -> Path:
    """Three videos of four images with a face."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("a", "deadly", "z"):
        write_video(folder / f"{name}.mp4", face, 4)
    return folder


def write_video(path: Path, image: np.ndarray, count: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def plan(folder: Path, out: Path, settings: Any = SETTINGS, **options: bool) -> Plan:
    recordings, _ = find_recordings(folder, out)
    return plan_jobs(recordings, out, settings, load_manifest(MODEL), **options)


def rows(out: Path) -> list[dict[str, Any]]:
    """Return the rows of all tables of faces, in one order."""
    found = parquet.read_table(out / "faces").to_pylist()
    return sorted(found, key=lambda row: (row["recording"], row["camera"], row["stamp"] or 0.0))


def summary(out: Path) -> dict[str, dict[str, Any]]:
    table = parquet.read_table(out / "recordings.parquet").to_pylist()
    return {Path(row["recording"]).name: row for row in table}


def written(out: Path) -> dict[str, int]:
    """Return when each table and record was written."""
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*/*.*")}


def batch(folder: Path, out: Path, *options: str) -> int:
    arguments = ["batch", folder, "--out", out, "--workers", "1", "--model", MODEL]
    return main([str(text) for text in (*arguments, "--detector", "full_frame", *options)])


def test_a_stopped_run_goes_on_and_a_failure_does_not_stop_the_others(
    folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.mp4").write_text("no video")
    advance = ImageProgress.advance

    def advance_and_stop(progress: ImageProgress) -> None:
        advance(progress)
        if progress.images == 2:  # a.mp4 and broken.mp4
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ImageProgress, "advance", advance_and_stop)
        assert batch(folder, out) == 130
    assert "broken.mp4 is not a video" in capsys.readouterr().out
    assert set(summary(out)) == {"a.mp4", "broken.mp4"}
    before = written(out)
    assert batch(folder, out) == 1
    assert "2 recordings to process, 1 finished before, 1 failed before" in capsys.readouterr().out
    assert before.items() <= written(out).items()
    found = summary(out)
    assert "is not a video" in found["broken.mp4"].pop("error")
    assert {name: row["images"] for name, row in found.items()} == {
        "a.mp4": 4,
        "broken.mp4": None,
        "deadly.mp4": 4,
        "z.mp4": 4,
    }
    assert (found["a.mp4"]["faces"], found["a.mp4"]["people"]) == (4, 1)
    assert len(rows(out)) == 12
    before = written(out)
    assert batch(folder, out) == 1
    assert "0 recordings to process, 3 finished before" in capsys.readouterr().out
    assert written(out) == before
    assert "broken.mp4" in (out / "report.html").read_text()


def test_a_worker_of_a_cluster_that_dies_loses_and_doubles_nothing(
    folder: Path, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra fleet is not installed")
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    for job in plan(folder, alone).jobs:
        process(job)
    jobs = plan(folder, shared).jobs
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        found = list(run_on_dask(process_but_die_once, jobs, address, print))
    assert (tmp_path / "died").exists()
    assert sorted(job.recording.name for job, _ in found) == [job.recording.name for job in jobs]
    assert len(rows(alone)) == 12
    assert rows(shared) == rows(alone)
    assert not plan(folder, shared).jobs


def test_a_recording_is_processed_again_where_anything_changed(
    folder: Path, out: Path, face: np.ndarray
) -> None:
    (folder / "broken.mp4").write_text("no video")
    jobs = plan(folder, out).jobs
    for job in jobs:
        process(job)

    def left(settings: Any = SETTINGS, **options: bool) -> list[str]:
        return [job.recording.path.name for job in plan(folder, out, settings, **options).jobs]

    everything = ["a.mp4", "broken.mp4", "deadly.mp4", "z.mp4"]
    assert left() == []
    assert left(retry_failed=True) == ["broken.mp4"]
    assert left(landmarks=True) == everything
    assert left(SETTINGS | {"max_faces": 1}) == everything
    write_video(folder / "broken.mp4", face, 2)
    jobs[0].table.unlink()
    jobs[3].record.write_text("{")
    assert left() == ["a.mp4", "broken.mp4", "z.mp4"]


def test_a_failure_leaves_no_rows_of_an_earlier_run(folder: Path, out: Path) -> None:
    (first, *_) = plan(folder, out).jobs
    process(first)
    fail(first, "its worker died")
    assert not first.table.exists()
    assert [record.error for record in read_records(out)] == ["its worker died"]


def test_all_cameras_of_a_bag_are_processed_and_a_topic_on_request(
    tmp_path: Path, out: Path, face: np.ndarray
) -> None:
    shown = {"height": 104, "width": 96, "step": 288, "data": face.ravel()}
    messages = [
        (topic, stamp * SECOND, raw(stamp * SECOND, **shown))
        for stamp in (1, 2)
        for topic in ("/front/image_raw", "/rear/image_raw")
    ]
    write_bag(tmp_path / "run1", messages)
    (tmp_path / "list.csv").write_text("path,topic\nrun1,\nrun1,/rear/image_raw\n")
    both, rear = (process(job) for job in plan(tmp_path / "list.csv", out).jobs)
    assert (both.images, both.faces, both.people, both.seconds) == (4, 4, 2, 1.0)
    assert (rear.images, rear.topic) == (2, "/rear/image_raw")
    cameras = [(row["camera"], row["stamp"]) for row in rows(out)]
    assert cameras == [
        *(("/front/image_raw", float(stamp)) for stamp in (1, 2)),
        *(("/rear/image_raw", float(stamp)) for stamp in (1, 1, 2, 2)),
    ]


def test_images_of_a_folder_are_independent(tmp_path: Path, out: Path, face: np.ndarray) -> None:
    (tmp_path / "photos").mkdir()
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), face)
    (tmp_path / "photos" / "3.png").write_text("no image")
    (job,) = plan(tmp_path / "photos", out).jobs
    record = process(job)
    assert (record.images, record.people, record.seconds, len(record.notes)) == (2, 0, 0.0, 1)
    assert [(row["file"], row["track_id"], row["stamp"]) for row in rows(out)] == [
        ("1.png", 0, None),
        ("2.png", 0, None),
    ]


def test_a_recording_without_images_and_a_camera_are_failures(tmp_path: Path, out: Path) -> None:
    (tmp_path / "list.txt").write_text("missing.mp4\n/dev/video0\n")
    errors = [process(job).error for job in plan(tmp_path / "list.txt", out).jobs]
    assert "there is no" in errors[0]
    assert errors[1]
    write_summary(out, read_records(out))
    assert [row["images"] for row in summary(out).values()] == [None, None]


def test_an_interrupted_file_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
        living = temporary.name
    assert path.read_text() == "new"
    (tmp_path / living).touch()
    dead = tmp_path / living.replace(f".{os.getpid()}.", ".999999999.")
    dead.touch()
    remove_unfinished(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([living, "a.json"])


def test_a_record_of_another_format_is_ignored(folder: Path, out: Path) -> None:
    job: Job = plan(folder, out).jobs[0]
    job.record.parent.mkdir(parents=True)
    job.record.write_text(json.dumps({"recording": "a", "other": 1}))
    assert read_records(out) == []
    assert len(plan(folder, out).jobs) == 3
