"""What is measured after every epoch, on pictures that are never trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edan_ros.core.crops import extract
from edan_ros.core.emotions import softmax
from edan_ros.core.images import Image
from edan_ros.datasets import read
from edan_ros.evaluation import metrics
from edan_ros.networks.base import EmotionNetwork
from edan_ros.training.common.errors import ConfigError
from edan_ros.training.emotion.augment import Augmentation, jitter
from edan_ros.training.emotion.calibration import fit_temperature
from edan_ros.training.emotion.losses import TO_POLARITY
from edan_ros.training.emotion.negatives import background
from edan_ros.training.emotion.samples import Samples
from edan_ros.training.emotion.sets import samples_of

#: Boxes as a good detector gives them: what remains after training's wider jitter is taken out.
DETECTOR_JITTER = Augmentation(shift=0.06, scale=1.1, roll_deg=5.0, wide_roll_share=0.0)
#: What is read where a configuration does not say what it is validated on.
DEFAULT_SET = {"layout": "fer2013", "part": "public_test", "labels": "ferplus"}

#: Sets that are never trained on, measured with a uniform class prior.
TRANSFER_SETS = ("kdef", "london")

#: Takes crops (n, 1, S, S) to what a model says of them, by name of the output.
Run = Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]


@dataclass
class Answers:
    """What a model says. emotions: of the pictures with an emotion. points: of those with human
    landmarks; nothing: of background; each None where there is no such set or output."""

    emotions: dict[str, NDArray[np.float32]]
    points: dict[str, NDArray[np.float32]] | None = None
    nothing: dict[str, NDArray[np.float32]] | None = None


class Validation:
    """Pictures with emotions, the held-out tenth of landmarks68 and the background of its pictures.

    The emotions are those of FER2013's public test by FER+'s majority, or of the set ``source``:
    its ``layout``, ``path`` (under ``root``; the layout's name without) and its reader's options.
    ``transfer`` holds the sets that are never trained on and show how a recogniser generalises,
    where ``root`` has them: kdef and london, name -> (crops, labels). Every other picture is
    cropped once, with boxes jittered as a detector jitters (fixed seed). Where ``root`` holds no
    landmarks68, landmarks and presence are not measured. ``half``: a network that is measured
    after an epoch runs in bfloat16, as in training.

    Raises ConfigError for a ``source`` without a layout, and without FER2013 where none is given;
    DataError for a set that cannot be read.
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
        #: What its figures are called in a manifest.
        self.name = "ferplus_public" if source is None else f"{layout}_validation"
        faces = read(layout, root / str(options.pop("path", layout)), **options)
        faces.samples = [r for r in faces.samples if r.emotion is not None]
        self.majority = np.array([record.emotion for record in faces.samples])
        self.emotion_crops, _ = cut(samples_of(faces), size, seed=11)
        self.transfer = {
            name: _labelled_crops(name, root / name, size)
            for name in TRANSFER_SETS
            if (root / name).is_dir()
        }
        self.point_crops = self.negative_crops = None
        points, detector = root / "landmarks68", root / "detectors/yunet_n_640.onnx"
        if points.is_dir():
            held_out = samples_of(read("landmarks68", points, part="held_out"))
            self.point_crops, self.truth = cut(held_out, size, seed=12)
        if points.is_dir() and detector.is_file():
            negative = background(points, detector, held_out=True, seed=3, each=12)
            self.negative_crops, _ = cut(negative, size, seed=13)

    def ask(self, run: Run, outputs: tuple[str, ...]) -> Answers:
        """What a model with these outputs says of all that is here for them."""
        answers = Answers(run(self.emotion_crops))
        if "landmarks" in outputs and self.point_crops is not None:
            answers.points = run(self.point_crops)
            if "presence" in outputs and self.negative_crops is not None:
                answers.nothing = run(self.negative_crops)
        return answers

    def labels(self, classes: int) -> NDArray[np.intp]:
        """(n,) the true class of each picture with an emotion, for 7 or 3 classes."""
        if classes == TO_POLARITY.shape[1]:
            return TO_POLARITY.numpy().argmax(axis=1)[self.majority]
        return self.majority

    def __call__(self, network: EmotionNetwork) -> dict[str, float]:
        """Accuracy and macro-F1; of a network of 7 classes also the accuracy when they are summed
        to 3; landmark errors by stage (outer-eye) and presence acceptance."""
        answers = self.ask(lambda x: predict(network, x, half=self.half), network.outputs)
        logits = answers.emotions["logits"]
        classes = logits.shape[1]
        if self.class_prior:
            logits = logits + np.log(self.class_prior)
        said = logits.argmax(axis=1)
        confusion = metrics.confusion_matrix(self.labels(classes), said, classes)
        result = {
            "accuracy": metrics.accuracy(confusion),
            "macro_f1": metrics.macro_f1(confusion),
        }
        if classes == len(TO_POLARITY):
            temperature = fit_temperature(logits, self.majority)  # too even, sums say little
            summed = (softmax(logits, temperature) @ TO_POLARITY.numpy()).argmax(axis=1)
            result["accuracy_3"] = float((summed == self.labels(3)).mean())
            for name, (crops, labels) in self.transfer.items():
                uniform = predict(network, crops, half=self.half)["logits"]
                result[f"accuracy_{name}"] = float((uniform.argmax(axis=1) == labels).mean())
        if answers.points is not None:
            for key in ("stage1", "landmarks"):
                error = metrics.landmark_error(answers.points[key], self.truth)
                result[f"error_{key}"] = float(error.mean())
        if answers.nothing is not None:
            result["accepted"], result["threshold"] = acceptance(answers)
        return result


def _labelled_crops(
    layout: str, path: Path, size: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return crops (n, 1, S, S) where the package's detector finds the face, and labels (n,)."""
    faces = read(layout, path)
    faces.samples = [record for record in faces.samples if record.emotion is not None]
    samples = samples_of(faces)
    still = Augmentation(shift=0.0, scale=1.0, roll_deg=0.0, wide_roll_share=0.0)
    labels = samples.emotions.argmax(axis=1)
    return cut(samples, size, seed=0, how=still)[0], labels


def acceptance(answers: Answers) -> tuple[float, float]:
    """Share of the faces accepted at 1 % false alarms, and the presence threshold that does it."""
    assert answers.points is not None
    assert answers.nothing is not None
    faces = np.concatenate([answers.points["presence"], answers.emotions["presence"]])
    return metrics.acceptance(faces, answers.nothing["presence"])


def cut(
    samples: Samples, size: int, *, seed: int, how: Augmentation = DETECTOR_JITTER
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, 1, S, S) crops with jittered boxes and the landmarks (n, 68, 2) in them."""
    rng = np.random.default_rng(seed)
    how = replace(how, miss=0.0)
    crops = [jitter(crop, rng, how) for crop in samples.crops]
    images = [
        extract(Image(image, "mono"), [crop], size)
        for image, crop in zip(samples.images, crops, strict=True)
    ]
    points = [
        crop.to_crop(landmarks, size)
        for crop, landmarks in zip(crops, samples.landmarks, strict=True)
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
    """Run a network over (n, 1, S, S) crops: logits and, where it has them, landmarks, stage1
    (those of its first stage) and presence (0 to 1). half: in bfloat16 where operators allow."""
    network.eval()
    device = next(network.parameters()).device
    parts: dict[str, list[NDArray[np.float32]]] = {}
    for i in range(0, len(crops), batch):
        x = torch.from_numpy(crops[i : i + batch]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            out = network(x.contiguous(memory_format=torch.channels_last))
        found = {"logits": out.logits}
        if out.landmarks is not None:
            found |= {"landmarks": out.landmarks, "stage1": out.stages[0]}
        if out.presence is not None:
            found["presence"] = out.presence.sigmoid()
        for name, tensor in found.items():
            parts.setdefault(name, []).append(tensor.float().cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}
