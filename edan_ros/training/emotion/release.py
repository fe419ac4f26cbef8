"""Export of a run as a calibrated model with its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from edan_ros.training.common.config import reproduce_command
from edan_ros.training.emotion.config import load_config
from edan_ros.training.emotion.export import export, make_manifest
from edan_ros.training.emotion.validation import (
    Validation,
    acceptance,
    fit_prior,
    fit_temperature,
)


def export_release(
    config_path: Path, runs: Sequence[Path], data: Path, to: Path, *, half: bool
) -> Manifest:
    """Export a run, calibrate and measure it with ONNX Runtime, and write its manifest.

    Args:
        config_path: configuration of the first of ``runs``.
        runs: folders; of several runs, the mean of their weights is exported.
        data: folder of the data sets.
        to: folder for the model and its manifest.
        half: whether large weights are stored as FP16.

    Raises:
        ConfigError: if the configuration or a checkpoint cannot be read.
        DataError: if a data set cannot be read.
    """
    config = load_config(config_path)
    network = load_mean(runs)
    _add_offsets(network, config.logit_offsets)
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{config.name}.onnx"
    export(network, path, half=half)
    known = {
        "name": config.name,
        "version": config.version,
        "terms": config.terms,
        "precision": "fp16 storage" if half else "fp32",
        "training": {
            "command": reproduce_command(config_path, to, half=half, others=runs[1:]),
            "network": {"kind": kind_of(network), **network.config},
            "data": list(config.data),
            "seed": config.seed,
        },
    }
    make_manifest(network, path, **known).save()
    validation = Validation(data, network.config["size"], config.validate)
    adjusted = bool(config.loss.logit_adjustment)
    measured = measure_release(path, validation, adjusted=adjusted)
    manifest = make_manifest(network, path, **known, **measured)
    manifest.save()
    return manifest


def _add_offsets(network: EmotionNetwork, offsets: Mapping[str, float]) -> None:
    """Add offsets to the logits of a network, by the bias of its last layer."""
    if offsets:
        values = [offsets.get(name, 0.0) for name in EMOTIONS]
        with torch.no_grad():
            network.emotion.bias.add_(torch.tensor(values, dtype=torch.float32))


def measure_release(model: Path, validation: Validation, *, adjusted: bool) -> dict[str, Any]:
    """Calibrate and measure an exported model with ONNX Runtime.

    Figures of the validation set use the natural class prior, those of the transfer sets a uniform
    one.

    Args:
        model: the ONNX file, with a manifest beside it.
        validation: its images.
        adjusted: whether the logits carry no class prior, because the loss was logit-adjusted.

    Returns:
        The fields of the manifest that are measured: ``temperature``, ``presence_threshold``
        and ``metrics``; with ``adjusted`` also ``class_prior``, ``uniform_temperature`` and
        ``resting_logits``, the mean logits of neutral faces: of the first transfer set where
        there is one, because its images are closer to those of a camera.
    """
    loaded = EvaluationModel(model)
    predictions = validation.predict(loaded.run, loaded.outputs)
    logits, names = predictions.emotions["logits"], loaded.manifest.labels
    labels = validation.labels(len(names))
    fields: dict[str, Any] = {"temperature": fit_temperature(logits, labels)}
    natural = logits
    if adjusted:
        prior, fields["temperature"] = fit_prior(logits, labels)
        natural = logits + np.log(prior)
        fields["class_prior"] = tuple(round(float(share), 6) for share in prior)
    figures = _figures(validation.name, softmax(natural, fields["temperature"]), labels, names)
    if len(names) == len(EMOTIONS) and validation.transfer:
        uniform = {n: loaded.run(crops)["logits"] for n, (crops, _) in validation.transfer.items()}
        true = {name: labels for name, (_, labels) in validation.transfer.items()}
        temperature = fields["temperature"]
        if adjusted:
            temperature = fit_temperature(
                np.concatenate(list(uniform.values())), np.concatenate(list(true.values()))
            )
            first = next(iter(true))
            logits, labels = uniform[first], true[first]
            fields["uniform_temperature"] = round(temperature, 3)
        for name, values in uniform.items():
            probabilities = softmax(values, temperature)
            figures |= _figures(f"{name}_uniform", probabilities, true[name], names)
    if predictions.landmarks is not None:
        found = predictions.landmarks["landmarks"]
        error = metrics.landmark_error(found, validation.true_landmarks)
        figures["landmarks68_tenth_error_outer_eye"] = float(error.mean())
    if predictions.background is not None:
        accepted, threshold = acceptance(predictions)
        fields["presence_threshold"] = round(threshold, 4)
        figures["faces_accepted_at_1pct_false_alarms"] = accepted
    if adjusted:
        resting = logits[labels == names.index("neutral")].mean(axis=0)
        fields["resting_logits"] = tuple(round(float(value), 3) for value in resting)
    fields["temperature"] = round(fields["temperature"], 3)
    fields["metrics"] = {name: round(value, 4) for name, value in figures.items()}
    return fields


def _figures(
    where: str, probabilities: NDArray[np.float64], labels: NDArray[np.intp], names: Sequence[str]
) -> dict[str, float]:
    predicted = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(labels, predicted, len(names))
    right = predicted == labels
    figures = {
        f"{where}_accuracy": metrics.accuracy(confusion),
        f"{where}_macro_f1": metrics.macro_f1(confusion),
        f"{where}_ece": metrics.expected_calibration_error(probabilities.max(axis=1), right),
    }
    for name, row, recall in zip(names, confusion, metrics.recalls(confusion), strict=True):
        if row.sum():
            figures[f"{where}_recall_{name}"] = float(recall)
    return figures
