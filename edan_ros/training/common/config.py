"""A training run's configuration, read from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
import yaml

from edan_ros.networks.registry import create_network
from edan_ros.training.common.errors import ConfigError
from edan_ros.training.emotion.augment import Augmentation
from edan_ros.training.emotion.losses import LossWeights


@dataclass(frozen=True)
class Phase:
    """One phase of a run: so many epochs from where the last phase ended.

    stages: of an EmotionalDAN, 1 or 2. The second stage is trained with the first one frozen, as
    DAN is, unless ``joint`` trains both end to end or neither a phase nor a model came before.
    """

    epochs: int
    learning_rate: float
    stages: int | None = None
    joint: bool = False


@dataclass(frozen=True)
class Optimiser:
    """Linear warm-up, cosine decay and an average of the weights.

    kind: "sgd" (with Nesterov momentum) or "adam" (whose first decay is the momentum). sharpness:
    radius of sharpness-aware steps (``training/common/sam.py``), 0 for none; 0.05 is usual.
    """

    kind: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: float = 1.0
    ema: float = 0.998
    sharpness: float = 0.0


@dataclass(frozen=True)
class TeacherOptions:
    """A trained model to imitate beside the labels.

    model: an ONNX file of ours, a shipped model's name, or the folder of a run. weight: of its
    term in the loss. temperature: by which both logits are divided.
    """

    model: str
    weight: float = 1.0
    temperature: float = 2.0


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes; the data folder is given beside it.

    network: ``kind`` (a name of networks/registry.py; emotional_dan without) and the arguments of
    its class. precision: of the convolutions, "bf16", "fp32", or "auto", as
    :func:`edan_ros.training.common.distributed.takes_bfloat16` says. epoch_draws: so many of an
    epoch's draws are used, 0 for all. views: each picture drawn is so many of them, augmented
    each in its own way (``loss: consistency`` says how alike the answers should be). backbone: a
    file of torchvision's weights to start from. start: the configuration of the narrower network
    whose run this one begins with (--start).
    validate: the set that epochs are measured on, see :class:`Validation`.
    terms: of use, which the data put on the weights.
    """

    name: str
    version: str
    seed: int
    batch: int
    network: dict[str, Any]
    data: dict[str, dict[str, Any]]
    phases: tuple[Phase, ...]
    loss: LossWeights = field(default_factory=LossWeights)
    optimiser: Optimiser = field(default_factory=Optimiser)
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "auto"
    epoch_draws: int = 0
    views: int = 1
    teacher: TeacherOptions | None = None
    backbone: str = ""
    start: str = ""
    validate: dict[str, Any] | None = None
    terms: str = ""


def build(kind: type, values: dict[str, Any], where: str) -> Any:
    """A dataclass from the entries of a file. Raises ConfigError, which names the wrong entry."""
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown entry {', '.join(unknown)}; known: {sorted(known)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The entries of a configuration. Raises ConfigError when the file holds none."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} should hold a mapping of entries")
    return raw


def load_config(path: Path) -> TrainConfig:
    """Read a configuration. Raises ConfigError with the entry that is wrong."""
    raw = with_base(path)
    raw["phases"] = tuple(build(Phase, entry, f"{path}: phases") for entry in raw.get("phases", ()))
    for name, kind in (
        ("loss", LossWeights),
        ("optimiser", Optimiser),
        ("augmentation", Augmentation),
    ):
        raw[name] = build(kind, raw.get(name, {}), f"{path}: {name}")
    if raw.get("teacher"):
        raw["teacher"] = build(TeacherOptions, raw["teacher"], f"{path}: teacher")
    if not raw["phases"]:
        raise ConfigError(f"{path}: phases is empty: nothing would be trained")
    config = build(TrainConfig, raw, str(path))
    _check(config, path)
    return config


def with_base(path: Path) -> dict[str, Any]:
    """The entries of a configuration on top of those of the file that its ``base`` names.

    ``base`` is relative to the file. Mappings are merged entry by entry, one level deep, and an
    entry without a value takes away what the base says; anything else replaces it. Raises
    ConfigError.
    """
    raw = read_yaml(path)
    base = raw.pop("base", None)
    if base is None:
        return raw
    merged = with_base(path.parent / str(base))
    for name, value in raw.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            value = {k: v for k, v in {**below, **value}.items() if v is not None}
        merged[name] = value
    return merged


def network_options(config: TrainConfig, phase: Phase) -> dict[str, Any]:
    """The arguments of ``create_network`` in a phase."""
    return config.network if phase.stages is None else {**config.network, "stages": phase.stages}


def crop_size(config: TrainConfig) -> int:
    """Side of the crops that the configuration's network sees, in pixels."""
    with torch.device("meta"):
        return int(create_network(**network_options(config, config.phases[0])).config["size"])


def _check(config: TrainConfig, path: Path) -> None:
    for name, value, known in (
        ("precision", config.precision, ("auto", "bf16", "fp32")),
        ("optimiser: kind", config.optimiser.kind, ("sgd", "adam")),
    ):
        if value not in known:
            raise ConfigError(f"{path}: {name} is {value!r}; known: {', '.join(known)}")
    if config.views < 1:
        raise ConfigError(f"{path}: views is {config.views}; it should be at least 1")
    if config.loss.consistency and config.views == 1:
        raise ConfigError(f"{path}: loss: consistency needs views: 2 or more of each picture")
    for phase in config.phases:
        try:
            with torch.device("meta"):  # checks the arguments without making any weights
                create_network(**network_options(config, phase))
        except ValueError as error:
            raise ConfigError(f"{path}: network: {error}") from error
