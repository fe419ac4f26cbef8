"""Training in phases, resumable at any step, in one process or several."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from edan_ros.networks.base import EmotionNetwork
from edan_ros.networks.emotional_dan import EmotionalDAN
from edan_ros.networks.net2wider import net2wider
from edan_ros.networks.registry import create_network
from edan_ros.networks.restore_batchnorm import restore_batchnorm
from edan_ros.training.common.checkpoints import (
    Average,
    append_log,
    forget_log_from,
    load_average,
    newest_checkpoint,
)
from edan_ros.training.common.config import Phase, TrainConfig, network_options
from edan_ros.training.common.curves import draw_curves
from edan_ros.training.common.data import EpochData, batches
from edan_ros.training.common.distributed import World, takes_bfloat16
from edan_ros.training.common.errors import ConfigError
from edan_ros.training.common.model_weights import recogniser_weights, starting_model
from edan_ros.training.common.phase_run import (
    PhaseRun,
    clip,
    learning_rate,
    make_optimiser,
    set_rate,
)
from edan_ros.training.common.sam import sharpen
from edan_ros.training.common.stopping import Interrupted, StopRequest
from edan_ros.training.emotion.learner import Learner, Teacher
from edan_ros.training.emotion.samples import Samples

Validate = Callable[[EmotionNetwork], dict[str, float]]


def check_run(config: TrainConfig, out: Path, start: Path | None, world: World) -> None:
    """What can be known to be wrong before any picture is read; arguments as of Trainer.

    Raises ConfigError.
    """
    if config.batch % (world.size * config.views):
        raise ConfigError(
            f"a batch of {config.batch} cannot be shared by {world.size} processes"
            + (f" in whole pictures of {config.views} views" if config.views > 1 else "")
        )
    if config.start and start is None and not any(out.glob("phase*.pt")):
        raise ConfigError(
            f"this run begins with one of {config.start}: give that run's folder with --start"
        )
    if start is not None and start.is_dir():
        newest_checkpoint(start)
    elif start is not None:
        starting_model(start, "emotions")


class Trainer:
    """Runs the phases of a configuration; resumes from the checkpoints in ``out``.

    Args:
        validate: called after each epoch with the averaged network; gives what is logged of it.
            Only the process that leads needs it.
        world: this process among those of the run.
        workers: processes that prepare batches, for each process of the run.
        start: what the run begins with, instead of at random. A folder: that of a finished run
            that ended with the first phase's network, or of a narrower network with the same
            phases; then each phase starts with what its network computes. Otherwise a model with
            the first phase's network, by name or file.
        minutes: between checkpoints inside an epoch.

    Raises:
        ConfigError: if the configuration does not fit the network, the data, the checkpoints or
            what the run should begin with.
        Interrupted: from :meth:`run`, when a signal ended it; a checkpoint is left.
    """

    def __init__(
        self,
        config: TrainConfig,
        samples: Samples,
        out: Path,
        validate: Validate | None = None,
        *,
        world: World | None = None,
        workers: int = 1,
        start: Path | None = None,
        minutes: float = 5.0,
    ) -> None:
        self.config, self.samples, self.out, self.validate = config, samples, out, validate
        self.world = world or World(torch.device("cpu"))
        self.workers, self.start, self.minutes = workers, start, minutes
        check_run(config, out, start, self.world)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"the folder {out} cannot be made: {error.strerror}") from error

    def run(self) -> EmotionNetwork:
        """Train all phases and return the averaged network of the last one."""
        previous: EmotionNetwork | None = None
        with StopRequest() as stop:
            for number, phase in enumerate(self.config.phases):
                previous = self._run_phase(number, phase, previous, stop)
        assert previous is not None
        return previous

    def _trained_before(self, phase: Phase) -> EmotionNetwork | None:
        """The first phase's network as ``start`` holds it; None where it holds none such."""
        if self.start is None:
            return None
        network = create_network(**network_options(self.config, phase))
        if not self.start.is_dir():
            self._take_model(network)
            return network
        ended = load_average(newest_checkpoint(self.start))
        same = type(ended) is type(network) and ended.config == network.config
        return ended if same else None

    def _begin(self, number: int, phase: Phase, previous: EmotionNetwork | None) -> EmotionNetwork:
        """The network with which a phase starts."""
        network = create_network(**network_options(self.config, phase))
        if previous is not None and previous.config == network.config:
            network.load_state_dict(previous.state_dict())
        elif self.start is not None and self.start.is_dir():
            network = self._widened(self.start, number, network, previous)
        elif previous is not None:
            network.warm_start(previous)
        elif self.config.backbone:
            network.load_backbone(_read_weights(Path(self.config.backbone)))
        return network

    def _widened(
        self, run: Path, number: int, network: EmotionNetwork, previous: EmotionNetwork | None
    ) -> EmotionNetwork:
        narrow = load_average(run / f"phase{number}.pt")
        if not isinstance(narrow, EmotionalDAN) or not isinstance(network, EmotionalDAN):
            raise ConfigError("only an emotional_dan can start from a narrower one")
        network = net2wider(narrow, network.config["width"], seed=self.config.seed)
        if previous is not None:
            network.stage1.load_state_dict(previous.stage1.state_dict())
        return network

    def _take_model(self, network: EmotionNetwork) -> None:
        """Give a fresh network the function of the model that the run begins with."""
        weights = recogniser_weights(starting_model(self.start, "emotions"))
        data = self._draw(network, 0)
        crops = [data[i]["crop"] for i in range(min(len(data), 4 * self.config.batch))]
        restore_batchnorm(network, weights, torch.from_numpy(np.stack(crops))[:, None].float())

    def _run_phase(
        self, number: int, phase: Phase, previous: EmotionNetwork | None, stop: StopRequest
    ) -> EmotionNetwork:
        torch.manual_seed(self.config.seed)
        try:
            if number == 0:
                previous = self._trained_before(phase)
            network = self._begin(number, phase, previous)
        except (AttributeError, ValueError) as error:
            raise ConfigError(f"phase {number + 1} cannot start: {error}") from error
        network = network.to(self.world.device, memory_format=torch.channels_last)
        run = self._prepare(number, phase, network, trained=previous is not None)
        checkpoint = self.out / f"phase{number}.pt"
        if checkpoint.is_file():
            run.restore(checkpoint, self.config, self.world.device)
        if self.world.leads:
            forget_log_from(self.out, number, run.epoch)
        module = self.world.spread(run.learner)
        while run.epoch < phase.epochs:
            log = self._run_epoch(run, module, stop)
            if self.world.leads:
                if self.validate is not None:
                    log.update(self.validate(run.average.network))
                append_log(self.out, {"phase": number, "epoch": run.epoch, **log})
                draw_curves(self.out)
            run.finish_epoch()
            self._save(run)
            self.world.wait()
        return run.average.network

    def _prepare(
        self, number: int, phase: Phase, network: EmotionNetwork, *, trained: bool
    ) -> PhaseRun:
        config, device = self.config, self.world.device
        average = Average(network, config.optimiser.ema)
        teacher = None
        if config.teacher is not None:
            teacher = Teacher(config.teacher, network.config["classes"], device)
        learner = Learner(
            network,
            config.loss,
            frozen=trained and network.config.get("stages") == 2 and not phase.joint,
            half=takes_bfloat16(config.precision, self.world.device),
            views=config.views,
            teacher=teacher,
        ).to(device)
        optimiser = make_optimiser(learner, config.optimiser, phase.learning_rate)
        return PhaseRun(number, phase, network, average, learner, optimiser)

    def _run_epoch(self, run: PhaseRun, module: nn.Module, stop: StopRequest) -> dict[str, float]:
        """Train what is left of an epoch; the mean of each term of the loss, and the seconds."""
        data = self._draw(run.network, 1000 * run.number + run.epoch)
        steps = len(data) // self.config.batch
        bar = self._bar(run, data, steps)
        module.train()
        saved = before = time.monotonic()
        for batch in bar:
            self._step(run, module, batch, steps)
            now = time.monotonic()
            run.seconds, before = run.seconds + now - before, now
            if run.step % 20 == 0:
                bar.set_postfix({k: f"{v / run.step:.3f}" for k, v in run.sums.items()})
            if self.world.any(stop.asked):
                bar.close()
                self._stop(run)
            if now - saved > 60.0 * self.minutes:
                self._save(run)
                saved = now
        means = {f"train_{name}": value / steps for name, value in run.sums.items()}
        return {**means, "seconds": run.seconds}

    def _draw(self, network: EmotionNetwork, epoch: int) -> EpochData:
        """The pictures of an epoch. Raises ConfigError when they fill no batch."""
        config = self.config
        data = EpochData(
            self.samples,
            network.config["size"],
            config.augmentation,
            config.seed,
            epoch,
            draws=config.epoch_draws,
            views=config.views,
            units="units" in network.outputs,
        )
        if len(data) < config.batch:
            raise ConfigError(f"an epoch draws {len(data)} pictures, and a batch is {config.batch}")
        return data

    def _bar(self, run: PhaseRun, data: EpochData, steps: int) -> tqdm:
        """The batches of the epoch that are left, of this process, under a progress bar."""
        world = self.world
        shares = batches(
            data,
            self.config.batch,
            workers=self.workers,
            first=run.step,
            rank=world.rank,
            world=world.size,
        )
        return tqdm(
            shares,
            initial=run.step,
            total=steps,
            desc=f"phase {run.number} epoch {run.epoch + 1}/{run.phase.epochs}",
            mininterval=5,
            disable=not world.leads,
        )

    def _step(self, run: PhaseRun, module: nn.Module, batch: dict[str, Tensor], steps: int) -> None:
        config = self.config
        rate = learning_rate(
            run.epoch + run.step / steps,
            run.phase.epochs,
            run.phase.learning_rate,
            config.optimiser.warmup_epochs,
        )
        set_rate(run.optimiser, rate)
        batch = {name: value.to(self.world.device) for name, value in batch.items()}
        run.optimiser.zero_grad(set_to_none=True)
        losses = self._backward(run, module, batch)
        if config.optimiser.sharpness:
            again = partial(self._backward, run, module, batch)
            sharpen(module, config.optimiser.sharpness, again)
        clip(module)
        run.optimiser.step()
        run.average.update(run.network)
        run.step += 1
        for name, value in losses.items():
            run.sums[name] += float(value.detach())

    def _backward(
        self, run: PhaseRun, module: nn.Module, batch: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        # Seeded by step, so that a resumed run drops out what an uninterrupted one would have.
        place = (self.config.seed, run.number, run.epoch, run.step, self.world.rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
        losses = module(batch)
        losses["total"].backward()
        return losses

    def _save(self, run: PhaseRun) -> None:
        if self.world.leads:
            run.save(self.out / f"phase{run.number}.pt", self.config)

    def _stop(self, run: PhaseRun) -> None:
        self._save(run)
        self.world.wait()
        if self.world.leads:
            tqdm.write(
                f"stopped after step {run.step} of epoch {run.epoch + 1}, phase {run.number}; "
                "the same command goes on from there"
            )
        raise Interrupted


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ConfigError(f"backbone: there is no file {path}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what its archive and its unpickler raise
        raise ConfigError(f"backbone: {path} holds no weights: {error}") from error
