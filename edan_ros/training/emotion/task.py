"""The task of training a network for emotions: what it starts from, its data, its validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edan_ros.engines.torch import load_network
from edan_ros.networks.attention import from_grouped_conv
from edan_ros.networks.base import EmotionNetwork
from edan_ros.networks.emotional_dan import EmotionalDAN
from edan_ros.networks.net2wider import net2wider
from edan_ros.networks.registry import create_network, kind_of
from edan_ros.networks.restore_batchnorm import restore_batchnorm
from edan_ros.training.common.checkpoints import (
    load_average,
    newest_checkpoint,
    starting_model,
)
from edan_ros.training.common.config import ConfigError, Phase
from edan_ros.training.common.distributed import World, use_bfloat16
from edan_ros.training.common.task import Learner, Task
from edan_ros.training.common.trainer import check_batch
from edan_ros.training.emotion.config import RecogniserConfig, crop_size, network_options
from edan_ros.training.emotion.learner import EmotionLearner, Teacher
from edan_ros.training.emotion.samples import EpochData, TrainingSet

Validate = Callable[[EmotionNetwork], dict[str, float]]


def check_run(config: RecogniserConfig, out: Path, start: Path | None, world: World) -> None:
    """Raise ConfigError for what is wrong with a run and can be found before reading images.

    Arguments as for :class:`EmotionTask` and the trainer.
    """
    check_batch(config.batch, config.views, world)
    if config.start and start is None and not any(out.glob("phase*.pt")):
        raise ConfigError(
            f"this run starts from a run of {config.start}: name its folder with --start"
        )
    if start is not None and start.is_dir():
        newest_checkpoint(start)
    elif start is not None:
        starting_model(start, "emotions")


class EmotionTask(Task[EmotionNetwork]):
    """The configuration of a recogniser with its training set, as the trainer's task.

    Args:
        start: what the run starts from, instead of random weights. A folder of a finished run
            that ended with the first phase's network, or of a narrower network with the same
            phases, whose function each phase then starts with. Otherwise a model with the first
            phase's network, by name or file.
        validate: called after each epoch with the averaged network; returns figures to log.
    """

    clip_norm = 5.0

    def __init__(
        self,
        config: RecogniserConfig,
        training_set: TrainingSet,
        *,
        start: Path | None = None,
        validate: Validate | None = None,
    ) -> None:
        self.config, self.training_set, self.start = config, training_set, start
        self._validate = validate
        self.seed, self.batch, self.views = config.seed, config.batch, config.views
        self.phases, self.step_options = config.phases, config.optimiser

    def checkpoint_name(self, phase: int) -> str:
        return f"phase{phase}.pt"

    def validate(self, network: EmotionNetwork) -> dict[str, float]:
        return {} if self._validate is None else self._validate(network)

    def describe(self, network: EmotionNetwork) -> dict[str, Any]:
        return {"kind": kind_of(network), "config": network.config}

    def create_learner(
        self, phase: int, previous: EmotionNetwork | None, device: torch.device, *, resumed: bool
    ) -> EmotionLearner:
        del resumed  # which stage is frozen depends on what the run started from
        config, options = self.config, self.config.phases[phase]
        if phase == 0:
            previous = self._started_from(options)
        network = self._initial_network(phase, previous)
        teacher = None
        if config.teacher is not None:
            teacher = Teacher(config.teacher, network.config["classes"], device)
        second_stage = previous is not None and network.config.get("stages") == 2
        return EmotionLearner(
            network,
            config.loss,
            frozen=second_stage and not options.joint,
            half=use_bfloat16(config.precision, device),
            views=config.views,
            teacher=teacher,
        )

    def create_optimiser(self, learner: Learner, phase: Phase) -> torch.optim.Optimizer:
        """Return SGD or Adam; learned factors of the loss do not decay."""
        options = self.config.optimiser
        factors = list(learner.log_variance.parameters()) if learner.log_variance else []
        weights = [p for p in learner.network.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": options.weight_decay}]
        if factors:
            groups.append({"params": factors, "weight_decay": 0.0})
        if options.kind == "adam":
            betas = (options.momentum, 0.999)
            return torch.optim.Adam(groups, lr=phase.learning_rate, betas=betas)
        return torch.optim.SGD(
            groups, lr=phase.learning_rate, momentum=options.momentum, nesterov=True
        )

    def epoch_data(self, phase: int, epoch: int) -> EpochData:
        with torch.device("meta"):
            outputs = create_network(**network_options(self.config, self.phases[phase])).outputs
        return EpochData(
            self.training_set,
            crop_size(self.config),
            self.config.augmentation,
            self.config.seed,
            1000 * phase + epoch,
            samples=self.config.epoch_samples,
            views=self.config.views,
            units="units" in outputs,
        )

    def _started_from(self, phase: Phase) -> EmotionNetwork | None:
        """Return the first phase's network as ``start`` holds it, None where it does not."""
        if self.start is None:
            return None
        network = create_network(**network_options(self.config, phase))
        if not self.start.is_dir():
            data = self.epoch_data(0, 0)
            crops = [data[i]["crop"] for i in range(min(len(data), 4 * self.batch))]
            images = torch.from_numpy(np.stack(crops))[:, None].float()
            restore_batchnorm(network, _model_weights(self.start), images)
            return network
        ended = load_average(newest_checkpoint(self.start))
        same = type(ended) is type(network) and ended.config == network.config
        return ended if same else None

    def _initial_network(self, phase: int, previous: EmotionNetwork | None) -> EmotionNetwork:
        network = create_network(**network_options(self.config, self.config.phases[phase]))
        if previous is not None and previous.config == network.config:
            network.load_state_dict(previous.state_dict())
        elif self.start is not None and self.start.is_dir():
            return self._widened(self.start, phase, network, previous)
        elif previous is not None:
            _warm_start(network, previous)
        elif self.config.backbone:
            network.load_backbone(_read_backbone(Path(self.config.backbone)))
        return network

    def _widened(
        self, run: Path, phase: int, network: EmotionNetwork, previous: EmotionNetwork | None
    ) -> EmotionNetwork:
        narrow = load_average(run / self.checkpoint_name(phase))
        if not isinstance(narrow, EmotionalDAN) or not isinstance(network, EmotionalDAN):
            raise ConfigError("only an emotional_dan can start from a narrower one")
        wide = net2wider(narrow, network.config["width"], seed=self.config.seed)
        if isinstance(previous, EmotionalDAN):
            wide.stage1.load_state_dict(previous.stage1.state_dict())
        return wide


def _warm_start(network: EmotionNetwork, previous: EmotionNetwork) -> None:
    if not isinstance(network, EmotionalDAN) or not isinstance(previous, EmotionalDAN):
        raise ConfigError("only an emotional_dan can start from a network with other arguments")
    network.warm_start(previous)


def _model_weights(start: Path) -> dict[str, Tensor]:
    """Return the folded weights of an EmotionalDAN's file for ``restore_batchnorm``.

    Raises ModelError for a file in INT8 or of another network.
    """
    network = load_network(starting_model(start, "emotions")).network
    assert isinstance(network, EmotionalDAN)
    state = dict(network.state_dict())
    last = f"stage{network.config['stages']}"
    bias = state.pop(f"{last}.hidden_bias")
    state[f"{last}.hidden.bias"] = bias
    state[f"{last}.hidden.weight"] = from_grouped_conv(state.pop(f"{last}.shares"), len(bias))
    return state


def _read_backbone(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ConfigError(f"backbone: there is no file {path}")
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what its archive and its unpickler raise
        raise ConfigError(f"backbone: {path} holds no weights: {error}") from error
    return weights
