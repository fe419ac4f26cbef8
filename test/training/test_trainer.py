"""A training run, small but whole: it learns, it resumes where it stopped, it exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.core.crops import Crop  # noqa: E402
from edan_ros.core.geometry import MEAN_SHAPE  # noqa: E402
from edan_ros.training.config import load_config  # noqa: E402
from edan_ros.training.errors import ConfigError  # noqa: E402
from edan_ros.training.samples import Samples, make_samples  # noqa: E402
from edan_ros.training.trainer import Trainer  # noqa: E402

CONFIG = {
    "name": "tiny",
    "version": "0",
    "seed": 3,
    "batch": 8,
    "network": {"size": 32, "width": 0.125},
    "data": {},
    "phases": [
        {"stages": 1, "epochs": 2, "learning_rate": 0.02},
        {"stages": 2, "epochs": 1, "learning_rate": 0.01},
    ],
    "optimiser": {"warmup_epochs": 0.1},
    "augmentation": {"miss": 0.0, "erase": 0.0, "wide_roll_share": 0.0},
}


def write(folder: Path, **changes: object) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **changes}))
    return path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A network this small is slower on two threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def samples() -> Samples:
    """Bright and dark halves stand for two emotions; flat noise is no face."""
    rng = np.random.default_rng(0)
    points = np.repeat((MEAN_SHAPE * 36 + 24)[None], 48, axis=0)
    images, emotions = [], np.zeros((48, 7))
    for i in range(48):
        image = rng.integers(0, 60, (48, 48)).astype(np.uint8)
        image[:24] += np.uint8(150 * (i % 2))
        images.append(image)
        emotions[i, 1 + i % 2] = 1.0
    crops = [Crop.from_landmarks(p) for p in points]
    return make_samples(images, crops=crops, landmarks=points, emotions=emotions, weights=2.0)


def run(config_path: Path, samples: Samples, out: Path) -> torch.nn.Module:
    return Trainer(load_config(config_path), samples, out, lambda _: {"seen": 1.0}, workers=0).run()


def test_it_learns_and_logs(tmp_path: Path, samples: Samples) -> None:
    network = run(write(tmp_path), samples, tmp_path / "run")
    assert network.config["stages"] == 2
    log = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [(entry["phase"], entry["epoch"]) for entry in log] == [(0, 0), (0, 1), (1, 0)]
    assert log[-1]["train_emotion"] < log[0]["train_emotion"]
    assert log[-1]["train_landmarks"] < log[0]["train_landmarks"]


def test_the_first_stage_is_frozen_while_the_second_learns(
    tmp_path: Path, samples: Samples
) -> None:
    config = write(tmp_path)
    both = run(config, samples, tmp_path / "run").state_dict()
    first = torch.load(tmp_path / "run/phase0.pt", weights_only=True)["average"]
    for name, value in first.items():
        if name.startswith("stage1.") and "num_batches" not in name:
            assert torch.allclose(both[name], value, atol=1e-6), name


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, samples: Samples
) -> None:
    """Stopped after the first of two epochs and started again: the same weights."""
    config = write(tmp_path)
    whole = run(config, samples, tmp_path / "whole").state_dict()

    first_epoch_only = iter([{}])
    with pytest.raises(StopIteration):
        Trainer(
            load_config(config),
            samples,
            tmp_path / "cut",
            lambda _: next(first_epoch_only),
            workers=0,
        ).run()
    resumed = run(config, samples, tmp_path / "cut").state_dict()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


def test_a_wide_run_starts_where_a_narrow_one_ended(tmp_path: Path, samples: Samples) -> None:
    narrow = run(write(tmp_path), samples, tmp_path / "narrow")
    still = [{"stages": n, "epochs": 1, "learning_rate": 1e-9} for n in (1, 2)]
    config = load_config(write(tmp_path, network={"size": 32, "width": 0.25}, phases=still))
    wide = Trainer(
        config, samples, tmp_path / "wide", lambda _: {}, workers=0, start=tmp_path / "narrow"
    ).run()
    crops = torch.rand(4, 1, 32, 32) * 255
    with torch.no_grad():
        before, after = narrow(crops), wide(crops)
    assert wide.config["width"] == 0.25
    # Running means move during the epoch, however small the rate.
    assert (after.landmarks - before.landmarks).abs().max() < 1.0


def test_a_start_that_is_not_there_is_named(tmp_path: Path, samples: Samples) -> None:
    config = load_config(write(tmp_path))
    with pytest.raises(ConfigError, match="train first"):
        Trainer(
            config, samples, tmp_path / "run", lambda _: {}, workers=0, start=tmp_path / "none"
        ).run()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phases": []}, "phases is empty"),
        ({"loss": {"landmark": 1}}, "unknown entry landmark"),
        ({"colour": True}, "unknown entry colour"),
    ],
)
def test_wrong_configurations_are_named(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, **changes))


def test_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path / "none.yaml")
