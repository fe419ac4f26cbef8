"""The command that a manifest tells makes the model from nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.training.common.errors import ConfigError
from edan_ros.training.common.reproduction import reproduction


def test_all_runs_are_told_the_first_one_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train").mkdir()
    for name, start in (("a", ""), ("b", "a.yaml"), ("c", "b.yaml")):
        Path(f"train/{name}.yaml").write_text(f"name: {name}\nstart: '{start}'\n")
    assert reproduction(Path("train/c.yaml"), Path("weights"), half=True).split(" && ") == [
        "edan train train/a.yaml --data DATA --out a",
        "edan train train/b.yaml --data DATA --out b --start a",
        "edan train train/c.yaml --data DATA --out c --start b",
        "edan export train/c.yaml c --data DATA --to weights --half",
    ]
    mean = reproduction(Path("train/c.yaml"), Path("weights"), others=[Path("runs/b")])
    assert mean.endswith("edan export train/c.yaml c b --data DATA --to weights")


def test_a_start_that_a_base_names_counts_and_one_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text("name: first\n")
    (tmp_path / "base.yaml").write_text("start: first.yaml\n")
    (tmp_path / "last.yaml").write_text("base: base.yaml\n")
    command = reproduction(tmp_path / "last.yaml", tmp_path / "to")
    assert command.startswith("edan train first.yaml --data DATA --out first && ")
    assert str(tmp_path) not in command
    (tmp_path / "first.yaml").unlink()
    with pytest.raises(ConfigError, match=r"first\.yaml"):
        reproduction(tmp_path / "last.yaml", tmp_path / "to")
