"""Checkpoints of a run, and the networks that they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edan_ros.engines.manifest import Manifest, ModelError, load_manifest
from edan_ros.networks.base import EmotionNetwork
from edan_ros.networks.registry import DEFAULT, create_network
from edan_ros.training.common.config import ConfigError


class WeightAverage(AveragedModel):
    """Exponential moving average of a network's weights and running statistics.

    The decay rises as steps / (steps + 10) up to ``decay``, so that the random start soon
    has no weight. ``module`` is the averaged network, in evaluation mode.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, use_buffers=True)
        self.decay = decay
        self.steps = 0
        self.module.eval()

    @property
    def steps(self) -> int:
        """Number of updates of the average."""
        return int(self.n_averaged) - 1

    @steps.setter
    def steps(self, steps: int) -> None:
        # The network at the start is the first to be averaged: n_averaged is never 0.
        self.n_averaged.fill_(steps + 1)

    def update_parameters(self, model: nn.Module) -> None:
        """Update the average with the weights of a network after a step."""
        step = self.steps + 1
        decay = min(self.decay, step / (step + 10))
        self.multi_avg_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        super().update_parameters(model)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint. An older one is replaced as a whole or not at all."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def read_state(checkpoint: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Return a checkpoint as it was saved. Raises ConfigError when it cannot be read."""
    if not checkpoint.is_file():
        raise ConfigError(
            f"there is no checkpoint {checkpoint}: train first, with --out {checkpoint.parent}"
        )
    try:
        state: dict[str, Any] = torch.load(checkpoint, map_location=device, weights_only=True)
    except Exception as error:  # torch raises what its archive and its unpickler raise
        raise ConfigError(f"{checkpoint} is not a checkpoint of edan_ros: {error}") from error
    return state


def load_average(checkpoint: Path) -> EmotionNetwork:
    """Return a recogniser's averaged network for inference.

    Raises ConfigError when there is no such checkpoint.
    """
    state = read_state(checkpoint)
    network = create_network(kind=state.get("kind", DEFAULT), **state["config"])
    network.load_state_dict(state["average"])
    return network.eval()


def read_average(checkpoint: Path) -> dict[str, Any]:
    """Return the weights of the averaged network. Raises ConfigError without a checkpoint."""
    if not checkpoint.is_file():
        run = checkpoint.parent
        raise ConfigError(f"{run} holds no checkpoint: train first, with --out {run}")
    average: dict[str, Any] = read_state(checkpoint)["average"]
    return average


def load_weights(network: nn.Module, weights: dict[str, Any], checkpoint: Path, name: str) -> None:
    """Load the weights of a checkpoint into the network of the configuration ``name``.

    Raises ConfigError where they are those of another network.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:  # torch raises it when names or shapes differ
        raise ConfigError(f"{checkpoint} holds another network than {name}") from error


def load_mean(runs: Sequence[Path]) -> EmotionNetwork:
    """Return the mean of the averaged networks that several runs ended with, for inference.

    Wortsman et al., "Model soups", 2022, section 2, the uniform soup: it helps where the runs
    start from one another. Raises ConfigError when a run holds no checkpoint, or when the
    networks differ.
    """
    first, *others = [load_average(newest_checkpoint(run)) for run in runs]
    for run, other in zip(runs[1:], others, strict=True):
        if type(other) is not type(first) or other.config != first.config:
            raise ConfigError(
                f"the networks of {run} and {runs[0]} differ: their weights cannot be averaged"
            )
    mean = AveragedModel(first, use_buffers=True)
    for network in (first, *others):
        mean.update_parameters(network)
    return cast(EmotionNetwork, mean.module).eval()


def newest_checkpoint(run: Path) -> Path:
    """Return the checkpoint of a run's last phase. Raises ConfigError when there is none."""
    found = [(int(re.sub(r"\D", "", p.stem)), p) for p in run.glob("phase*.pt")]
    if not found:
        raise ConfigError(f"{run} holds no checkpoint: train first, with --out {run}")
    return max(found)[1]


def starting_model(start: Path, task: str) -> Manifest:
    """Return the model that a run starts from. Raises ConfigError without one for this task."""
    try:
        return load_manifest(start, task)
    except ModelError as error:
        raise ConfigError(
            f"--start {start} is neither the folder of a run nor a model: {error}"
        ) from error
