"""A training run's configuration, read from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from edan_ros.training.augment import Augmentation
from edan_ros.training.errors import ConfigError
from edan_ros.training.losses import LossWeights


@dataclass(frozen=True)
class Phase:
    """One phase of stage-wise training: a network of so many stages for so many epochs."""

    stages: int
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Optimiser:
    """SGD with Nesterov momentum, linear warm-up, cosine decay, and an average of the weights."""

    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: float = 1.0
    ema: float = 0.998


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes; the data folder is given beside it.

    logit_adjustment: how much of the log of the emotions' prior is taken off the logits at
    export, 0 to 1; see :func:`edan_ros.training.finish.adjust_logits`. terms: of use, which the
    data put on the weights.
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
    logit_adjustment: float = 0.0
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
    raw = read_yaml(path)
    raw["phases"] = tuple(build(Phase, entry, f"{path}: phases") for entry in raw.get("phases", ()))
    for name, kind in (
        ("loss", LossWeights),
        ("optimiser", Optimiser),
        ("augmentation", Augmentation),
    ):
        raw[name] = build(kind, raw.get(name, {}), f"{path}: {name}")
    if not raw["phases"]:
        raise ConfigError(f"{path}: phases is empty: nothing would be trained")
    return build(TrainConfig, raw, str(path))
