"""A task of the trainer: phases, a learner, the data of an epoch, validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from edan_ros.training.common.config import Optimiser, Phase

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class Learner(nn.Module):
    """A network with its loss: what is trained, and distributed over processes.

    Attributes:
        network: the network whose weights are averaged and exported.
        log_variance: learned factors of the terms of the loss, None where they are fixed.
    """

    network: nn.Module
    log_variance: nn.ParameterDict | None

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return each term of the loss by name, and their weighted sum as ``total``."""
        raise NotImplementedError


class Task(ABC, Generic[NetworkT]):
    """A network to train: :class:`edan_ros.training.common.trainer.Trainer` does the rest.

    Attributes:
        config: dataclass with the settings of the run, which checkpoints store.
        seed: decides, with the numbers of phase, epoch, step and process, all that is random.
        batch: samples per step, over all processes together.
        views: samples in a row that no two processes may share.
        phases: of the run, in order.
        step_options: warm-up, weight average and sharpness-aware steps.
        clip_norm: norm to which gradients are clipped.
    """

    config: Any
    seed: int
    batch: int
    views: int
    phases: Sequence[Phase]
    step_options: Optimiser
    clip_norm: float

    @abstractmethod
    def checkpoint_name(self, phase: int) -> str:
        """Return the file name of a phase's checkpoint; phases count from 0."""

    @abstractmethod
    def create_learner(
        self, phase: int, previous: NetworkT | None, device: torch.device, *, resumed: bool
    ) -> Learner:
        """Return the learner that a phase starts with, not yet on ``device``.

        Args:
            phase: number of the phase, from 0.
            previous: averaged network of the phase before.
            device: where it will be trained.
            resumed: whether its state is read from a checkpoint afterwards.
        """

    @abstractmethod
    def create_optimiser(self, learner: Learner, phase: Phase) -> torch.optim.Optimizer:
        """Return the optimiser of all parameters that are trained."""

    @abstractmethod
    def epoch_data(self, phase: int, epoch: int) -> Dataset[dict[str, Any]]:
        """Return the samples of an epoch in order; both numbers count from 0."""

    def validate(self, network: NetworkT) -> dict[str, float]:
        """Return the figures to log for the averaged network after an epoch."""
        del network
        return {}

    def describe(self, network: NetworkT) -> dict[str, Any]:
        """Return what checkpoints store to create the network again, ``config`` among it."""
        return {"config": network.config}
