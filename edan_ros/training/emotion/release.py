"""Export of a run as a calibrated model with its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, softmax
from edan_ros.engines.evaluation_model import EvaluationModel
from edan_ros.engines.manifest import Manifest
from edan_ros.evaluation import metrics
from edan_ros.networks.registry import kind_of
from edan_ros.training.common.checkpoints import load_mean
from edan_ros.training.common.config import reproduce_command
from edan_ros.training.emotion.config import load_config
from edan_ros.training.emotion.export import export, make_manifest
from edan_ros.training.emotion.losses import polarity_prior
from edan_ros.training.emotion.sets import class_prior
from edan_ros.training.emotion.validation import Validation, acceptance, fit_temperature


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
    prior = class_prior(config, data)
    if prior:
        prior = tuple(polarity_prior(prior, network.config["classes"]).tolist())
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{config.name}.onnx"
    export(network, path, half=half)
    known = {
        "name": config.name,
        "version": config.version,
        "terms": config.terms,
        "precision": "fp16 storage" if half else "fp32",
        "class_prior": tuple(round(share, 6) for share in prior),
        "training": {
            "command": reproduce_command(config_path, to, half=half, others=runs[1:]),
            "network": {"kind": kind_of(network), **network.config},
            "data": list(config.data),
            "seed": config.seed,
        },
    }
    make_manifest(network, path, **known).save()
    validation = Validation(data, network.config["size"], config.validate)
    figures, resting = measure(path, validation)
    temperature = round(figures.pop("temperature"), 3)
    threshold = round(figures.pop("presence_threshold", 0.5), 4)
    manifest = make_manifest(
        network,
        path,
        **known,
        temperature=temperature,
        presence_threshold=threshold,
        resting_logits=tuple(round(float(value), 3) for value in resting),
        metrics={name: round(value, 4) for name, value in figures.items()},
    )
    manifest.save()
    return manifest


def measure(
    model: Path, validation: Validation
) -> tuple[dict[str, float], NDArray[np.floating] | tuple[float, ...]]:
    """Measure an exported model with ONNX Runtime.

    Figures of the validation set use the class prior of the manifest, those of the transfer sets
    a uniform one.

    Returns:
        Figures by name, ``temperature`` and, where the validation has background crops,
        ``presence_threshold`` among them; and the mean logits (C,) of neutral faces, empty for
        a model whose logits include its class prior.
    """
    loaded = EvaluationModel(model)
    predictions = validation.predict(loaded.run, loaded.outputs)
    logits, names = predictions.emotions["logits"], loaded.manifest.labels
    labels = validation.labels(len(names))
    prior = loaded.manifest.class_prior
    natural = logits + np.log(prior) if prior else logits
    temperature = fit_temperature(natural, labels)
    figures = {"temperature": temperature}
    figures |= _figures(validation.name, softmax(natural, temperature), labels, names)
    for name, (crops, true) in validation.transfer.items():
        if len(names) == len(EMOTIONS):
            uniform = softmax(loaded.run(crops)["logits"], temperature)
            figures |= _figures(f"{name}_uniform", uniform, true, names)
    if predictions.landmarks is not None:
        found = predictions.landmarks["landmarks"]
        error = metrics.landmark_error(found, validation.true_landmarks)
        figures["landmarks68_tenth_error_outer_eye"] = float(error.mean())
    if predictions.background is not None:
        accepted, figures["presence_threshold"] = acceptance(predictions)
        figures["faces_accepted_at_1pct_false_alarms"] = accepted
    neutral = names.index("neutral")
    resting = logits[labels == neutral].mean(axis=0) if prior else ()
    return figures, resting


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
