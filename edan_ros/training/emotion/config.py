"""The configuration of a recogniser's training run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.wording import did_you_mean
from edan_ros.networks.registry import DEFAULT, NETWORKS, create_network
from edan_ros.training.common.config import (
    ConfigError,
    Optimiser,
    Phase,
    build,
    check_at_least,
    check_entries,
    read_config,
)
from edan_ros.training.emotion.augment import Augmentation
from edan_ros.training.emotion.losses import LossWeights


@dataclass(frozen=True)
class TeacherOptions:
    """A trained model whose probabilities the network also learns (distillation).

    Attributes:
        model: an ONNX file of this package, a shipped model's name, or the folder of a run.
        weight: of the term in the loss.
        temperature: by which both logits are divided.
    """

    model: str
    weight: float = 1.0
    temperature: float = 2.0


@dataclass(frozen=True)
class RecogniserConfig:
    """Everything that decides the result of a run, except the folder of the data sets.

    Attributes:
        batch: samples per step, over all processes together.
        network: ``kind`` (a name of ``networks/registry.py``, by default emotional_dan) and the
            arguments of its class.
        data: the data sets by name; see ``load_training_set`` in ``emotion/sets.py``.
        precision: of the convolutions: "bf16", "fp32", or "auto", see
            ``use_bfloat16`` in ``common/distributed.py``.
        epoch_samples: samples per epoch, 0 for the sum of all sampling weights.
        views: how often in a row each image is sampled, with another augmentation each time
            (``loss: consistency`` penalises predictions that differ).
        backbone: file with torchvision's weights to start from.
        start: file name of the configuration whose run this one starts from (``--start``).
        validate: the data set measured after every epoch; see
            ``Validation`` in ``emotion/validation.py``.
        logit_offsets: added to the exported logits, by emotion; chosen on the mean of the
            validation sets.
        terms: conditions of use that the data put on the weights.
    """

    name: str
    version: str
    network: dict[str, Any]
    data: dict[str, Any]
    phases: tuple[Phase, ...]
    seed: int = 1
    batch: int = 64
    loss: LossWeights = field(default_factory=LossWeights)
    optimiser: Optimiser = field(default_factory=Optimiser)
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "auto"
    epoch_samples: int = 0
    views: int = 1
    teacher: TeacherOptions | None = None
    backbone: str = ""
    start: str = ""
    validate: dict[str, Any] | None = None
    logit_offsets: dict[str, float] = field(default_factory=dict)
    terms: str = ""


def load_config(path: Path) -> RecogniserConfig:
    """Read a configuration. Raises ConfigError naming a wrong entry."""
    raw = read_config(path)
    phases = raw.get("phases") or ()
    if not phases:
        raise ConfigError(f"{path}: phases is empty: name at least one phase")
    if not isinstance(phases, list):
        raise ConfigError(f"{path}: phases should be a list: write a - before each phase")
    raw["phases"] = tuple(build(Phase, entry, f"{path}: phases") for entry in phases)
    raw["loss"] = build(LossWeights, raw.get("loss", {}), f"{path}: loss")
    raw["optimiser"] = build(Optimiser, raw.get("optimiser", {}), f"{path}: optimiser")
    raw["augmentation"] = build(Augmentation, raw.get("augmentation", {}), f"{path}: augmentation")
    if raw.get("teacher"):
        raw["teacher"] = build(TeacherOptions, raw["teacher"], f"{path}: teacher")
    config = build(RecogniserConfig, raw, str(path))
    _check(config, path)
    return config


def network_options(config: RecogniserConfig, phase: Phase) -> dict[str, Any]:
    """Return the arguments of ``create_network`` in a phase."""
    return config.network if phase.stages is None else {**config.network, "stages": phase.stages}


def crop_size(config: RecogniserConfig) -> int:
    """Return the side of the network's crops in pixels."""
    with torch.device("meta"):
        return int(create_network(**network_options(config, config.phases[0])).config["size"])


def _check(config: RecogniserConfig, path: Path) -> None:
    for name, value, known in (
        ("precision", config.precision, ("auto", "bf16", "fp32")),
        ("optimiser: kind", config.optimiser.kind, ("sgd", "adam")),
    ):
        if value not in known:
            hint = did_you_mean(value, known)
            raise ConfigError(f"{path}: {name} is {value!r}; known: {', '.join(known)}{hint}")
    check_at_least(
        str(path),
        batch=(config.batch, 1),
        views=(config.views, 1),
        epoch_samples=(config.epoch_samples, 0),
    )
    if config.loss.consistency and config.views == 1:
        raise ConfigError(f"{path}: loss: consistency needs views: 2 or more")
    unknown = sorted(set(config.logit_offsets) - set(EMOTIONS))
    if unknown:
        raise ConfigError(
            f"{path}: logit_offsets: {', '.join(unknown)} is none of {', '.join(EMOTIONS)}"
        )
    for name, offset in config.logit_offsets.items():
        if isinstance(offset, bool) or not isinstance(offset, (int, float)):
            raise ConfigError(f"{path}: logit_offsets: {name} is {offset!r}; it should be a number")
    kind, options = str(config.network.get("kind", DEFAULT)), dict(config.network)
    options.pop("kind", None)
    if kind in NETWORKS:
        check_entries(NETWORKS[kind], options, f"{path}: network {kind}")
    for phase in config.phases:
        check_at_least(f"{path}: phases", epochs=(phase.epochs, 0))
        try:
            with torch.device("meta"):  # checks the arguments without creating weights
                create_network(**network_options(config, phase))
        except ValueError as error:
            raise ConfigError(f"{path}: network: {error}") from error
