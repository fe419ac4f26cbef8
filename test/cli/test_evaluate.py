"""`edan evaluate` on made-up images, with the model that ships."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import made_up_sets as trees
import numpy as np
import pytest

from edan_ros.cli.main import main
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.evaluation import detector_comparison

SHIPPED = "edan-lite"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDAN_DATA", raising=False)


@pytest.fixture
def images() -> Path:
    """Two large images of noise per class: happy, sad and contempt."""
    rng = np.random.default_rng(0)
    for word in ("happy", "sad", "contempt"):
        for number in range(2):
            file = Path("faces") / word / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), rng.integers(0, 255, (160, 160), dtype=np.uint8))
    return Path("faces")


def usage_error(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    return int(error.value.code or 0)


def test_a_folder_is_evaluated(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jinja2")
    command = ["evaluate", SHIPPED, "--data", f"folder:mine={images}", "--crop", "given"]
    assert main([*command, "--json", "new/figures.json", "--out", "report"]) == 0
    printed = capsys.readouterr().out
    assert "mine: all; left out: contempt (2)" in printed
    assert any(
        line.split("|")[1:4] == [" mine ", " given ", " 4 "] for line in printed.splitlines()
    )
    mine = json.loads(Path("new/figures.json").read_text())["sets"]["mine"]
    assert (mine["n"], mine["detected"]) == (4, 1.0)
    assert set(mine["per_class"]) == {"happy", "sad"}
    assert np.array(mine["confusion"]).sum() == 4
    assert Path("report/report.html").is_file()


def test_faces_not_found_are_errors(images: Path) -> None:
    """By default the face is detected."""
    for file in images.rglob("*.png"):
        cv2.imwrite(str(file), np.full((160, 160), 128, np.uint8))
    assert main(["evaluate", SHIPPED, "--data", f"folder={images}", "--json", "f.json"]) == 0
    figures = json.loads(Path("f.json").read_text())["sets"]["folder"]
    assert (figures["detected"], figures["accuracy"], figures["ece"]) == (0.0, 0.0, None)


def test_three_classes_over_several_sets(images: Path) -> None:
    sets = [f"folder:a={images}", f"folder:b={images}"]
    command = ["evaluate", SHIPPED, "--data", *sets, "--classes", "3", "--crop", "given"]
    assert main([*command, "--json", "f.json"]) == 0
    figures = json.loads(Path("f.json").read_text())["sets"]
    assert list(figures) == ["a", "b"]
    assert set(figures["a"]["per_class"]) == {"positive", "negative"}


def test_groups(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", SHIPPED, "--data", f"folder={images}", "--crop", "given", "--groups"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "folder: groups of images" in printed
    assert "| sharpness (grey step a pixel): " in printed


def test_a_damaged_image_is_left_out(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "sad" / "1.png").write_bytes(b"cut")
    command = ["evaluate", SHIPPED, "--data", f"folder={images}", "--crop", "given"]
    assert main([*command, "--json", "f.json"]) == 0
    assert "unreadable (1): faces/sad/1.png is not an image" in capsys.readouterr().out
    assert json.loads(Path("f.json").read_text())["sets"]["folder"]["n"] == 3


def test_all_sets_are_checked_before_the_first_is_evaluated(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.rafdb(Path("raf"))
    for file in Path("raf/basic/Image/aligned").iterdir():
        file.unlink()
    sets = [f"folder={images}", "rafdb=raf"]
    assert main(["evaluate", SHIPPED, "--data", *sets, "--crop", "given"]) == 1
    printed = capsys.readouterr()
    assert "none of 1 images that were tried can be read: cannot read the image raf" in printed.err
    assert printed.out == ""


def test_a_part_of_the_images_is_evaluated(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", SHIPPED, "--data", f"folder={images}", "--images", "2"]
    assert main([*command, "--crop", "given"]) == 0
    assert "2 of 4 images, evenly spaced" in capsys.readouterr().out


def test_validation_sets_of_a_folder_side_by_side(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FER2013's public test, KDEF and London, found by $EDAN_DATA, with groups and a prior."""
    trees.fer2013_npz(Path("data/fer2013"))
    trees.kdef_archive(Path("data/kdef"))
    trees.london(Path("data/london"))
    monkeypatch.setenv("EDAN_DATA", "data")
    command = ["evaluate", SHIPPED, "--groups", "--prior", "uniform", "--crop", "given"]
    assert main([*command, "--json", "f.json", "--markdown", "tables.md"]) == 0
    printed = capsys.readouterr().out
    figures = json.loads(Path("f.json").read_text())
    assert list(figures["sets"]) == ["fer2013", "kdef", "london"]
    assert [figures["sets"][name]["n"] for name in figures["sets"]] == [1, 3, 4]
    assert "accuracy" in figures["mean"]
    assert [g["group"] for g in figures["sets"]["kdef"]["groups"]] == [
        *("all", "sex: female", "sex: male")
    ]
    assert "| ethnicity: east asian |" in printed
    assert Path("tables.md").read_text().rstrip() in printed
    assert "class prior: " in printed


