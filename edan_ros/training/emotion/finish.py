"""From the checkpoints of a run to a calibrated model that ships."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, softmax
from edan_ros.engines.evaluation_model import EvaluationModel
from edan_ros.engines.manifest import Manifest
from edan_ros.evaluation import metrics
from edan_ros.networks.base import EmotionNetwork
from edan_ros.networks.registry import kind_of
from edan_ros.training.common.checkpoints import load_mean
from edan_ros.training.common.config import load_config
from edan_ros.training.common.errors import ConfigError
from edan_ros.training.common.reproduction import reproduction
from edan_ros.training.emotion.calibration import fit_temperature
from edan_ros.training.emotion.export import export, make_manifest
from edan_ros.training.emotion.losses import TO_POLARITY
from edan_ros.training.emotion.samples import Samples
from edan_ros.training.emotion.sets import by_emotion, load_samples
from edan_ros.training.emotion.validation import Validation, acceptance


def emotion_prior(samples: Samples) -> NDArray[np.float64]:
    """(7,) share of each emotion in what an epoch draws."""
    known = np.isfinite(samples.emotions).all(axis=1)
    total = (samples.emotions[known] * samples.weights[known, None]).sum(axis=0)
    return total / total.sum()


def adjust_logits(
    network: EmotionNetwork, prior: NDArray[np.float64], strength: float | NDArray[np.float64]
) -> None:
    """Take ``strength`` times the log of the training prior off the logits, in the bias.

    (Menon et al. 2021, equation 9.) Rare emotions are then said more often; 0 changes nothing.
    ``strength``: one for all classes, or (C,). A class that is never drawn is left as it is.
    """
    log_prior = np.log(np.where(prior > 0, prior, 1.0))
    with torch.no_grad():
        network.emotion.bias -= torch.from_numpy(strength * log_prior).float()


def strengths(given: float | dict[str, float], classes: int) -> float | NDArray[np.float64]:
    """What a configuration says of ``logit_adjustment``, as :func:`adjust_logits` takes it.

    Raises ConfigError for a name that is no emotion, and for names without seven classes.
    """
    if not isinstance(given, dict):
        return given
    strength = by_emotion(given, 0.0, "logit_adjustment")
    if classes != len(strength):
        raise ConfigError(
            f"logit_adjustment: {classes} classes are not those of {', '.join(EMOTIONS)}"
        )
    return strength


def finish(
    config_path: Path, runs: Sequence[Path], data: Path, to: Path, *, half: bool
) -> Manifest:
    """Export, calibrate on the public test, measure with ONNX Runtime, write the manifest.

    runs: that of the configuration first; of several, the mean of their weights is exported.
    """
    config = load_config(config_path)
    network = load_mean(runs)
    if config.logit_adjustment:
        prior = emotion_prior(load_samples(config.data, data))
        if network.config["classes"] == TO_POLARITY.shape[1]:
            prior = prior @ TO_POLARITY.numpy()
        strength = strengths(config.logit_adjustment, network.config["classes"])
        adjust_logits(network, prior, strength)
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{config.name}.onnx"
    export(network, path, half=half)
    known = {
        "name": config.name,
        "version": config.version,
        "terms": config.terms,
        "precision": "fp16 storage" if half else "fp32",
        "training": {
            "command": reproduction(config_path, to, half=half, others=runs[1:]),
            "network": {"kind": kind_of(network), **network.config},
            "data": list(config.data),
            "seed": config.seed,
        },
    }
    make_manifest(network, path, **known).save()
    figures = measure(path, Validation(data, network.config["size"], config.validate))
    temperature = round(figures.pop("temperature"), 3)
    threshold = round(figures.pop("presence_threshold", 0.5), 4)
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
    raw = EvaluationModel(model)
    answers = validation.ask(raw.run, raw.outputs)
    logits, names = answers.emotions["logits"], raw.manifest.labels
    labels = validation.labels(len(names))
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    right = probabilities.argmax(axis=1) == labels
    confusion = metrics.confusion_matrix(labels, probabilities.argmax(axis=1), len(names))
    recall = metrics.recalls(confusion)
    where = validation.name
    figures = {
        "temperature": temperature,
        f"{where}_accuracy": metrics.accuracy(confusion),
        f"{where}_macro_f1": metrics.macro_f1(confusion),
        f"{where}_ece": metrics.expected_calibration_error(probabilities.max(axis=1), right),
        **{f"{where}_recall_{n}": float(r) for n, r in zip(names, recall, strict=True)},
    }
    if answers.points is not None:
        error = metrics.landmark_error(answers.points["landmarks"], validation.truth)
        figures["landmarks68_tenth_error_outer_eye"] = float(error.mean())
    if answers.nothing is not None:
        accepted, figures["presence_threshold"] = acceptance(answers)
        figures["faces_accepted_at_1pct_false_alarms"] = accepted
    return figures
