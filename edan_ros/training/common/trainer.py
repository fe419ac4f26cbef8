"""Training in phases, resumable at any step, in one process or several."""

from __future__ import annotations

import math
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Generic, cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from edan_ros.core.wording import plural
from edan_ros.training.common import sam
from edan_ros.training.common.checkpoints import WeightAverage, read_state, save_state
from edan_ros.training.common.config import ConfigError, Phase, rename_entries
from edan_ros.training.common.data import batches
from edan_ros.training.common.distributed import World
from edan_ros.training.common.run_log import append_log, draw_curves, drop_log_from
from edan_ros.training.common.task import Learner, NetworkT, Task


class Interrupted(KeyboardInterrupt):
    """A run was stopped by a signal and has written a checkpoint."""


class StopRequest:
    """While entered, SIGINT, SIGTERM and SIGHUP set ``requested``; a second one ends the process.

    SIGHUP stays ignored where ``nohup`` ignores it.
    """

    def __init__(self) -> None:
        self.requested = False
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if number != signal.SIGHUP or before is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()


@dataclass
class PhaseState:
    """Everything that changes while a phase is trained.

    Attributes:
        number: of the phase, from 0.
        epoch: the one in progress, from 0.
        step: steps of it that are done.
        sums: of each term of the loss over these steps.
        seconds: that these steps took.
    """

    number: int
    phase: Phase
    learner: Learner
    average: WeightAverage
    optimiser: torch.optim.Optimizer
    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    seconds: float = 0.0

    def save(self, path: Path, network: dict[str, Any], settings: dict[str, Any]) -> None:
        """Write a checkpoint from which training continues exactly here.

        No random state is stored: all that is random follows from the seed and the numbers of
        phase, epoch, step and process.
        """
        factors = self.learner.log_variance
        state = {
            **network,
            "training": settings,
            "epoch": self.epoch - 1,
            "step": self.step,
            "sums": dict(self.sums),
            "seconds": self.seconds,
            "network": self.learner.network.state_dict(),
            "average": self.average.module.state_dict(),
            "steps": self.average.steps,
            "optimiser": self.optimiser.state_dict(),
            "factors": {} if factors is None else factors.state_dict(),
        }
        save_state(path, state)

    def restore(self, path: Path, network: dict[str, Any], settings: dict[str, Any]) -> None:
        """Continue from a checkpoint; print which entries of the configuration have changed.

        Raises ConfigError when the checkpoint holds another network.
        """
        state = read_state(path, next(self.learner.parameters()).device)
        # Checkpoints from before an argument of a network existed used its default.
        stored = {**network["config"], **state.get("config", {})}
        if stored != network["config"]:
            raise ConfigError(
                f"{path} holds another network, {stored}; this one is {network['config']}: "
                "use another --out, or delete the run"
            )
        changed = changed_settings(rename_entries(state.get("training", {})), settings)
        if changed:
            tqdm.write(f"{path.name}: changed since the run started: {', '.join(changed)}")
        try:
            self.learner.network.load_state_dict(state["network"])
            self.average.module.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError) as error:  # names or shapes differ; other parameters
            raise ConfigError(
                f"{path} does not fit this configuration; resume with the same one and the same "
                f"--start: {error}"
            ) from error
        self.average.steps = state["steps"]
        if self.learner.log_variance is not None and state.get("factors"):
            self.learner.log_variance.load_state_dict(state["factors"])
        self.epoch, self.step = state["epoch"] + 1, state.get("step", 0)
        self.sums = defaultdict(float, state.get("sums", {}))
        self.seconds = state.get("seconds", 0.0)

    def finish_epoch(self) -> None:
        """Move on to the next epoch."""
        self.epoch, self.step, self.seconds = self.epoch + 1, 0, 0.0
        self.sums = defaultdict(float)


#: Groups of settings that have gained entries: one missing from a checkpoint had its default.
_GROWING = ("augmentation", "loss", "optimiser", "composition", "camera")