def test_the_old_name_of_images_still_works(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", SHIPPED, "--data", f"folder={images}", "--pictures", "2"]
    assert main([*command, "--crop", "given"]) == 0
    printed = capsys.readouterr()
    assert "2 of 4 images, evenly spaced" in printed.out
    assert "--pictures is deprecated: use --images" in printed.err


def test_robustness(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    Path("points").mkdir()
    cv2.imwrite("points/a.png", rng.integers(0, 255, (160, 160), dtype=np.uint8))
    body = "\n".join(f"{x} {y}" for x, y in MEAN_SHAPE * 100 + 80)
    Path("points/a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{body}\n}}\n")
    command = ["evaluate", SHIPPED, "--robustness", "--data", "300w:p=points", "--json", "r.json"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "p: all; 1 image" in printed
    assert "| eyes under sunglasses" in printed
    figures = json.loads(Path("r.json").read_text())["clean"]["p"]
    assert figures["n"] == 1
    assert figures["accuracy"] is None
    assert figures["landmark_error"] > 0.0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (["mine=x"], "there is no layout 'mine'"),
        (["folder=x", "folder=y"], "two sets have one name"),
    ],
)
def test_a_wrong_set_is_a_usage_error(
    data: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage_error(["evaluate", SHIPPED, "--data", *data]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nope", "--data", "folder=x"], "no model is called 'nope'"),
        ([SHIPPED, "--data", "folder=x"], "x should hold a folder of images for each emotion"),
        (
            [SHIPPED, "--data", "nowhere"],
            "nowhere should be a folder that holds fer2013, kdef, london",
        ),
        ([SHIPPED, "--data", "jaffe=."], ". should hold images named like KA.AN1.39.tiff"),
        ([SHIPPED, "--data", "ck+=.,part=x"], "ckplus has no option part"),
    ],
)
def test_a_set_that_cannot_be_read_is_one_sentence(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *arguments]) != 0
    printed = capsys.readouterr()
    assert printed.err.startswith(f"edan evaluate: {expected}")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_a_report_that_cannot_be_written_is_named(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    Path("report").write_text("in the way")
    command = ["evaluate", SHIPPED, "--data", f"folder={images}", "--crop", "given"]
    assert main([*command, "--out", "report"]) != 0
    assert "cannot write the folder report: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "more",
    [["--robustness", "--classes", "3"], ["--robustness", "--out", "x"]],
)
def test_arguments_that_exclude_each_other(more: list[str]) -> None:
    assert usage_error(["evaluate", SHIPPED, "--data", "folder=x", *more]) == 2


def test_failures_need_no_data() -> None:
    for library in ("matplotlib", "skimage"):
        pytest.importorskip(library)
    assert main(["evaluate", SHIPPED, "--failures", "new/failures.png"]) == 0
    assert cv2.imread("new/failures.png") is not None
    assert main(["evaluate", SHIPPED, "--failures", "failures.docx"]) != 0


def test_a_data_set_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error(["evaluate", SHIPPED]) == 2
    assert "argument --data: names no data set" in capsys.readouterr().err


@pytest.mark.parametrize("prior", ["2", "flat"])
def test_a_wrong_prior_is_a_usage_error(prior: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error(["evaluate", SHIPPED, "--data", "folder=x", "--prior", prior]) == 2
    assert f"must be uniform, natural or a number from 0 to 1, not {prior}" in (
        capsys.readouterr().err
    )


def test_detectors_take_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error(["evaluate", "detector", "--data", "folder=x"]) == 2
    assert usage_error(["evaluate", "detector", "--data", "x", "y"]) == 2
    assert "the one folder that holds the data sets" in capsys.readouterr().err


def test_the_number_of_images_holds_for_detectors_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def compare(data: Path, names: list[str], threshold: float, images: int | None) -> list[str]:
        return [f"{data} {names} {threshold} {images}"]

    monkeypatch.setattr(detector_comparison, "compare_detectors", compare)
    command = ["evaluate", "detector", "--data", "x", "--names", "haar", "--images", "5"]
    assert main(command) == 0
    assert capsys.readouterr().out == "x ['haar'] 0.6 5\n"
