"""A run that was stopped at any moment ends with the weights of an uninterrupted one."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from small_training import run, same, write  # noqa: E402

from edan_ros.training.common.checkpoints import load_average, read_state  # noqa: E402
from edan_ros.training.common.config import ConfigError  # noqa: E402
from edan_ros.training.common.run_log import LOG, read_log  # noqa: E402
from edan_ros.training.common.trainer import Interrupted, PhaseState  # noqa: E402
from edan_ros.training.emotion.samples import TrainingSet  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
Finished = Callable[[Path], Path]


def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    """Stopped in the validation after the second epoch of three, and started again."""
    config = write(tmp_path)
    whole = load_average(finished(tmp_path / "whole") / "phase1.pt")
    first_epoch_only = iter([{}])
    with pytest.raises(StopIteration):
        run(config, samples, tmp_path / "cut", validate=lambda _: next(first_epoch_only))
    assert same(run(config, samples, tmp_path / "cut"), whole)
    assert len(read_log(tmp_path / "cut")) == 3
    run(config, samples, tmp_path / "cut")  # nothing is left to train, and the log is kept
    assert len(read_log(tmp_path / "cut")) == 3


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGHUP, 0)]
)
def test_a_signal_leaves_a_checkpoint_inside_an_epoch(
    tmp_path: Path, samples: TrainingSet, number: signal.Signals, workers: int
) -> None:
    """Stopped at the third step of every epoch, and started again each time.

    Like a service manager, the test sends the signal to the data loader's processes as well.
    """
    optimiser = {"warmup_epochs": 0.1, "sharpness": 0.05}
    config = write(tmp_path, loss={"uncertainty": True}, optimiser=optimiser)
    whole = run(config, samples, tmp_path / "whole")

    def stop(state: PhaseState) -> None:
        if state.step == 3:
            for child in multiprocessing.active_children():
                os.kill(child.pid, number)
            os.kill(os.getpid(), number)

    for _ in range(3):
        with pytest.raises(Interrupted):
            run(config, samples, tmp_path / "cut", workers=workers, on_step=stop)
    assert same(run(config, samples, tmp_path / "cut"), whole)
    logs = [read_log(tmp_path / name) for name in ("whole", "cut")]
    for one, other in zip(*logs, strict=True):
        assert one["train_emotion"] == pytest.approx(other["train_emotion"], rel=1e-6)


def test_a_crash_costs_at_most_the_time_between_checkpoints(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    config = write(tmp_path)
    whole = load_average(finished(tmp_path / "whole") / "phase1.pt")

    def crash(state: PhaseState) -> None:
        if state.step == 6:
            raise MemoryError

    with pytest.raises(MemoryError):
        run(config, samples, tmp_path / "cut", checkpoint_minutes=0.0, on_step=crash)
    assert read_state(tmp_path / "cut/phase0.pt")["step"] == 5
    assert same(run(config, samples, tmp_path / "cut"), whole)


def test_the_run_of_another_network_is_not_resumed(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    finished(tmp_path / "run")
    other = write(tmp_path, network={"size": 32, "width": 0.25})
    with pytest.raises(ConfigError, match="holds another network"):
        run(other, samples, tmp_path / "run")


def test_settings_changed_since_a_run_started_are_printed(
    tmp_path: Path, samples: TrainingSet, finished: Finished, capsys: pytest.CaptureFixture
) -> None:
    finished(tmp_path / "run")
    run(write(tmp_path, loss={"emotion": 1.0}), samples, tmp_path / "run")
    assert "changed since the run started: loss\n" in capsys.readouterr().out


def test_settings_that_a_checkpoint_lacks_have_not_changed(
    tmp_path: Path, finished: Finished, samples: TrainingSet, capsys: pytest.CaptureFixture
) -> None:
    """The checkpoint is from before views and their loss existed."""
    finished(tmp_path / "run")
    for path in (tmp_path / "run").glob("phase*.pt"):
        state = read_state(path)
        del state["training"]["views"], state["training"]["loss"]["consistency"]
        torch.save(state, path)
    run(write(tmp_path), samples, tmp_path / "run")
    assert "changed" not in capsys.readouterr().out


def test_settings_that_were_renamed_have_not_changed(
    tmp_path: Path, finished: Finished, samples: TrainingSet, capsys: pytest.CaptureFixture
) -> None:
    """The checkpoint is from version 0.5."""
    finished(tmp_path / "run")
    for path in (tmp_path / "run").glob("phase*.pt"):
        state = read_state(path)
        training = state["training"]
        training["epoch_draws"] = training.pop("epoch_samples")
        training["logit_adjustment"] = 0.0
        augmentation = training["augmentation"]
        augmentation["miss"] = augmentation.pop("background_crop_prob")
        augmentation["worn"] = augmentation.pop("occluder_prob")
        torch.save(state, path)
    run(write(tmp_path), samples, tmp_path / "run")
    assert "changed" not in capsys.readouterr().out


def test_a_checkpoint_of_the_first_versions_is_resumed(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    """They stored neither the kind of network, nor a step, nor arguments that came later."""
    path = finished(tmp_path / "run") / "phase1.pt"
    whole = load_average(path)
    state = torch.load(path, weights_only=True)
    kept = ("epoch", "network", "average", "steps", "optimiser")
    old = {name: state[name] for name in kept}
    old["config"] = {k: v for k, v in state["config"].items() if k != "landmarks"}
    torch.save(old, path)
    assert same(load_average(path), whole)
    assert same(run(write(tmp_path), samples, tmp_path / "run"), whole)


def test_a_log_that_counts_from_zero_is_continued_from_one(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    """Version 0.5 numbered phases and epochs from 0."""
    out = finished(tmp_path / "run")
    (out / "phase1.pt").unlink()
    old = [{**e, "phase": e["phase"] - 1, "epoch": e["epoch"] - 1} for e in read_log(out)]
    (out / LOG).write_text("".join(json.dumps(entry) + "\n" for entry in old))
    run(write(tmp_path), samples, out)
    assert [(e["phase"], e["epoch"]) for e in read_log(out)] == [(1, 1), (1, 2), (2, 1)]


def test_a_second_stage_is_not_resumed_as_both_stages(
    tmp_path: Path, samples: TrainingSet, finished: Finished
) -> None:
    """Without its start, the first stage would not be frozen: the optimiser does not fit."""
    first = finished(tmp_path / "first")
    config = write(tmp_path, phases=[{"stages": 2, "epochs": 1, "learning_rate": 0.01}])
    run(config, samples, tmp_path / "run", start=first)
    with pytest.raises(ConfigError, match="resume with the same one and the same --start"):
        run(config, samples, tmp_path / "run")
