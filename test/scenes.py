"""Synthetic scenes: faces as discs, with a fake detector and a fake engine for them.

A face of size s at (x, y) is a disc of radius s / 2 on black; its grey level encodes the emotion.
The detector finds discs, and the engine measures the disc in its crop, so that every result
follows from geometry and can be checked by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.core.inference import Prediction

SIZE = 64
#: Grey level of a face -> index of the emotion.
GREYS = {120: 0, 170: 1, 230: 2}
#: Logit of the encoded emotion; the others are 0.
LOGIT = 4.0

_LOW, _HIGH = MEAN_SHAPE.min(axis=0), MEAN_SHAPE.max(axis=0)


@dataclass(frozen=True)
class Disc:
    """A face: centre and size in pixels, and grey level."""

    x: float
    y: float
    size: float = 80.0
    grey: int = 120


def scene(discs: Iterable[Disc], width: int = 640, height: int = 480) -> Image:
    """Return an image of these faces; later ones occlude earlier ones."""
    pixels = np.zeros((height, width), np.uint8)
    for disc in discs:
        center = round(disc.x * 16), round(disc.y * 16)
        cv2.circle(pixels, center, round(disc.size * 8), disc.grey, -1, cv2.LINE_AA, 4)
    return Image(pixels, "mono")


def landmarks_of(disc: Disc) -> np.ndarray:
    """Return the (68, 2) mean shape on the disc."""
    return disc.size * MEAN_SHAPE + (disc.x, disc.y)


def detection_of(disc: Disc, score: float = 0.9) -> Detection:
    """Return the detection of the disc by the project's definition of a box."""
    return Detection(Box.from_landmarks(landmarks_of(disc)), score)


@dataclass
class DiscDetector:
    """Finds discs; counts its calls."""

    name: str = "discs"
    every_image: bool = False
    calls: int = 0
    blind: bool = False

    def detect(self, image: Image) -> list[Detection]:
        self.calls += 1
        if self.blind:
            return []
        _, _, stats, centers = cv2.connectedComponentsWithStats((image.gray() > 60).astype("u1"))
        found = [
            detection_of(Disc(x, y, max(width, height)))
            for (_, _, width, height, _), (x, y) in zip(stats[1:], centers[1:], strict=True)
        ]
        return [d for d in found if d.box.width > 10]


@dataclass
class DiscEngine:
    """Measures the disc in each crop; counts its batches."""

    temperature: float = 1.0
    presence_threshold: float = 0.5
    uniform_temperature: float = 0.0
    class_prior: tuple[float, ...] = ()
    resting_logits: tuple[float, ...] = ()
    input_size: int = SIZE
    batches: list[int] = field(default_factory=list)

    @property
    def manifest(self) -> DiscEngine:
        return self

    def infer(self, crops: np.ndarray) -> Prediction:
        self.batches.append(len(crops))
        rows = [self._measure(crop[0]) for crop in crops]
        landmarks, logits, presence = (np.array(v, np.float32) for v in zip(*rows, strict=True))
        attention = np.ones((len(crops), 7, 8, 8), np.float32)
        return Prediction(landmarks, logits, presence, attention)

    @staticmethod
    def _measure(crop: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return landmarks, logits and presence of the disc nearest to the centre of the crop."""
        count, parts, stats, centers = cv2.connectedComponentsWithStats((crop > 60).astype("u1"))
        logits = np.zeros(7)
        if count < 2:
            return MEAN_SHAPE * 40 + SIZE / 2, logits, 0.0
        distance = np.hypot(*(centers[1:] - SIZE / 2).T)
        best = 1 + int(distance.argmin())
        size = 2.0 * np.sqrt(stats[best, cv2.CC_STAT_AREA] / np.pi)
        grey = float(np.median(crop[parts == best]))
        logits[GREYS[min(GREYS, key=lambda g: abs(g - grey))]] = LOGIT
        presence = 0.95 if 15 < size < 60 else 0.1
        return MEAN_SHAPE * size + centers[best], logits, presence
