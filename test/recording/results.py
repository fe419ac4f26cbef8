"""Makes results for the tests of recordings."""

from __future__ import annotations

import numpy as np

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, UNKNOWN, UNKNOWN_LABEL
from edan_ros.core.faces import Face, FrameResult


def face(track_id: int = 1, label: str = "happy", confidence: float = 0.8) -> Face:
    """A face in a 640x480 image whose label has the given probability."""
    emotion = UNKNOWN if label == UNKNOWN_LABEL else EMOTIONS.index(label)
    probabilities = np.full(7, (1.0 - confidence) / 6)
    probabilities[emotion % 7] = confidence
    landmarks = np.random.default_rng(track_id).uniform(100, 200, (68, 2)).astype(np.float32)
    return Face(
        track_id=track_id,
        box=Box(100, 110, 90, 80),
        presence=0.95,
        landmarks=landmarks,
        emotion=emotion,
        label=label,
        confidence=confidence,
        probabilities=probabilities,
        raw_probabilities=probabilities,
        polarity=0,
        polarity_probabilities=np.array([1.0, 0.0, 0.0]),
        valence=0.0,
        arousal=0.0,
    )


def result(*faces: Face) -> FrameResult:
    return FrameResult(list(faces), 640, 480)
