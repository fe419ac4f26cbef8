"""From the checkpoints of a run to a calibrated model that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, softmax
from edan_ros.engines import create_engine
from edan_ros.engines.base import Prediction
from edan_ros.engines.manifest import Manifest
from edan_ros.evaluation import metrics
from edan_ros.networks.emotional_dan import EmotionalDAN
from edan_ros.training.calibration import fit_temperature
from edan_ros.training.config import TrainConfig, load_config
from edan_ros.training.errors import ConfigError
from edan_ros.training.export import export, make_manifest
from edan_ros.training.samples import Samples
from edan_ros.training.sets import load_samples
from edan_ros.training.trainer import load_average
from edan_ros.training.validation import Validation


def load_trained(config: TrainConfig, run: Path) -> EmotionalDAN:
    """The averaged network of the last phase that the run has a checkpoint of.

    Raises ConfigError when the folder holds no checkpoint.
    """
    for number in reversed(range(len(config.phases))):
        checkpoint = run / f"phase{number}.pt"
        if checkpoint.is_file():
            return load_average(checkpoint)
    raise ConfigError(f"{run} holds no checkpoint: train first, with --out {run}")


def emotion_prior(samples: Samples) -> NDArray[np.float64]:
    """(7,) share of each emotion in what an epoch draws."""
    known = np.isfinite(samples.emotions).all(axis=1)
    total = (samples.emotions[known] * samples.weights[known, None]).sum(axis=0)
    return total / total.sum()


def adjust_logits(network: EmotionalDAN, prior: NDArray[np.float64], strength: float) -> None:
    """Take ``strength`` times the log of the training prior off the logits, in the bias.

    (Menon et al. 2021, equation 9.) Rare emotions are then said more often; 0 changes nothing.
    """
    with torch.no_grad():
        network.emotion.bias -= strength * torch.from_numpy(np.log(prior)).float()


def finish(config_path: Path, run: Path, data: Path, to: Path, *, half: bool) -> Manifest:
    """Export, calibrate on the public test, measure with ONNX Runtime, write the manifest."""
    config = load_config(config_path)
    network = load_trained(config, run)
    adjust_logits(network, emotion_prior(load_samples(config.data, data)), config.logit_adjustment)
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{config.name}.onnx"
    export(network, path, half=half)
    known = {
        "name": config.name,
        "version": config.version,
        "terms": config.terms,
        "precision": "fp16 storage" if half else "fp32",
        "training": {
            "command": f"edan train config/train/{config_path.name} --data DATA --out RUN && "
            f"edan export config/train/{config_path.name} RUN --data DATA "
            f"--to edan_ros/weights{' --half' if half else ''}",
            "data": list(config.data),
            "seed": config.seed,
        },
    }
    make_manifest(network, path, **known).save()
    figures = measure(path, Validation(data, config.network["size"]))
    temperature = round(figures.pop("temperature"), 3)
    threshold = round(figures.pop("presence_threshold"), 4)
    manifest = make_manifest(
        network,
        path,
        **known,
        temperature=temperature,
        presence_threshold=threshold,
        metrics={name: round(value, 4) for name, value in figures.items()},
    )
    manifest.save()
    return manifest


def measure(model: Path, validation: Validation) -> dict[str, float]:
    """Figures of an exported model, run as robots run it."""
    engine = create_engine("onnxruntime", model)

    def predict(crops: np.ndarray) -> Prediction:
        parts = [engine.infer(crops[i : i + 64]) for i in range(0, len(crops), 64)]
        return Prediction(
            *(
                np.concatenate([getattr(p, name) for p in parts])
                for name in ("landmarks", "logits", "presence", "attention")
            )
        )

    said = predict(validation.emotion_crops)
    found = predict(validation.point_crops)
    nothing = predict(validation.negative_crops)
    labels = validation.majority
    temperature = fit_temperature(said.logits, labels)
    probabilities = softmax(said.logits, temperature)
    right = probabilities.argmax(axis=1) == labels
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(axis=1), len(EMOTIONS))
    faces = np.concatenate([found.presence, said.presence])
    accepted, threshold = metrics.acceptance(faces, nothing.presence)
    error = metrics.landmark_error(found.landmarks, validation.truth)
    recall = metrics.recalls(confusion)
    return {
        "temperature": temperature,
        "presence_threshold": threshold,
        "ferplus_public_accuracy": metrics.accuracy(confusion),
        "ferplus_public_macro_f1": metrics.macro_f1(confusion),
        "ferplus_public_ece": metrics.expected_calibration_error(probabilities.max(axis=1), right),
        **{f"ferplus_public_recall_{n}": float(r) for n, r in zip(EMOTIONS, recall, strict=True)},
        "landmarks68_tenth_error_outer_eye": float(error.mean()),
        "faces_accepted_at_1pct_false_alarms": accepted,
    }
