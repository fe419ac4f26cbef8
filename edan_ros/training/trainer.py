"""Stage-wise training with checkpoints after each epoch."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from edan_ros.networks.emotional_dan import EmotionalDAN
from edan_ros.networks.widen import widen
from edan_ros.training.config import Phase, TrainConfig
from edan_ros.training.data import EpochData, batches
from edan_ros.training.errors import ConfigError
from edan_ros.training.losses import joint_loss
from edan_ros.training.samples import Samples

Validate = Callable[[EmotionalDAN], dict[str, float]]


class Average:
    """Exponential moving average of a network's weights; its buffers are copied as they are."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for mine, theirs in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def learning_rate(epoch: float, epochs: int, peak: float, warmup: float) -> float:
    """The rate at a fraction of a run: linear warm-up, then a cosine down to 1e-5."""
    if epoch < warmup:
        return peak * (0.02 + 0.98 * epoch / warmup)
    progress = (epoch - warmup) / max(epochs - warmup, 1e-9)
    return peak * 0.5 * (1 + math.cos(math.pi * progress)) + 1e-5


def save_state(
    path: Path,
    epoch: int,
    network: nn.Module,
    average: Average,
    optimiser: torch.optim.Optimizer,
    **more: Any,
) -> None:
    """Write a checkpoint; one that was there before is replaced whole or not at all."""
    state: dict[str, Any] = {
        **more,
        "epoch": epoch,
        "network": network.state_dict(),
        "average": average.network.state_dict(),
        "steps": average.steps,
        "optimiser": optimiser.state_dict(),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def load_average(checkpoint: Path) -> EmotionalDAN:
    """The averaged network of a checkpoint, for inference.

    Raises ConfigError when there is no such checkpoint.
    """
    if not checkpoint.is_file():
        raise ConfigError(f"{checkpoint} is not there: train first, with --out {checkpoint.parent}")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    network = EmotionalDAN(**state["config"])
    network.load_state_dict(state["average"])
    return network.eval()


def append_log(out: Path, log: dict[str, float]) -> None:
    """Add one line of JSON to the run's log, and say it."""
    with (out / "log.jsonl").open("a", encoding="utf-8") as f:
        f.write(json.dumps(log) + "\n")
    tqdm.write("  ".join(f"{k} {v:.4g}" for k, v in log.items()))


class Trainer:
    """Runs the phases of a configuration; resumes from the last finished epoch in ``out``.

    ``start``: the folder of a finished run of a narrower network with the same phases. Each phase
    then starts with what its network computes, instead of at random.
    """

    def __init__(
        self,
        config: TrainConfig,
        samples: Samples,
        out: Path,
        validate: Validate,
        *,
        device: str = "cpu",
        workers: int = 1,
        start: Path | None = None,
    ) -> None:
        self.config, self.samples, self.out, self.validate = config, samples, out, validate
        self.start = start
        self.device, self.workers = torch.device(device), workers
        out.mkdir(parents=True, exist_ok=True)

    def run(self) -> EmotionalDAN:
        """Train all phases and return the averaged network of the last one."""
        previous: EmotionalDAN | None = None
        for number, phase in enumerate(self.config.phases):
            previous = self._run_phase(number, phase, previous)
        assert previous is not None
        return previous

    def _start(self, number: int, phase: Phase, previous: EmotionalDAN | None) -> EmotionalDAN:
        torch.manual_seed(self.config.seed)
        network = EmotionalDAN(**self.config.network, stages=phase.stages)
        if self.start is not None:
            narrow = load_average(self.start / f"phase{number}.pt")
            network = widen(narrow, network.config["width"], seed=self.config.seed)
        if previous is not None and phase.stages == 2:
            if self.start is None:
                network.warm_start(previous)
            else:
                network.stage1.load_state_dict(previous.stage1.state_dict())
            network.stage1.requires_grad_(False)
        return network.to(self.device, memory_format=torch.channels_last)

    def _run_phase(self, number: int, phase: Phase, previous: EmotionalDAN | None) -> EmotionalDAN:
        network = self._start(number, phase, previous)
        average = Average(network, self.config.optimiser.ema)
        options = self.config.optimiser
        optimiser = torch.optim.SGD(
            [p for p in network.parameters() if p.requires_grad],
            lr=phase.learning_rate,
            momentum=options.momentum,
            nesterov=True,
            weight_decay=options.weight_decay,
        )
        checkpoint = self.out / f"phase{number}.pt"
        first = 0
        if checkpoint.is_file():
            state = torch.load(checkpoint, map_location=self.device, weights_only=True)
            network.load_state_dict(state["network"])
            average.network.load_state_dict(state["average"])
            average.steps = state["steps"]
            optimiser.load_state_dict(state["optimiser"])
            first = state["epoch"] + 1
        for epoch in range(first, phase.epochs):
            log = self._run_epoch(number, phase, epoch, network, average, optimiser)
            save_state(checkpoint, epoch, network, average, optimiser, config=network.config)
            append_log(self.out, {"phase": number, "epoch": epoch, **log})
        return average.network

    def _run_epoch(
        self,
        number: int,
        phase: Phase,
        epoch: int,
        network: EmotionalDAN,
        average: Average,
        optimiser: torch.optim.Optimizer,
    ) -> dict[str, float]:
        # Seeded by epoch, so that a resumed run drops out what an uninterrupted one would have.
        torch.manual_seed(1_000_003 * self.config.seed + 1000 * number + epoch)
        network.train()
        if phase.stages == 2:
            network.stage1.eval()
        data = EpochData(
            self.samples,
            network.config["size"],
            self.config.augmentation,
            self.config.seed,
            1000 * number + epoch,
        )
        steps = len(data) // self.config.batch
        sums = dict.fromkeys(("landmarks", "emotion", "presence"), 0.0)
        started = time.monotonic()
        bar = tqdm(
            batches(data, self.config.batch, workers=self.workers),
            total=steps,
            desc=f"phase {number} epoch {epoch + 1}/{phase.epochs}",
            mininterval=5,
        )
        for step, batch in enumerate(bar):
            rate = learning_rate(
                epoch + step / steps,
                phase.epochs,
                phase.learning_rate,
                self.config.optimiser.warmup_epochs,
            )
            for group in optimiser.param_groups:
                group["lr"] = rate
            losses = self._step(network, batch, optimiser)
            average.update(network)
            for name in sums:
                sums[name] += losses[name]
            if step % 20 == 0:
                bar.set_postfix({k: f"{v / (step + 1):.3f}" for k, v in sums.items()})
        log = {f"train_{k}": v / steps for k, v in sums.items()}
        log["seconds"] = time.monotonic() - started
        return {**log, **self.validate(average.network)}

    def _step(
        self, network: EmotionalDAN, batch: dict[str, Tensor], optimiser: torch.optim.Optimizer
    ) -> dict[str, float]:
        batch = {k: v.to(self.device) for k, v in batch.items()}
        crops = batch["crop"][:, None].float()
        with torch.autocast(self.device.type, torch.bfloat16):
            output = network(crops)
        losses = joint_loss(output, batch, self.config.loss)
        optimiser.zero_grad(set_to_none=True)
        losses.total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        return {
            name: float(getattr(losses, name).detach())
            for name in ("landmarks", "emotion", "presence")
        }
