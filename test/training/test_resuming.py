"""A run that was stopped, at whatever moment, ends where an uninterrupted one does."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from small_training import run, same, write  # noqa: E402

from edan_ros.training.common.checkpoints import load_average, read_log, read_state  # noqa: E402
from edan_ros.training.common.config import load_config  # noqa: E402
from edan_ros.training.common.errors import ConfigError  # noqa: E402
from edan_ros.training.common.stopping import Interrupted  # noqa: E402
from edan_ros.training.common.trainer import Trainer  # noqa: E402
from edan_ros.training.emotion.samples import Samples  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
Finished = Callable[[Path], Path]


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, samples: Samples, finished: Finished
) -> None:
    """Stopped after the first of two epochs and started again: the same weights."""
    config = write(tmp_path)
    whole = load_average(finished(tmp_path / "whole") / "phase1.pt")
    first_epoch_only = iter([{}])
    with pytest.raises(StopIteration):
        Trainer(
            load_config(config),
            samples,
            tmp_path / "cut",
            lambda _: next(first_epoch_only),
            workers=0,
        ).run()
    assert same(run(config, samples, tmp_path / "cut"), whole)
    assert len(read_log(tmp_path / "cut")) == 3
    run(config, samples, tmp_path / "cut")  # nothing is left to train, and nothing is forgotten
    assert len(read_log(tmp_path / "cut")) == 3


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGTERM, 0)]
)
def test_a_signal_leaves_a_checkpoint_inside_an_epoch(
    tmp_path: Path, samples: Samples, monkeypatch, number: signal.Signals, workers: int
) -> None:
    """Ended at the third step of every epoch there is, and started again each time.

    The signal goes to the processes that prepare batches, too, as that of a service manager does.
    """
    optimiser = {"warmup_epochs": 0.1, "sharpness": 0.05}
    config = write(tmp_path, loss={"uncertainty": True}, optimiser=optimiser)
    whole = run(config, samples, tmp_path / "whole")
    step = Trainer._step

    def ended(trainer: Trainer, progress, *rest) -> None:
        step(trainer, progress, *rest)
        if progress.step == 3:
            for child in multiprocessing.active_children():
                os.kill(child.pid, number)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Trainer, "_step", ended)
    for _ in range(3):
        trainer = Trainer(load_config(config), samples, tmp_path / "cut", workers=workers)
        with pytest.raises(Interrupted):
            trainer.run()
    assert same(run(config, samples, tmp_path / "cut"), whole)
    logs = [read_log(tmp_path / name) for name in ("whole", "cut")]
    for one, other in zip(*logs, strict=True):
        assert one["train_emotion"] == pytest.approx(other["train_emotion"], rel=1e-6)


def test_a_crash_costs_no_more_than_the_time_between_checkpoints(
    tmp_path: Path, samples: Samples, finished: Finished, monkeypatch
) -> None:
    config = write(tmp_path)
    whole = load_average(finished(tmp_path / "whole") / "phase1.pt")
    step = Trainer._step

    def crash(trainer: Trainer, progress, *rest) -> None:
        if progress.step == 5:
            raise MemoryError
        step(trainer, progress, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", crash)
        with pytest.raises(MemoryError):
            Trainer(load_config(config), samples, tmp_path / "cut", minutes=0.0, workers=0).run()
    assert read_state(tmp_path / "cut/phase0.pt")["step"] == 5
    assert same(run(config, samples, tmp_path / "cut"), whole)


def test_a_run_of_another_network_is_not_gone_on_with(
    tmp_path: Path, samples: Samples, finished: Finished
) -> None:
    finished(tmp_path / "run")
    other = write(tmp_path, network={"size": 32, "width": 0.25})
    with pytest.raises(ConfigError, match="another network"):
        run(other, samples, tmp_path / "run")


def test_what_changed_since_a_run_began_is_said(
    tmp_path: Path, samples: Samples, finished: Finished, capsys: pytest.CaptureFixture
) -> None:
    finished(tmp_path / "run")
    run(write(tmp_path, loss={"emotion": 1.0}), samples, tmp_path / "run")
    assert "changed since the run began: loss\n" in capsys.readouterr().out


def test_entries_that_came_later_are_not_said_to_have_changed(
    tmp_path: Path, finished: Finished, samples: Samples, capsys: pytest.CaptureFixture
) -> None:
    """A checkpoint from before views and their loss were known."""
    finished(tmp_path / "run")
    for path in (tmp_path / "run").glob("phase*.pt"):
        state = read_state(path)
        del state["training"]["views"], state["training"]["loss"]["consistency"]
        torch.save(state, path)
    run(write(tmp_path), samples, tmp_path / "run")
    assert "changed" not in capsys.readouterr().out


def test_a_checkpoint_of_the_first_versions_is_read(
    tmp_path: Path, samples: Samples, finished: Finished
) -> None:
    """They named neither the kind of network nor a step, nor arguments that came later."""
    path = finished(tmp_path / "run") / "phase1.pt"
    whole = load_average(path)
    state = torch.load(path, weights_only=True)
    kept = ("epoch", "network", "average", "steps", "optimiser")
    old = {name: state[name] for name in kept}
    old["config"] = {k: v for k, v in state["config"].items() if k != "landmarks"}
    torch.save(old, path)
    assert same(load_average(path), whole)
    assert same(run(write(tmp_path), samples, tmp_path / "run"), whole)
