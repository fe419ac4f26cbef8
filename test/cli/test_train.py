"""`edan train`, `export` and `compare` on a small data set of one's own."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("torch", reason="training needs the train extra (torch)")
pytest.importorskip("onnx", reason="export needs the train extra (onnx)")

from edan_ros.cli.main import main
from edan_ros.engines.evaluation_model import EvaluationModel
from edan_ros.training.emotion.config import load_config
from edan_ros.training.emotion.sets import load_training_set

CONFIG = {
    "version": "0",
    "batch": 8,
    "network": {"kind": "cnn2", "size": 32},
    "data": {"mine": {"layout": "folder"}},
    "validate": {"layout": "folder", "path": "mine"},
    "phases": [{"epochs": 2, "learning_rate": 0.003}],
    "optimiser": {"kind": "adam", "warmup_epochs": 0.1, "ema": 0.9},
    "augmentation": {
        "shift": 0.02,
        "wide_roll_share": 0.0,
        "erase": 0.0,
        "background_crop_prob": 0.0,
    },
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes that anything tells apart: bright above, and bright below."""
    rng = np.random.default_rng(0)
    for number, emotion in enumerate(("happiness", "angry")):
        folder = tmp_path / "data/mine" / emotion
        folder.mkdir(parents=True)
        for i in range(24):
            image = rng.integers(0, 80, (48, 48)).astype(np.uint8)
            image[24 * number : 24 * number + 24] += np.uint8(150)
            cv2.imwrite(str(folder / f"{i}.png"), image)
    return tmp_path / "data"


def write(folder: Path, name: str, **changes: object) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, "name": name, **changes}))
    return str(path)


def rows(printed: str) -> list[str]:
    """Return the lines of the table without the spaces that align it."""
    return [" ".join(ln.split()) for ln in printed.splitlines() if ln.startswith("| ")]


def test_an_own_data_set_is_trained_on_and_exported(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture
) -> None:
    """A network and images without landmarks are trained by the same two commands."""
    config, run = write(tmp_path, "small"), str(tmp_path / "run")
    common = ["--data", str(data)]
    assert main(["train", config, *common, "--out", run, "--device", "cpu", "--workers", "0"]) == 0
    printed = capsys.readouterr().out
    assert "48 images, 48 samples per epoch, on cpu" in printed
    assert printed.endswith(f"Finished after 2 epochs: {run}/\n")
    assert (tmp_path / "run/curves.svg").is_file()
    assert main(["export", config, run, *common, "--to", str(tmp_path / "out")]) == 0
    model = EvaluationModel(tmp_path / "out/small.onnx")
    assert model.manifest.outputs == ("logits",)
    assert model.manifest.training["network"] == {"kind": "cnn2", "size": 32, "classes": 7}
    assert str(tmp_path) not in model.manifest.training["command"]
    assert model.manifest.metrics["folder_validation_accuracy"] > 0.9
    assert "landmarks68_tenth_error_outer_eye" not in model.manifest.metrics
    assert main(["export", config, run, run, *common, "--to", str(tmp_path / "mean")]) == 0
    same = EvaluationModel(tmp_path / "mean/small.onnx")
    crop = np.random.default_rng(0).uniform(0, 255, (1, 1, 32, 32)).astype(np.float32)
    np.testing.assert_allclose(
        same.run(crop)["logits"], model.run(crop)["logits"], rtol=1e-4, atol=1e-4
    )
    figures = tmp_path / "figures.json"
    sets = ["--data", f"folder:mine={data / 'mine'}", "--json", str(figures)]
    for classes in ("7", "3"):
        assert main(["evaluate", str(model.manifest.path), *sets, "--classes", classes]) == 0
        measured = json.loads(figures.read_text())["sets"]["mine"]
        assert (measured["n"], measured["detected"]) == (48, 1.0)
        assert measured["accuracy"] > 0.9
    with pytest.raises(SystemExit):
        main(["evaluate", str(model.manifest.path), *sets, "--crop", "detect"])
    assert "has no landmarks" in capsys.readouterr().err


