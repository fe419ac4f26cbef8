"""`edan explain` on the photographs that the demo shows: sheets, lines, tables, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edan_ros.cli.main import main
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import REGIONS
from edan_ros.explain.ranking import PARTS
from edan_ros.sources import SourceError
from edan_ros.sources.scene import load_photographs

Photographs = dict[str, np.ndarray]
LINES = "explanations.jsonl"


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    try:
        return dict(zip(("collins", "hopper"), load_photographs(), strict=True))
    except SourceError as error:
        pytest.skip(str(error))


@pytest.fixture
def folder(tmp_path: Path, photographs: Photographs) -> Path:
    """Two photographs, one without a person, and one that is damaged."""
    images = tmp_path / "pictures"
    images.mkdir()
    for name, pixels in photographs.items():
        cv2.imwrite(str(images / f"{name}.png"), pixels)
    cv2.imwrite(str(images / "wall.png"), np.full((200, 300, 3), 128, np.uint8))
    (images / "damaged.png").write_bytes(b"not a picture")
    return images


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / LINES).read_text().splitlines()]


def test_a_folder_of_images(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["explain", str(folder), "--out", str(out), "--prior-strength", "1"]) == 0
    output = capsys.readouterr()
    assert "2 faces in 3 images explained" in output.out
    assert "collins_face1: happy " in output.out
    assert "points of probability lost" in output.out
    assert "damaged.png" in output.err
    assert sorted(path.name for path in out.glob("[!.]*")) == [
        "collins_face1.png",
        LINES,
        "hopper_face1.png",
    ]
    found = lines(out)
    assert [(line["image"], line["emotion"], line["method"]) for line in found] == [
        (f"{name}_face1", emotion, method)
        for name, emotion in (("collins", "happy"), ("hopper", "neutral"))
        for method in ("gradcam", "occlusion")
    ]
    for line in found:
        assert np.array(line["map"]).max() == 1.0
        assert sorted(line["landmarks"]) == list(range(68))
        assert sum(line["landmark_shares"]) == pytest.approx(1.0, abs=0.01)
        assert {region["name"] for region in line["regions"]} == set(REGIONS)
        assert set(line["parts"]) < set(PARTS)
        assert 0.0 <= line["largest_drop"] <= 1.0
        assert sum(line["probabilities"]) == pytest.approx(1.0, abs=0.01)


def test_every_emotion_by_one_method(folder: Path, tmp_path: Path) -> None:
    image = str(folder / "collins.png")
    out = tmp_path / "out"
    assert (
        main(["explain", image, "--emotion", "all", "--method", "gradcam", "--out", str(out)]) == 0
    )
    assert [line["emotion"] for line in lines(out)] == list(EMOTIONS)
    tall = cv2.imread(str(out / "collins_face1.png")).shape[0]
    arguments = ["--emotion", "fear", "sad", "fear", "--method", "gradcam", "--out", str(out)]
    assert main(["explain", image, *arguments]) == 0
    assert [line["emotion"] for line in lines(out)] == ["fear", "sad"]
    assert cv2.imread(str(out / "collins_face1.png")).shape[0] < 0.4 * tall


def test_a_video_gives_one_sheet_per_interval_and_track(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--every", "2", "--method", "gradcam", "--out", str(out)]
    assert main(["explain", "demo", *arguments]) == 0
    found = lines(out)
    times = sorted({line["time"] for line in found})
    assert 3 <= len(times) <= 5
    assert np.diff(times).min() > 1.99
    assert {line["track_id"] for line in found} == {1, 2}
    assert all((out / f"{line['image']}.png").is_file() for line in found)


def test_a_second_run_removes_the_sheets_of_the_first(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    own = cv2.imread(str(folder / "wall.png"))
    cv2.imwrite(str(out / "own.png"), own)
    options = ["--method", "gradcam", "--out", str(out)]
    assert main(["explain", str(folder), *options]) == 0
    assert main(["explain", str(folder / "wall.png"), *options]) == 1
    names = ["collins_face1.png", "hopper_face1.png", "own.png"]
    assert sorted(path.name for path in out.glob("*.png")) == names, "no result replaces nothing"
    assert main(["explain", str(folder / "hopper.png"), *options]) == 0
    assert sorted(path.name for path in out.glob("*.png")) == names[1:]
    assert [line["image"] for line in lines(out)] == ["hopper_face1"]


def test_images_of_one_name_in_two_folders(
    tmp_path: Path, photographs: Photographs, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        cv2.imwrite(str(tmp_path / part / "1.png"), photographs["collins"])
    out = tmp_path / "out"
    arguments = ["explain", f"{tmp_path}/*/1.png", "--method", "gradcam", "--out", str(out)]
    assert main(arguments) == 0
    assert "2 faces in 2 images" in capsys.readouterr().out
    names = ["1_2_face1", "1_face1"]
    assert sorted(path.stem for path in out.glob("*.png")) == names
    assert sorted(line["image"] for line in lines(out)) == names


@pytest.mark.parametrize("mode", ["blur", "landmarks-only"])
def test_privacy_hides_the_face_in_every_tile(mode: str, folder: Path, tmp_path: Path) -> None:
    image = str(folder / "collins.png")
    sheets = {}
    for wanted in ("none", mode):
        out = tmp_path / wanted
        arguments = ["--method", "gradcam", "--privacy", wanted, "--out", str(out)]
        assert main(["explain", image, *arguments]) == 0
        sheets[wanted] = cv2.imread(str(out / "collins_face1.png"), cv2.IMREAD_GRAYSCALE)
    assert sheets["none"].shape == sheets[mode].shape
    # Nothing of what is fine in the original is left.
    plain, hidden = (
        cv2.Laplacian(sheet[98:354, 16:272], cv2.CV_64F).ravel() for sheet in sheets.values()
    )
    assert abs(np.corrcoef(plain, hidden)[0, 1]) < 0.3


def test_an_image_without_faces(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["explain", str(folder / "wall.png"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "0 faces in 1 image explained" in capsys.readouterr().out


def test_mean_maps_of_a_folder_for_each_emotion(
    photographs: Photographs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = {"happy": photographs["collins"][70:200, 165:290], "neutral": photographs["hopper"]}
    faces["neutral"] = faces["neutral"][130:370, 135:395]
    for name, pixels in faces.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / name / "1.png"), pixels)
    out = tmp_path / "out"
    assert main(["explain", "--mean", str(tmp_path / "set"), "--out", str(out)]) == 0
    output = capsys.readouterr().out
    tables = (out / "mean_maps.md").read_text()
    assert tables in output
    rows = [" ".join(line.split()) for line in tables.splitlines()]
    assert {"| happy | 1 | 1 |", "| fear | 0 | 0 |"} < set(rows)
    assert "edan-lite" in tables
    for name in ("mean_gradcam.png", "mean_occlusion.png"):
        assert cv2.imread(str(out / name)) is not None
    assert (out / "curves.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ([], 2, "required"),
        (["a.png", "--mean", "b"], 2, "not allowed with"),
        (["a.png", "--emotion", "joy"], 2, "invalid choice"),
        (["--mean", "b", "--count", "0"], 2, "from 1 up"),
        (["nothing.png"], 1, "there is no nothing.png"),
        (["--mean", "nothing"], 1, "LAYOUT=PATH"),
        (["--mean", "fer2013=nothing"], 1, "there is no such folder"),
        (["--mean", "nothing", "--emotion", "sad"], 1, "leave out --emotion"),
    ],
)
def test_invalid_input_is_one_message(
    arguments: list[str],
    code: int,
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        ended = main(["explain", *arguments])
    except SystemExit as error:  # of argparse
        ended = error.code
    assert ended == code
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_ends_the_command_early(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    out = str(tmp_path / "file" / "out")
    assert main(["explain", str(folder), "--out", out]) == 1
    assert "cannot be written" in capsys.readouterr().err
