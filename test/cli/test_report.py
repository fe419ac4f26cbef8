"""`edan report` from the command line: its output, and its errors for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("jinja2")

from edan_ros.cli.main import main
from edan_ros.recording.run_info import RunInfo, write_run_info
from edan_ros.recording.video import VideoWriter


def write_run(folder: Path) -> Path:
    """One face in 20 images, and the images that it was found in."""
    folder.mkdir()
    landmarks = np.random.default_rng(0).uniform(20, 60, (68, 2)).tolist()
    lines = []
    for i in range(20):
        face = {"track_id": 1, "roi": [20, 20, 40, 40], "label": "sad", "landmarks": landmarks}
        face |= {"probabilities": [0.1, 0.1, 0.4, 0.1, 0.1, 0.1, 0.1]}
        lines.append(json.dumps({"stamp": 100.0 + 0.5 * i, "faces": [face]}))
        cv2.imwrite(str(folder / f"{i:02}.png"), np.full((90, 120, 3), 9 * i, np.uint8))
    (folder / "faces.jsonl").write_text("\n".join(lines))
    return folder


def test_a_page_is_written_beside_the_lines_or_to_a_given_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run")
    assert main(["report", str(run)]) == 0
    page = (run / "faces.html").read_text()
    assert "run/faces.jsonl" in page
    assert "data:image" not in page, "no thumbnails by default"
    assert "20 images, 9.5 s, people: 1" in capsys.readouterr().out
    out = tmp_path / "new" / "report.html"
    assert main(["report", str(run / "faces.jsonl"), "--out", str(out)]) == 0
    assert out.read_text() == page


def test_a_folder_of_several_recordings_gets_a_report_on_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run")
    for name in ("clip2", "clip10"):
        write_run(run / name)
    assert main(["report", str(run)]) == 0
    pages = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert pages == [str(run / f) for f in ("faces.html", "clip2/faces.html", "clip10/faces.html")]
    (run / "faces.jsonl").unlink()
    assert main(["report", str(run)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["report", str(run), "--out", str(tmp_path / "one.html")]) == 1
    assert "run holds 2 recordings: name one for --out" in capsys.readouterr().err


def test_the_cuts_of_a_run_are_counted(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    for cuts, text in (("0", "9.5 s recorded</p>"), ("1", "9.5 s recorded, 1 cut</p>")):
        write_run_info(run, RunInfo({}, {"cuts": cuts}))
        assert main(["report", str(run)]) == 0
        assert text in (run / "faces.html").read_text()


def test_images_from_a_source(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    images = ["--thumbnails", "--source", str(run / "*.png")]
    assert main(["report", str(run), *images]) == 0
    page = (run / "faces.html").read_text()
    assert page.count("data:image/jpeg") == 1
    assert "This file contains images of faces." in page
    assert main(["report", str(run), *images, "--privacy", "landmarks-only"]) == 0
    assert (run / "faces.html").read_text() != page


def test_the_video_keeps_source_and_privacy_of_the_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    clip = tmp_path / "faces_video.mp4"
    with VideoWriter(clip) as video:
        for i in range(20):
            video.write(np.full((90, 120, 3), (10, 200, 250), np.uint8), 0.5 * i)
    settings = {"source": str(clip), "privacy": "landmarks-only"}
    write_run_info(run, RunInfo({}, settings))
    assert main(["report", str(run), "--video", "beside"]) == 0
    with av.open(str(run / "faces_video.mp4")) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(frames) == 20
    assert np.ptp(np.median(frames[0], axis=(0, 1))) < 5, "no colour of the clip is left"
    (run / "faces_video_2.mp4").write_text("of a second camera")
    assert main(["report", str(run), "--video", "embed", "--privacy", "none"]) == 0
    assert not list(run.glob("*.mp4")), "videos beside the former page are removed"
    assert "media-src blob:" in (run / "faces.html").read_text()
    before = clip.read_bytes()
    assert (
        main(["report", str(run), "--video", "beside", "--out", str(tmp_path / "faces.html")]) != 0
    )
    assert clip.read_bytes() == before, "the source is not replaced"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces_video.mp4", "run"]


def test_single_images_are_found_again_in_all_sources_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several files, also more than a file name is long, and folders with subfolders."""
    monkeypatch.chdir(tmp_path)
    run = write_run(tmp_path / "run")
    faces = json.loads((run / "faces.jsonl").read_text().splitlines()[0])["faces"]
    faces[0]["track_id"] = 0
    files = ["a.png", *(f"{i:03}.png" for i in range(60)), "sub/b.png"]
    lines = [json.dumps({"file": file, "stamp": None, "faces": faces}) for file in files]
    (run / "faces.jsonl").write_text("\n".join(lines))
    for file in [*files[:-1], "folder/sub/b.png", "folder/unused.png"]:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(file, np.full((90, 120, 3), 90, np.uint8))
    write_run_info(run, RunInfo({}, {"source": ", ".join([*files[:-1], "gone.png", "folder"])}))
    assert main(["report", "run", "--thumbnails"]) == 0
    assert (run / "faces.html").read_text().count("data:image/jpeg") == len(files)
    assert main(["report", "run", "--thumbnails", "--source", "none.png"]) != 0
    assert "there is no none.png" in capsys.readouterr().err


def test_a_source_that_is_gone_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run")
    write_run_info(run, RunInfo({}, {"source": "gone.mp4"}))
    assert main(["report", str(run), "--thumbnails"]) != 0
    assert "gone.mp4 is not here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["none.jsonl"], "there is no none.jsonl: give a bag"),
        (["empty"], "neither a bag nor the folder of a run"),
        (["run/00.png"], "has no results (line 1: not JSON)"),
        (["run", "--source", "x.mp4"], "they need --thumbnails"),
        (["run", "--privacy", "blur"], "they need --thumbnails"),
        (["run", "--thumbnails"], "name what they were made from with --source"),
        (["run", "--video", "beside"], "name what they were made from with --source"),
        (["run", "--thumbnails", "--source", "x.mp4"], "there is no x.mp4"),
        (["run", "--thumbnails", "--source", "0"], "is live"),
        (["run", "--out", "run"], "cannot be written"),
    ],
)
def test_invalid_input_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    assert main(["report", *arguments]) != 0
    output = capsys.readouterr().err
    assert output.startswith("edan report: ")
    assert why in output
    assert output.count("\n") == 1
    assert not (tmp_path / "run" / "faces.html").exists()