def test_configurations_are_compared_and_finished_runs_kept(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture
) -> None:
    configs = [
        write(tmp_path, "one"),
        write(tmp_path, "three", network={"kind": "cnn2", "size": 32, "classes": 3}),
    ]
    command = ["compare", *configs, "--data", str(data), "--out", str(tmp_path / "runs")]
    options = ["--device", "cpu", "--workers", "0", "--seeds", "1", "2"]
    assert main([*command, *options]) == 0
    table = rows(capsys.readouterr().out)
    result = json.loads((tmp_path / "runs/one-seed2/result.json").read_text())
    assert result["samples"] == 2 * 48
    first, second = table[2].split(" | "), table[3].split(" | ")
    assert first[0] == "| one"
    assert first[1] == "2"
    assert first[6] == second[5] == "-"
    before = (tmp_path / "runs/one-seed1/phase0.pt").stat().st_mtime_ns
    assert main([*command, *options]) == 0
    assert (tmp_path / "runs/one-seed1/phase0.pt").stat().st_mtime_ns == before
    assert table == rows(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"network": {"kind": "vgg"}}, [], "unknown network 'vgg'"),
        ({"network": {"kind": "cnn2", "side": 32}}, [], "network cnn2: unknown entry side; known"),
        ({"network": {"width": "big"}}, [], "emotional_dan: width is 'big'; it should be a number"),
        ({"network": {"kind": "cnn22"}}, [], "did you mean 'cnn2'?"),
        ({"logit_offsets": {"fear": "x"}}, [], "logit_offsets: fear is 'x'; it should be a number"),
        ({"optimizer": {}}, [], "did you mean 'optimiser'?"),
        ({"data": {"mine": 3}}, [], "data: mine: should hold a mapping of entries, not 3"),
        ({"network": 32}, [], "network is 32; it should be a mapping"),
        ({"batch": "eight"}, [], "bad.yaml: batch is 'eight'; it should be a whole number"),
        ({"batch": 0}, [], "bad.yaml: batch is 0; it should be at least 1"),
        ({"phases": [{"epochs": 2}]}, [], "phases: the entry learning_rate is missing"),
        ({"phases": {"epochs": 2}}, [], "phases should be a list"),
        ({"loss": 3}, [], "loss: should hold a mapping of entries, not 3"),
        ({"augmentation": {"mirror": True}}, [], "mirror is True; it should be a number"),
        (
            {"data": {"yours": {"layout": "folder"}}},
            [],
            "should hold a folder of images for each emotion",
        ),
        ({"validate": {"path": "mine"}}, [], "should name the layout"),
        ({"validate": None}, [], "holds no fer2013 to measure epochs on"),
        ({"batch": 64}, [], "an epoch has 48 samples, fewer than a batch of 64"),
        ({}, ["--device", "cuda:77"], "--device cuda:77"),
    ],
)
def test_errors_in_a_training_run_are_one_sentence(
    tmp_path: Path,
    data: Path,
    capsys: pytest.CaptureFixture,
    changes: dict,
    options: list[str],
    message: str,
) -> None:
    config, out = write(tmp_path, "bad", **changes), str(tmp_path / "run")
    command = ["train", config, "--data", str(data), "--out", out, "--workers", "0"]
    assert main([*command, *(options or ["--device", "cpu"])]) in (1, 2)
    assert not (tmp_path / "run/phase0.pt").exists()
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]


def test_numbers_without_a_point_and_versions_without_quotes_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "plain", version=1.5, phases=[{"epochs": 1, "learning_rate": "1e-3"}])
    config = load_config(Path(path))
    assert (config.version, config.phases[0].learning_rate) == ("1.5", 0.001)
    assert (config.seed, config.batch) == (1, 8)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("nowhere", "--start nowhere is neither the folder of a run nor a model"),
        (".", "train first"),
    ],
)
def test_a_wrong_start_is_an_error_before_images_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture, start: str, message: str
) -> None:
    command = ["train", write(tmp_path, "small"), "--data", "no/data", "--out", "run"]
    assert main([*command, "--device", "cpu", "--start", start]) == 1
    assert message in capsys.readouterr().err


def test_a_folder_that_cannot_be_created_is_an_error(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file/run")
    command = ["train", write(tmp_path, "small"), "--data", str(data), "--out", out]
    assert main([*command, "--device", "cpu"]) in (1, 2)
    assert "cannot create the folder" in capsys.readouterr().err


def test_a_comparison_without_finished_runs_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["compare", write(tmp_path, "one"), "--data", "x", "--out", str(tmp_path / "none")]
    assert main([*command, "--print-only"]) in (1, 2)
    assert "holds no finished run" in capsys.readouterr().err


def photos(folder: Path, train: int, test: int) -> Path:
    for part, count in (("train", train), ("test", test)):
        for emotion in ("happy", "sad"):
            (folder / part / emotion).mkdir(parents=True)
            for i in range(count):
                cv2.imwrite(str(folder / part / emotion / f"{i}.png"), np.zeros((9, 9), np.uint8))
    return folder


def test_a_new_configuration_fits_the_photos_and_says_what_to_expect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "data/my photos", train=20, test=2)
    assert main(["new-training", "data/my photos"]) == 0
    printed = capsys.readouterr().out
    assert "train: 40 photos (happy 20, sad 20)" in printed
    assert "no photos of neutral, surprise, fear, disgust, anger to train on" in printed
    copies = "4 test photos are also in train, such as data/my photos/test/happy/0.png"
    assert copies in printed
    config = load_config(tmp_path / "my photos.yaml")
    assert (config.name, config.batch, config.epoch_samples) == ("my_photos", 32, 800)
    entries = {"layout": "folder", "path": config.data["photos"]["path"]}
    assert len(load_training_set({"photos": entries}, tmp_path / "data")) == 40
    assert config.validate == {"layout": "folder", "path": "my photos/test"}
    assert config.loss.logit_adjustment == 1.0
    assert config.network == {"size": 64, "width": 0.5}
    # The command that is printed can be pasted.
    (command,) = [line for line in printed.splitlines() if line.startswith("  edan train")]
    words = shlex.split(command)
    assert words[2:5] == ["my photos.yaml", "--data", "data"]
    for emotion in ("happy", "sad"):
        for i in range(2):
            image = np.full((9, 9), 40 * i + 40, np.uint8)
            cv2.imwrite(f"data/my photos/test/{emotion}/{i}.png", image)
    assert main(["new-training", "data/my photos", "--to", "other.yaml"]) == 0
    assert "also in train" not in capsys.readouterr().out
    assert main(["new-training", "data/my photos"]) == 1
    assert "my photos.yaml exists: name another file with --to" in capsys.readouterr().err


def test_photos_without_a_part_for_the_test_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = photos(tmp_path / "p", train=3, test=1)
    assert main(["new-training", str(folder / "train"), "--to", str(tmp_path / "a.yaml")]) == 1
    assert "put the photos of about a fifth of the people into test/" in capsys.readouterr().err
    assert main(["new-training", str(folder), "--to", str(tmp_path / "a.yaml")]) == 1
    assert "holds 6 photos: training needs at least 16" in capsys.readouterr().err
    assert not (tmp_path / "a.yaml").exists()
