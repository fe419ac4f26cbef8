"""The image of failures: every distorted photograph is recognised and drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from grey_faces import GreyDetector, GreyEngine, emotion, landmarks, level_of

from edan_ros.evaluation.failures import (
    DISTORTIONS,
    DistortedFace,
    draw_failures,
    recognise_distorted,
)

HAPPY = emotion("happy")


def photograph() -> np.ndarray:
    return np.full((100, 100), level_of(HAPPY), np.uint8)


def test_a_photograph_gets_every_distortion() -> None:
    faces = dict(
        zip(
            (name for name, _ in DISTORTIONS),
            recognise_distorted(GreyEngine(), GreyDetector(), photograph()),
            strict=True,
        )
    )
    assert faces["original"].caption == "happy 0.94"
    np.testing.assert_allclose(faces["original"].image.landmarks, landmarks(), atol=0.5)
    # What is all grey and shows happiness is something else when it is lighter.
    assert faces["4 stops over-\nexposed"].caption != "happy 0.94"
    assert faces["face of\n14 pixels"].image.face_size == pytest.approx(14, rel=0.05)


def test_failures_are_drawn_with_landmarks(tmp_path: Path) -> None:
    faces = recognise_distorted(GreyEngine(), GreyDetector(), photograph())
    lost = [DistortedFace(face.image, None) for face in faces]
    assert lost[0].caption == "not found"
    draw_failures([faces, lost], "grey", tmp_path / "failures.png")
    drawn = cv2.imread(str(tmp_path / "failures.png")).astype(int)
    above, below = np.split(drawn, [drawn.shape[0] // 2])
    dots = [int((part[..., 1] - part[..., 2] > 60).sum()) for part in (above, below)]
    assert dots[0] > 500  # the landmarks
    assert dots[1] == 0
