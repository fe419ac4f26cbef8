"""A training run's configuration, read from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from edan_ros.training.augment import Augmentation
from edan_ros.training.losses import LossWeights


class ConfigError(ValueError):
    """A training configuration has a missing, unknown or impossible entry."""


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
    """Everything that decides what a run computes; the data folder is given beside it."""

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


def _build(kind: type, values: dict[str, Any], where: str) -> Any:
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown entry {', '.join(unknown)}; known: {sorted(known)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def load_config(path: Path) -> TrainConfig:
    """Read a configuration. Raises ConfigError with the entry that is wrong."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} should hold a mapping of entries")
    raw["phases"] = tuple(
        _build(Phase, entry, f"{path}: phases") for entry in raw.get("phases", ())
    )
    for name, kind in (
        ("loss", LossWeights),
        ("optimiser", Optimiser),
        ("augmentation", Augmentation),
    ):
        raw[name] = _build(kind, raw.get(name, {}), f"{path}: {name}")
    if not raw["phases"]:
        raise ConfigError(f"{path}: phases is empty: nothing would be trained")
    return _build(TrainConfig, raw, str(path))
