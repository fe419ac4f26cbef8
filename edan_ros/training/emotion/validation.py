"""Validation on held-out images, after every epoch and of an exported model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from edan_ros.core.crops import extract
from edan_ros.core.emotions import softmax
from edan_ros.core.images import Image
from edan_ros.datasets import read
from edan_ros.evaluation import metrics
from edan_ros.networks.base import EmotionNetwork
from edan_ros.training.common.config import ConfigError
from edan_ros.training.emotion.augment import Augmentation, jitter
from edan_ros.training.emotion.losses import TO_POLARITY, polarity_prior
from edan_ros.training.emotion.negatives import background_crops
from edan_ros.training.emotion.samples import TrainingSet
from edan_ros.training.emotion.sets import training_set_of

#: The jitter of a good detector's boxes, less than that of training.
DETECTOR_JITTER = Augmentation(shift=0.06, scale=1.1, roll_deg=5.0, wide_roll_share=0.0)
NO_JITTER = Augmentation(shift=0.0, scale=1.0, roll_deg=0.0, wide_roll_share=0.0)
#: The data set of configurations that name none to validate on.
DEFAULT_SET = {"layout": "fer2013", "part": "public_test", "labels": "ferplus"}
#: Data sets that are never trained on, measured with a uniform class prior.
TRANSFER_SETS = ("kdef", "london")

#: Maps crops (n, 1, S, S) to the outputs of a model, by name.
PredictFn = Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]


@dataclass
class Predictions:
    """Outputs of a model, by name, for each kind of crops; None without such crops or outputs.

    Attributes:
        emotions: for the images with an emotion.
        landmarks: for the images with human landmarks.
        background: for background crops.
    """

    emotions: dict[str, NDArray[np.float32]]
    landmarks: dict[str, NDArray[np.float32]] | None = None
    background: dict[str, NDArray[np.float32]] | None = None


class Validation:
    """Images with emotions, the held-out tenth of landmarks68, and background crops from it.

    Every image but those of ``transfer`` is cropped with the jitter of a detector and a fixed
    seed. Without landmarks68 under ``root``, landmarks and presence are not measured.

    Args:
        root: folder of the data sets.
        size: side of the crops in pixels.
        source: the data set with emotions: its ``layout``, ``path`` (under ``root``, by default
            the layout's name) and options of its reader. By default, FER2013's public test with
            the majority of FER+.
        half: whether a network runs in bfloat16, as in training.
        class_prior: (7,) class frequencies that a logit-adjusted loss leaves out of the logits.

    Attributes:
        name: prefix of its figures in a manifest.
        emotion_labels: (n,) true emotions, indices into EMOTIONS.
        true_landmarks: (m, 68, 2) pixels of the crops of landmarks68.
        transfer: crops and labels of each of TRANSFER_SETS under ``root``.

    Raises:
        ConfigError: for a ``source`` without a layout, and without FER2013 where none is given.
        DataError: for a set that cannot be read.
    """

    def __init__(
        self,
        root: Path,
        size: int,
        source: dict[str, Any] | None = None,
        *,
        half: bool = False,
        class_prior: Sequence[float] = (),
    ) -> None:
        self.half, self.class_prior = half, class_prior
        options = dict(DEFAULT_SET if source is None else source)
        if "layout" not in options:
            raise ConfigError("validate: should name the layout of a data set")
        if source is None and not (root / "fer2013").is_dir():
            raise ConfigError(
                f"{root} holds no fer2013 to measure epochs on: name another set in the "
                "configuration, such as validate: {layout: folder, path: held_back}"
            )
        layout = str(options.pop("layout"))
        self.name = "ferplus_public" if source is None else f"{layout}_validation"
        path = root / str(options.pop("path", layout))
        training_set, self.emotion_labels = _labelled(layout, path, **options)
        self._emotion_crops, _ = cut(training_set, size, seed=11)
        self.transfer = {}
        for name in TRANSFER_SETS:
            if (root / name).is_dir():
                transfer_set, labels = _labelled(name, root / name)
                crops, _ = cut(transfer_set, size, seed=0, options=NO_JITTER)
                self.transfer[name] = crops, labels
        self._landmark_crops = self._background_crops = None
        folder, detector = root / "landmarks68", root / "detectors/yunet_n_640.onnx"
        if folder.is_dir():
            held_out = training_set_of(read("landmarks68", folder, part="held_out"))
            self._landmark_crops, self.true_landmarks = cut(held_out, size, seed=12)
            if detector.is_file():
                background = background_crops(
                    folder, detector, held_out=True, seed=3, crops_per_image=12
                )
                self._background_crops, _ = cut(background, size, seed=13)

    def predict(self, run: PredictFn, outputs: Sequence[str]) -> Predictions:
        """Run a model with these outputs on all crops that they are measured on."""
        predictions = Predictions(run(self._emotion_crops))
        if "landmarks" in outputs and self._landmark_crops is not None:
            predictions.landmarks = run(self._landmark_crops)
            if "presence" in outputs and self._background_crops is not None:
                predictions.background = run(self._background_crops)
        return predictions

    def labels(self, classes: int) -> NDArray[np.intp]:
        """Return the (n,) true classes of the images with an emotion, for 7 or 3 classes."""
        if classes == TO_POLARITY.shape[1]:
            return np.asarray(TO_POLARITY.numpy().argmax(axis=1)[self.emotion_labels], np.intp)
        return self.emotion_labels

    def __call__(self, network: EmotionNetwork) -> dict[str, float]:
        """Measure a network after an epoch.

        Returns:
            ``accuracy`` and ``macro_f1``; with 7 classes also ``accuracy_3``, by the sums of
            probabilities, and the accuracy on each transfer set; ``error_stage1`` and
            ``error_landmarks`` relative to the outer-eye distance; ``accepted`` and
            ``threshold`` of :func:`acceptance`.
        """

        def run(crops: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
            return predict(network, crops, half=self.half)

        predictions = self.predict(run, network.outputs)
        logits = predictions.emotions["logits"]
        classes = logits.shape[1]
        if self.class_prior:
            logits = logits + np.log(polarity_prior(self.class_prior, classes))
        predicted = logits.argmax(axis=1)
        confusion = metrics.confusion_matrix(self.labels(classes), predicted, classes)
        result = {
            "accuracy": metrics.accuracy(confusion),
            "macro_f1": metrics.macro_f1(confusion),
        }
        if classes == len(TO_POLARITY):
            temperature = fit_temperature(logits, self.emotion_labels)  # sums need calibration
            summed = (softmax(logits, temperature) @ TO_POLARITY.numpy()).argmax(axis=1)
            result["accuracy_3"] = float((summed == self.labels(3)).mean())
            result |= self.transfer_accuracy(run)
        if predictions.landmarks is not None:
            for key in ("stage1", "landmarks"):
                error = metrics.landmark_error(predictions.landmarks[key], self.true_landmarks)
                result[f"error_{key}"] = float(error.mean())
        if predictions.background is not None:
            result["accepted"], result["threshold"] = acceptance(predictions)
        return result

    def transfer_accuracy(self, run: PredictFn) -> dict[str, float]:
        """Return ``accuracy_<set>`` of each transfer set, without adding a class prior."""
        found = {}
        for name, (crops, labels) in self.transfer.items():
            predicted = run(crops)["logits"].argmax(axis=1)
            found[f"accuracy_{name}"] = float((predicted == labels).mean())
        return found


def _labelled(layout: str, path: Path, **options: Any) -> tuple[TrainingSet, NDArray[np.intp]]:
    """Return the images of a data set with an emotion, and their (n,) labels."""
    faces = read(layout, path, **options)
    faces.samples = [sample for sample in faces.samples if sample.emotion is not None]
    labels = np.array([sample.emotion for sample in faces.samples], np.intp)
    return training_set_of(faces), labels


def acceptance(predictions: Predictions) -> tuple[float, float]:
    """Return the share of faces accepted at 1 % false alarms, and the presence threshold for it."""
    assert predictions.landmarks is not None
    assert predictions.background is not None
    faces = [predictions.landmarks["presence"], predictions.emotions["presence"]]
    return metrics.acceptance(np.concatenate(faces), predictions.background["presence"])


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the temperature with the least negative log-likelihood of (n,) labels.

    Guo et al. 2017, section 4.2; by search over 0.25 to 4 in steps of 1 %.
    """
    grid = np.exp(np.arange(np.log(0.25), np.log(4.0), 0.01))
    rows = np.arange(len(labels))
    losses = [-np.log(softmax(logits, t)[rows, labels] + 1e-12).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def fit_prior(
    logits: NDArray[np.floating], labels: NDArray[np.integer]
) -> tuple[NDArray[np.float64], float]:
    """Return the class prior and the temperature that explain labels best, given free logits.

    Maximum likelihood of softmax((logits + log(prior)) / temperature): bias-corrected
    temperature scaling (Alexandari, Kundaje and Shrikumar, "Maximum likelihood with
    bias-corrected calibration is hard-to-beat at label shift adaptation", 2020, section 3.2).

    Args:
        logits: (n, C) without a class prior.
        labels: (n,).

    Returns:
        (C,) shares, sum 1, and the temperature, 0.25 to 4. With few labels the shares stay close to
        their frequencies.
    """
    classes, rows = logits.shape[1], np.arange(len(labels))

    def loss(values: NDArray[np.float64]) -> float:
        scaled = (logits + values[:classes]) * np.exp(-values[classes])
        likelihood = (logsumexp(scaled, axis=1) - scaled[rows, labels]).mean()
        return float(likelihood + ((values[:classes] - start[:classes]) ** 2).sum() / len(labels))

    start = np.zeros(classes + 1)
    start[:classes] = np.log((np.bincount(labels, minlength=classes) + 1.0) / len(labels))
    bounds = [(None, None)] * classes + [(np.log(0.25), np.log(4.0))]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    return softmax(found[None, :classes])[0], float(np.exp(found[classes]))


def cut(
    training_set: TrainingSet,
    size: int,
    *,
    seed: int,
    options: Augmentation = DETECTOR_JITTER,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return jittered crops (n, 1, S, S) and the landmarks (n, 68, 2) in their pixels."""
    rng = np.random.default_rng(seed)
    crops = [jitter(crop, rng, options) for crop in training_set.crops]
    images = [
        extract(Image(image, "mono"), [crop], size)
        for image, crop in zip(training_set.images, crops, strict=True)
    ]
    points = [
        crop.to_crop(landmarks, size)
        for crop, landmarks in zip(crops, training_set.landmarks, strict=True)
    ]
    return np.concatenate(images), np.stack(points).astype(np.float32)


@torch.inference_mode()
def predict(
    network: EmotionNetwork,
    crops: NDArray[np.float32],
    batch: int = 256,
    *,
    half: bool = False,
) -> dict[str, NDArray[np.float32]]:
    """Run a network on crops (n, 1, S, S).

    Args:
        half: whether convolutions run in bfloat16.

    Returns:
        ``logits`` and, where the network has them, ``landmarks``, ``stage1`` (those of its first
        stage) and ``presence`` (0 to 1).
    """
    network.eval()
    device = next(network.parameters()).device
    parts: dict[str, list[NDArray[np.float32]]] = {}
    for i in range(0, len(crops), batch):
        x = torch.from_numpy(crops[i : i + batch]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            output = network(x.contiguous(memory_format=torch.channels_last))
        found = {"logits": output.logits}
        if output.landmarks is not None:
            found |= {"landmarks": output.landmarks, "stage1": output.stages[0]}
        if output.presence is not None:
            found["presence"] = output.presence.sigmoid()
        for name, tensor in found.items():
            parts.setdefault(name, []).append(tensor.float().cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}