def changed_settings(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the names of the settings that differ from those of a checkpoint."""

    def completed(name: str) -> Any:
        return {**now[name], **before[name]} if name in _GROWING else before[name]

    return [name for name in now if name in before and completed(name) != now[name]]


def learning_rate(epoch: float, epochs: int, peak: float, warmup: float) -> float:
    """Return the rate at a fraction of a phase: linear warm-up, then a cosine down to 1e-5."""
    if epoch < warmup:
        return peak * (0.02 + 0.98 * epoch / warmup)
    progress = (epoch - warmup) / max(epochs - warmup, 1e-9)
    return peak * 0.5 * (1 + math.cos(math.pi * progress)) + 1e-5


def check_batch(batch: int, views: int, world: World) -> None:
    """Raise ConfigError when a batch cannot be divided among the processes of a run."""
    if batch % (world.size * views):
        raise ConfigError(
            f"a batch of {batch} cannot be divided among {world.size} processes"
            + (f" without separating the {views} views of an image" if views > 1 else "")
        )


class Trainer(Generic[NetworkT]):
    """Runs the phases of a task; resumes from the checkpoints in ``out``.

    Args:
        task: what is trained, and on what.
        out: folder of the run: checkpoints, ``log.jsonl`` and ``curves.svg``.
        world: this process among those of the run; alone on the CPU without.
        workers: processes that prepare batches, for each process of the run.
        checkpoint_minutes: time between checkpoints inside an epoch.
        on_step: called after every step with the state of the phase.

    Raises:
        ConfigError: if the configuration does not fit the network, the data, the checkpoints or
            what the run starts from.
        Interrupted: from :meth:`run`, when a signal stopped it; a checkpoint is written.
    """

    def __init__(
        self,
        task: Task[NetworkT],
        out: Path,
        *,
        world: World | None = None,
        workers: int = 1,
        checkpoint_minutes: float = 5.0,
        on_step: Callable[[PhaseState], None] | None = None,
    ) -> None:
        self.task, self.out = task, out
        self.world = world or World(torch.device("cpu"))
        self.workers, self.checkpoint_minutes, self.on_step = workers, checkpoint_minutes, on_step
        check_batch(task.batch, task.views, self.world)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot create the folder {out}: {error.strerror}") from error

    def run(self) -> NetworkT:
        """Train all phases and return the averaged network of the last one."""
        network: NetworkT | None = None
        with StopRequest() as stop:
            for number, phase in enumerate(self.task.phases):
                network = self._run_phase(number, phase, network, stop)
        assert network is not None, "a task has at least one phase"
        if self.world.is_main_process:
            epochs = sum(phase.epochs for phase in self.task.phases)
            tqdm.write(f"Finished after {plural(epochs, 'epoch')}: {self.out}/")
        return network

    def _run_phase(
        self, number: int, phase: Phase, previous: NetworkT | None, stop: StopRequest
    ) -> NetworkT:
        torch.manual_seed(self.task.seed)
        checkpoint = self.out / self.task.checkpoint_name(number)
        resumed = checkpoint.is_file()
        try:
            learner = self.task.create_learner(number, previous, self.world.device, resumed=resumed)
        except (AttributeError, ValueError) as error:
            raise ConfigError(f"phase {number + 1} cannot start: {error}") from error
        learner.to(self.world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = WeightAverage(learner.network, self.task.step_options.ema)
        optimiser = self.task.create_optimiser(learner, phase)
        state = PhaseState(number, phase, learner, average, optimiser)
        if resumed:
            state.restore(checkpoint, *self._description(state))
        if self.world.is_main_process:
            drop_log_from(self.out, number + 1, state.epoch + 1)
        module = self.world.distribute(learner)
        network = cast(NetworkT, average.module)
        while state.epoch < phase.epochs:
            entry = self._run_epoch(state, module, stop)
            if self.world.is_main_process:
                entry.update(self.task.validate(network))
                append_log(self.out, {"phase": number + 1, "epoch": state.epoch + 1, **entry})
                draw_curves(self.out)
            state.finish_epoch()
            self._save(state)
            self.world.wait()
        return network

    def _run_epoch(
        self, state: PhaseState, module: nn.Module, stop: StopRequest
    ) -> dict[str, float]:
        """Train the rest of an epoch; return the mean of each term of the loss, and seconds."""
        data = self.task.epoch_data(state.number, state.epoch)
        steps = len(data) // self.task.batch  # type: ignore[arg-type]
        if not steps:
            raise ConfigError(
                f"batch: an epoch has {plural(len(data), 'sample')}, fewer than a batch of "  # type: ignore[arg-type]
                f"{self.task.batch}: lower batch, or raise epoch_samples"
            )
        world = self.world
        bar = tqdm(
            batches(
                data,
                self.task.batch,
                workers=self.workers,
                first=state.step,
                rank=world.rank,
                world=world.size,
            ),
            initial=state.step,
            total=steps,
            desc=self._place(state),
            mininterval=1,
            disable=not world.is_main_process,
        )
        module.train()
        saved = before = time.monotonic()
        for batch in bar:
            self._step(state, module, batch, steps)
            now = time.monotonic()
            state.seconds, before = state.seconds + now - before, now
            if state.step % 20 == 0:
                bar.set_postfix({k: f"{v / state.step:.3f}" for k, v in state.sums.items()})
            if self.on_step is not None:
                self.on_step(state)
            if world.any(stop.requested):
                bar.close()
                self._stop(state)
            if now - saved > 60.0 * self.checkpoint_minutes:
                self._save(state)
                saved = now
        means = {f"train_{name}": value / steps for name, value in state.sums.items()}
        return {**means, "seconds": state.seconds}

    def _step(
        self, state: PhaseState, module: nn.Module, batch: dict[str, Tensor], steps: int
    ) -> None:
        options = self.task.step_options
        rate = learning_rate(
            state.epoch + state.step / steps,
            state.phase.epochs,
            state.phase.learning_rate,
            options.warmup_epochs,
        )
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        batch = {name: value.to(self.world.device) for name, value in batch.items()}
        state.optimiser.zero_grad(set_to_none=True)
        backward = partial(self._backward, state, module, batch)
        losses = backward()
        if options.sharpness:
            sam.perturb(module, options.sharpness, backward)
        nn.utils.clip_grad_norm_(module.parameters(), self.task.clip_norm)
        state.optimiser.step()
        state.average.update_parameters(state.learner.network)
        state.step += 1
        for name, value in losses.items():
            state.sums[name] += float(value.detach())

    def _backward(
        self, state: PhaseState, module: nn.Module, batch: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        # Seeded by step, so that dropout in a resumed run equals that of an uninterrupted one.
        key = (self.task.seed, state.number, state.epoch, state.step, self.world.rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
        losses: dict[str, Tensor] = module(batch)
        torch.autograd.backward(losses["total"])
        return losses

    def _place(self, state: PhaseState) -> str:
        """Return where a run is; epochs count from 1 in each phase, as in the log."""
        epoch = f"epoch {state.epoch + 1}/{state.phase.epochs}"
        phases = len(self.task.phases)
        return epoch if phases == 1 else f"phase {state.number + 1}/{phases}, {epoch}"

    def _description(self, state: PhaseState) -> tuple[dict[str, Any], dict[str, Any]]:
        network = cast(NetworkT, state.average.module)
        return self.task.describe(network), asdict(self.task.config)

    def _save(self, state: PhaseState) -> None:
        if self.world.is_main_process:
            path = self.out / self.task.checkpoint_name(state.number)
            state.save(path, *self._description(state))

    def _stop(self, state: PhaseState) -> None:
        self._save(state)
        self.world.wait()
        if self.world.is_main_process:
            tqdm.write(
                f"Stopped after step {state.step} of {self._place(state)}; run the same command to "
                "continue."
            )
        raise Interrupted
