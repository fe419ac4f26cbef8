"""An engine and a detector with known results on grey images.

An image of grey level 20 + 30 * k shows emotion k; an image below 10 shows no face.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.datasets import FaceSample, FaceSet
from edan_ros.engines import Manifest, Prediction

SIZE = 32


def level_of(emotion: int) -> int:
    return 20 + 30 * emotion


def landmarks(face: float = 60.0, middle: float = 50.0) -> NDArray[np.float32]:
    return (MEAN_SHAPE * face + middle).astype(np.float32)


class GreyEngine:
    """Predicts the emotion of the grey level in the middle with a fixed confidence."""

    name, device, precision = "grey", "cpu", "fp32"
    selection_reason = "a test"
    input_size = SIZE

    def __init__(self, confidence: float = 0.94, class_prior: tuple[float, ...] = ()) -> None:
        path = Path("grey.onnx")
        self.manifest = Manifest(path, "grey", "1", "", SIZE, class_prior=class_prior)
        self.confidence = confidence
        self.runs = 0

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        self.runs += 1
        n = len(crops)
        level = crops[:, 0, SIZE // 2, SIZE // 2]
        emotion = np.clip(np.round((level - 20) / 30), 0, 6).astype(int)
        p = np.full((n, 7), (1.0 - self.confidence) / 6)
        p[np.arange(n), emotion] = self.confidence
        points = MEAN_SHAPE * SIZE / CROP_SCALE + 0.5 * (SIZE - 1)
        return Prediction(
            np.repeat(points[None], n, axis=0).astype(np.float32),
            np.log(p).astype(np.float32),
            np.where(level > 10, 0.99, 0.01).astype(np.float32),
            np.zeros((n, 7, 4, 4), np.float32),
        )


class GreyDetector:
    """Finds the face of ``landmarks()`` in every image that is not dark, and a smaller one."""

    name = "grey"
    every_image = False

    def detect(self, image: Image) -> list[Detection]:
        if image.pixels.mean() < 5:
            return []
        small = landmarks(16.0, 12.0)
        return [Detection(Box.from_landmarks(p)) for p in (small, landmarks())]


class NoDetector:
    """Finds no face."""

    name = "none"
    every_image = False

    def detect(self, image: Image) -> list[Detection]:  # noqa: ARG002
        return []


def sample(level: int, emotion: int | None, **known: object) -> FaceSample:
    pixels = np.full((100, 100), level, np.uint8)
    return FaceSample(f"{level}.png", lambda: pixels, emotion, **known)


def face_set(*pairs: tuple[int, int | None], **known: object) -> FaceSet:
    """A set of (grey level, true emotion), each with the landmarks of ``landmarks()``."""
    return FaceSet("all", [sample(*pair, landmarks=landmarks()) for pair in pairs], **known)


def emotion(name: str) -> int:
    return EMOTIONS.index(name)
