"""A detector and an engine whose answers are known by construction, in no time.

Bright images hold one face in the middle, dark ones none.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.engines import Manifest, Prediction

SIZE = 64
HAPPY = EMOTIONS.index("happy")
#: Prediction of the engine for a face: about 0.55 happy, 0.2 surprise, 0.05 each of the rest.
LOGITS = np.log(np.array([0.05, 0.55, 0.05, 0.2, 0.05, 0.05, 0.05], np.float32))


def bright(width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """(height, width, 3) pixels that hold a face, for the fakes."""
    return np.full((height, width, 3), 200, np.uint8)


def dark(width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """(height, width, 3) pixels that hold none."""
    return np.zeros((height, width, 3), np.uint8)


class FakeDetector:
    """One face in the middle of a bright image, a third of its height large."""

    name = "fake"
    every_image = False

    def __init__(self, **options: object) -> None:
        self.options = options

    def detect(self, image: Image) -> list[Detection]:
        if image.gray().mean() < 100:
            return []
        side = image.height / 3
        corner = 0.5 * image.width - 0.5 * side, 0.5 * image.height - 0.5 * side
        return [Detection(Box(*corner, side, side))]


class FakeEngine:
    """Every bright crop is a happy mean face. ``gate`` closed holds a run until it is opened."""

    name = "fake"
    device = "cpu"
    precision = "fp32"
    selection_reason = "requested by a test"
    input_size = SIZE

    def __init__(self) -> None:
        self.manifest = Manifest(Path("fake.onnx"), "fake", "1.0", "0" * 64, SIZE)
        self.batches: list[int] = []
        self.runs = 0  # begun
        self.gate = threading.Event()
        self.gate.set()

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        self.runs += 1
        self.gate.wait(60.0)
        n = len(crops)
        self.batches.append(n)
        landmarks = MEAN_SHAPE * (SIZE / CROP_SCALE) + 0.5 * (SIZE - 1)
        attention = np.zeros((n, 7, 8, 8), np.float32)
        attention[:, HAPPY, 5, 4] = 3.0
        return Prediction(
            np.tile(landmarks.astype(np.float32), (n, 1, 1)),
            np.tile(LOGITS, (n, 1)),
            np.where(crops.mean(axis=(1, 2, 3)) > 100, 0.99, 0.0).astype(np.float32),
            attention,
        )
