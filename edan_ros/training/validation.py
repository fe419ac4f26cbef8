"""What is measured after every epoch, on pictures that are never trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edan_ros.core.crops import extract
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.images import Image
from edan_ros.datasets import read
from edan_ros.evaluation import metrics
from edan_ros.networks.emotional_dan import EmotionalDAN
from edan_ros.training.augment import Augmentation, jitter
from edan_ros.training.negatives import background
from edan_ros.training.samples import Samples
from edan_ros.training.sets import samples_of

#: Boxes as a good detector gives them: what remains after training's wider jitter is taken out.
DETECTOR_JITTER = Augmentation(shift=0.06, scale=1.1, roll_deg=5.0, wide_roll_share=0.0)


class Validation:
    """FER+ public test, the held-out tenth of landmarks68 and the background of its pictures.

    Every picture is cropped once, with boxes jittered as a detector jitters (fixed seed).
    """

    def __init__(self, root: Path, size: int) -> None:
        faces = read("fer2013", root / "fer2013", part="public_test", labels="ferplus")
        self.emotion = samples_of(faces)
        self.majority = np.array([record.emotion for record in faces.records])
        self.points = samples_of(read("landmarks68", root / "landmarks68", part="held_out"))
        self.negative = background(
            root / "landmarks68",
            root / "detectors/yunet_n_640.onnx",
            held_out=True,
            seed=3,
            each=12,
        )
        self.emotion_crops, _ = cut(self.emotion, size, seed=11)
        self.point_crops, self.truth = cut(self.points, size, seed=12)
        self.negative_crops, _ = cut(self.negative, size, seed=13)

    def __call__(self, network: EmotionalDAN) -> dict[str, float]:
        """Accuracy, macro-F1, landmark errors by stage (outer-eye) and presence acceptance."""
        said = predict(network, self.emotion_crops)
        confusion = metrics.confusion_matrix(
            self.majority, said["logits"].argmax(axis=1), len(EMOTIONS)
        )
        found = predict(network, self.point_crops)
        nothing = predict(network, self.negative_crops)["presence"]
        faces = np.concatenate([found["presence"], said["presence"]])
        accepted, threshold = metrics.acceptance(faces, nothing)
        result = {
            "accuracy": metrics.accuracy(confusion),
            "macro_f1": metrics.macro_f1(confusion),
            "accepted": accepted,
            "threshold": threshold,
        }
        for key in ("stage1", "landmarks"):
            result[f"error_{key}"] = float(metrics.landmark_error(found[key], self.truth).mean())
        return result


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
    network: EmotionalDAN, crops: NDArray[np.float32], batch: int = 256
) -> dict[str, NDArray[np.float32]]:
    """Run a network over (n, 1, S, S) crops: landmarks, stage1, logits, presence (0 to 1)."""
    network.eval()
    device = next(network.parameters()).device
    parts = []
    for i in range(0, len(crops), batch):
        x = torch.from_numpy(crops[i : i + batch]).to(device)
        out = network(x.contiguous(memory_format=torch.channels_last))
        parts.append((out.landmarks, out.stages[0], out.logits, out.presence.sigmoid()))
    names = ("landmarks", "stage1", "logits", "presence")
    return {
        name: torch.cat(tensors).float().cpu().numpy()
        for name, tensors in zip(names, zip(*parts, strict=True), strict=True)
    }
