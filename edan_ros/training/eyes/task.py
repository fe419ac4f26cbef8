"""The task of training the eye network: its configuration, its loss, its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edan_ros.networks.eyes import EyeNetwork
from edan_ros.training.common.checkpoints import load_weights, read_average
from edan_ros.training.common.config import (
    Optimiser,
    Phase,
    build,
    check_run_config,
    read_config,
)
from edan_ros.training.common.task import Learner, Task
from edan_ros.training.eyes.data import (
    EyeData,
    EyeSamples,
    photographed_samples,
    rendered_samples,
)

#: Value of ``task`` in the configuration.
TASK = "eyes"
#: File of a run from which training resumes and the network is exported.
CHECKPOINT = "eyes.pt"
#: Name of the rendered eyes among the data sets.
RENDERED = "rendered"


@dataclass(frozen=True)
class EyesConfig:
    """Everything that decides the result of a run, except the folder of the eye sets.

    Attributes:
        data: data set -> its ``share`` of the samples; ``rendered`` has also the ``count`` of
            different eyes. Shares are divided by their sum.
        batch: eyes per step.
        epoch_samples: eyes per epoch.
        loss: factors of the terms openness, gaze and quality.
        terms: conditions of use that the data put on the weights.
    """

    name: str
    version: str
    epochs: int
    epoch_samples: int
    learning_rate: float
    data: dict[str, Any]
    seed: int = 1
    batch: int = 256
    task: str = TASK
    weight_decay: float = 0.01
    warmup_epochs: float = 0.3
    ema: float = 0.998
    terms: str = ""
    loss: dict[str, float] = field(
        default_factory=lambda: {"openness": 4.0, "gaze": 6.0, "quality": 1.0}
    )
    network: dict[str, Any] = field(default_factory=dict)


def load_eyes_config(path: Path) -> EyesConfig:
    """Read a configuration. Raises ConfigError with the entry that is wrong."""
    config = build(EyesConfig, read_config(path), str(path))
    check_run_config(path, config, TASK)
    return config


def load_samples(config: EyesConfig, root: Path) -> dict[str, EyeSamples]:
    """Render eyes and read the eye sets ``NAME.npz`` under ``root``.

    Raises DataError where a set cannot be read.
    """
    return {
        name: rendered_samples(options["count"], config.seed)
        if name == RENDERED
        else photographed_samples(root / f"{name}.npz")
        for name, options in config.data.items()
    }


class EyesLearner(Learner):
    """The network with its loss."""

    log_variance: None

    def __init__(self, network: EyeNetwork, weights: dict[str, float]) -> None:
        super().__init__()
        self.network, self.weights, self.log_variance = network, weights, None

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        output = self.network(batch["image"], batch["head"])
        below = (batch["low"] - output.openness).clamp(min=0)
        above = (output.openness - batch["high"]).clamp(min=0)
        zero = torch.zeros_like(below)
        quality = batch["quality"]
        known = quality >= 0
        cross_entropy = functional.cross_entropy(
            output.quality, quality.clamp(min=0), reduction="none"
        )
        gaze = functional.smooth_l1_loss(output.gaze, batch["gaze"], reduction="none", beta=0.1)
        terms = {
            "openness": functional.smooth_l1_loss(below + above, zero, beta=0.1),
            "gaze": (gaze.sum(dim=1) * batch["gaze_weight"]).mean(),
            "quality": (cross_entropy * known).mean(),
        }
        total = torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()
        return {**terms, "total": total}


class EyesTask(Task[EyeNetwork]):
    """A configuration with its samples, as the trainer's task."""

    clip_norm, views = 5.0, 1

    def __init__(self, config: EyesConfig, samples: dict[str, EyeSamples]) -> None:
        self.config = config
        self.samples = list(samples.values())
        shares = np.array([config.data[name]["share"] for name in samples], np.float64)
        self.shares = (shares / shares.sum()).tolist()
        self.seed, self.batch = config.seed, config.batch
        self.phases = (Phase(config.epochs, config.learning_rate),)
        self.step_options = Optimiser(warmup_epochs=config.warmup_epochs, ema=config.ema)

    def checkpoint_name(self, phase: int) -> str:
        del phase  # there is one
        return CHECKPOINT

    def create_learner(
        self, phase: int, previous: EyeNetwork | None, device: torch.device, *, resumed: bool
    ) -> EyesLearner:
        del phase, previous, device, resumed
        return EyesLearner(EyeNetwork(**self.config.network), self.config.loss)

    def create_optimiser(self, learner: Learner, phase: Phase) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            learner.parameters(), lr=phase.learning_rate, weight_decay=self.config.weight_decay
        )

    def epoch_data(self, phase: int, epoch: int) -> EyeData:
        del phase
        config = self.config
        return EyeData(self.samples, self.shares, config.epoch_samples, config.seed, epoch)


def load_averaged(config: EyesConfig, run: Path) -> EyeNetwork:
    """Return the averaged network of a run's checkpoint. Raises ConfigError without one."""
    weights = read_average(run / CHECKPOINT)
    network = EyeNetwork(**config.network)
    load_weights(network, weights, run / CHECKPOINT, config.name)
    return network.eval()
