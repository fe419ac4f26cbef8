"""One phase of a run: everything that changes while it is trained, and how that is kept."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from edan_ros.networks.base import EmotionNetwork
from edan_ros.networks.registry import kind_of
from edan_ros.training.common.checkpoints import Average, read_state, save_state
from edan_ros.training.common.config import Optimiser, Phase, TrainConfig
from edan_ros.training.common.errors import ConfigError
from edan_ros.training.emotion.learner import Learner


@dataclass
class PhaseRun:
    """A phase at some moment. epoch: the one in progress; step: batches of it that are done;
    sums: of each term of the loss over them; seconds: that they took."""

    number: int
    phase: Phase
    network: EmotionNetwork
    average: Average
    learner: Learner
    optimiser: torch.optim.Optimizer
    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    seconds: float = 0.0

    def save(self, path: Path, config: TrainConfig) -> None:
        """Write a checkpoint from which training goes on exactly here.

        Nothing random is kept beyond these numbers: every draw follows from the seed of the
        configuration and from the numbers of phase, epoch, step and process.
        """
        factors = self.learner.log_variance
        save_state(
            path,
            self.epoch - 1,
            self.network,
            self.average,
            self.optimiser,
            kind=kind_of(self.network),
            config=self.network.config,
            training=asdict(config),
            step=self.step,
            sums=dict(self.sums),
            seconds=self.seconds,
            factors={} if factors is None else factors.state_dict(),
        )

    def restore(self, path: Path, config: TrainConfig, device: torch.device) -> None:
        """Go on from a checkpoint.

        Raises ConfigError when it is of another network; says what else of the configuration has
        changed since.
        """
        state = read_state(path, device)
        # Runs from before a network's argument existed had its default.
        if {**self.network.config, **state["config"]} != self.network.config:
            raise ConfigError(
                f"{path} is of another network, {state['config']}; this one is "
                f"{self.network.config}: take another --out, or delete the run"
            )
        changed = _changes(state.get("training", {}), asdict(config))
        if changed:
            tqdm.write(f"{path.name}: changed since the run began: {', '.join(changed)}")
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = state["steps"]
        self.optimiser.load_state_dict(state["optimiser"])
        if self.learner.log_variance is not None and state.get("factors"):
            self.learner.log_variance.load_state_dict(state["factors"])
        self.epoch, self.step = state["epoch"] + 1, state.get("step", 0)
        self.sums = defaultdict(float, state.get("sums", {}))
        self.seconds = state.get("seconds", 0.0)

    def finish_epoch(self) -> None:
        """Count the epoch as done."""
        self.epoch, self.step, self.seconds = self.epoch + 1, 0, 0.0
        self.sums = defaultdict(float)


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Entries that a checkpoint's configuration has otherwise; one from before an entry was known
    had its default."""

    def as_now(name: str) -> Any:
        grown = name in ("augmentation", "loss", "optimiser")
        return {**now[name], **before[name]} if grown else before[name]

    return [name for name in now if name in before and as_now(name) != now[name]]


def make_optimiser(learner: Learner, options: Optimiser, rate: float) -> torch.optim.Optimizer:
    """The optimiser of all that is trained; learned factors of the loss do not decay."""
    factors = list(learner.log_variance.parameters()) if learner.log_variance is not None else []
    own = {id(p) for p in factors}
    weights = [p for p in learner.parameters() if p.requires_grad and id(p) not in own]
    groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": options.weight_decay}]
    if factors:
        groups.append({"params": factors, "weight_decay": 0.0})
    if options.kind == "adam":
        return torch.optim.Adam(groups, lr=rate, betas=(options.momentum, 0.999))
    return torch.optim.SGD(groups, lr=rate, momentum=options.momentum, nesterov=True)


def learning_rate(epoch: float, epochs: int, peak: float, warmup: float) -> float:
    """The rate at a fraction of a run: linear warm-up, then a cosine down to 1e-5."""
    if epoch < warmup:
        return peak * (0.02 + 0.98 * epoch / warmup)
    progress = (epoch - warmup) / max(epochs - warmup, 1e-9)
    return peak * 0.5 * (1 + math.cos(math.pi * progress)) + 1e-5


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def clip(module: nn.Module) -> None:
    """Keep one bad batch from throwing the weights away."""
    nn.utils.clip_grad_norm_(module.parameters(), 5.0)
