"""A training run of seconds: a small network and two emotions that differ clearly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.training.common.trainer import Trainer
from edan_ros.training.emotion.config import load_config
from edan_ros.training.emotion.samples import TrainingSet, make_training_set
from edan_ros.training.emotion.task import EmotionTask

CONFIG = {
    "name": "tiny",
    "version": "0",
    "seed": 3,
    "batch": 8,
    "network": {"size": 32, "width": 0.125},
    "data": {},
    "phases": [
        {"stages": 1, "epochs": 2, "learning_rate": 0.02},
        {"stages": 2, "epochs": 1, "learning_rate": 0.01},
    ],
    "optimiser": {"warmup_epochs": 0.1},
    "augmentation": {"background_crop_prob": 0.0, "erase": 0.0, "wide_roll_share": 0.0},
}


def two_emotions() -> TrainingSet:
    """Bright and dark halves stand for two emotions."""
    rng = np.random.default_rng(0)
    points = np.repeat((MEAN_SHAPE * 36 + 24)[None], 48, axis=0)
    images, emotions = [], np.zeros((48, 7))
    for i in range(48):
        image = rng.integers(0, 60, (48, 48)).astype(np.uint8)
        image[:24] += np.uint8(150 * (i % 2))
        images.append(image)
        emotions[i, 1 + i % 2] = 1.0
    crops = [Crop.from_landmarks(p) for p in points]
    return make_training_set(
        images, crops=crops, landmarks=points, emotions=emotions, sampling_weights=2.0
    )


def write(folder: Path, **changes: object) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **changes}))
    return path


def trainer(config_path: Path, samples: TrainingSet, out: Path, **options: Any) -> Trainer:
    """The trainer of a configuration; ``start`` and ``validate`` go to its task."""
    of_task = {name: options.pop(name) for name in ("start", "validate") if name in options}
    task = EmotionTask(load_config(config_path), samples, **of_task)
    return Trainer(task, out, **{"workers": 0, **options})


def run(config_path: Path, samples: TrainingSet, out: Path, **options: Any) -> torch.nn.Module:
    return trainer(config_path, samples, out, **options).run()


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(mine, theirs) for mine, theirs in pairs)
