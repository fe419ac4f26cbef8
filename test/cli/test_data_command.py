"""`edan data prepare` on made-up originals."""

from __future__ import annotations

from pathlib import Path

import made_up_sets as trees
import numpy as np
import pytest

from edan_ros.cli.main import main
from edan_ros.datasets import read


def test_landmarks68(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    originals, target = trees.pts_folder(tmp_path / "afw"), tmp_path / "new" / "landmarks68"
    command = ["data", "prepare", "landmarks68", "--from", str(originals), "--to", str(target)]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{target}: 2 images\n"
    assert len(read("landmarks68", target, part="all")) == 2
    assert main(command) == 1
    assert "already holds images.zip" in capsys.readouterr().err


def test_muxspace_with_landmarks_of_a_model(tmp_path: Path) -> None:
    trees.write(tmp_path / "from" / "legend.csv", "user.id,image,emotion\n1,x.jpg,anger\n")
    trees.save(tmp_path / "from" / "images" / "x.jpg")  # grey: no face
    command = ["data", "prepare", "muxspace", "--from", str(tmp_path / "from")]
    assert main([*command, "--to", str(tmp_path / "to"), "--landmarks", "edan-lite"]) == 0
    (sample,) = read("muxspace", tmp_path / "to").samples
    assert sample.landmarks is None


def test_ytf68_with_a_number_of_frames(tmp_path: Path) -> None:
    frames = np.zeros((48, 48, 3, 4), np.uint8)
    points = np.repeat(trees.landmarks()[..., None], 4, axis=2)
    np.savez(tmp_path / "Ann_0.npz", colorImages=frames, landmarks2D=points)
    command = ["data", "prepare", "ytf68", "--from", str(tmp_path), "--to", str(tmp_path / "to")]
    assert main([*command, "--frames", "2"]) == 0
    assert len(read("ytf68", tmp_path / "to", part="all")) == 2


@pytest.mark.parametrize(
    "wrong",
    [["muxspace", "--frames", "2"], ["ytf68", "--landmarks", "edan-lite"], ["fer2013"]],
)
def test_options_of_another_set_are_usage_errors(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["data", "prepare", *wrong, "--from", "a", "--to", "b"])
    assert error.value.code == 2
