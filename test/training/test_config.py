"""Configurations: renamed entries, and the command that trains a model from nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.training.common.config import (
    ConfigError,
    read_config,
    rename_entries,
    reproduce_command,
)


def test_the_command_has_all_runs_from_the_first_one_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train").mkdir()
    for name, start in (("a", ""), ("b", "a.yaml"), ("c", "b.yaml")):
        Path(f"train/{name}.yaml").write_text(f"name: {name}\nstart: '{start}'\n")
    assert reproduce_command(Path("train/c.yaml"), Path("weights"), half=True).split(" && ") == [
        "edan train train/a.yaml --data DATA --out a",
        "edan train train/b.yaml --data DATA --out b --start a",
        "edan train train/c.yaml --data DATA --out c --start b",
        "edan export train/c.yaml c --data DATA --to weights --half",
    ]
    mean = reproduce_command(Path("train/c.yaml"), Path("weights"), others=[Path("runs/b")])
    assert mean.endswith("edan export train/c.yaml c b --data DATA --to weights")


def test_the_command_follows_the_start_of_a_base(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text("name: first\n")
    (tmp_path / "base.yaml").write_text("start: first.yaml\n")
    (tmp_path / "last.yaml").write_text("base: base.yaml\n")
    command = reproduce_command(tmp_path / "last.yaml", tmp_path / "to")
    assert command.startswith("edan train first.yaml --data DATA --out first && ")
    assert str(tmp_path) not in command
    (tmp_path / "first.yaml").unlink()
    with pytest.raises(ConfigError, match=r"first\.yaml"):
        reproduce_command(tmp_path / "last.yaml", tmp_path / "to")


def test_renamed_entries_are_accepted_with_a_warning(tmp_path: Path) -> None:
    """In a file and in its base, before they are merged."""
    (tmp_path / "base.yaml").write_text(
        "epoch_draws: 8\naugmentation: {occluder_prob: 0.1, blur: 0.2}\n"
        "data: {fer2013: {second_opinion: 0.2, sharpen: 2.0, trust: 0.3}, nobody: {files: {}}}\n"
    )
    path = tmp_path / "last.yaml"
    path.write_text("base: base.yaml\naugmentation: {worn: 0.3}\nlogit_adjustment: 0.2\n")
    with pytest.warns(FutureWarning) as warned:
        raw = read_config(path)
    assert raw == {
        "epoch_samples": 8,
        "augmentation": {"occluder_prob": 0.3, "blur": 0.2},
        "data": {
            "fer2013": {
                "original_label_weight": 0.2,
                "label_sharpening": 2.0,
                "landmark_weight": 0.3,
            },
            "background_images": {"files": {}},
        },
    }
    sentences = [str(warning.message) for warning in warned]
    assert f"{path}: the entry augmentation: worn is now called occluder_prob;" in sentences[0]
    assert "the entry logit_adjustment is ignored; use loss: {logit_adjustment" in sentences[1]
    assert len(sentences) == 7


def test_entries_are_renamed_in_their_section_only() -> None:
    entries = {
        "composition": {"nobody": 0.1, "shapes": 0.2, "covered": 0.3},
        "data": {"fer2013": {"pictures": 9}, "teacher": {"certain": 0.6}},
        "pictures": 4,
        "network": {"draws": 1},
    }
    assert rename_entries(entries) == {
        "composition": {
            "background_image_prob": 0.1,
            "distractor_prob": 0.2,
            "occluder_prob": 0.3,
        },
        "data": {"fer2013": {"max_images": 9}, "teacher": {"min_score": 0.6}},
        "epoch_samples": 4,
        "network": {"draws": 1},
    }
