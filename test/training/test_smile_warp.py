"""The warp between a neutral mouth and a slight smile."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.training.emotion.smile_warp import warp_smile

NEUTRAL, HAPPY, SAD = (EMOTIONS.index(name) for name in ("neutral", "happy", "sad"))
SIZE = 64
FACE = (MEAN_SHAPE * 40 + SIZE / 2).astype(np.float32)
CREST = np.arange(SIZE * SIZE, dtype=np.uint32).reshape(SIZE, SIZE).astype(np.uint8)


def warped(emotion: int, landmarks: np.ndarray = FACE, seed: int = 0):
    rng = np.random.default_rng(seed)
    return warp_smile(CREST, landmarks, np.eye(7, dtype=np.float32)[emotion], rng)


@pytest.mark.parametrize("seed", range(5))
def test_a_neutral_face_gets_raised_mouth_corners_and_a_happy_share(seed: int) -> None:
    _, landmarks, target = warped(NEUTRAL, seed=seed)
    assert landmarks[48, 0] < FACE[48, 0]
    assert landmarks[54, 0] > FACE[54, 0]
    assert (landmarks[[48, 54], 1] < FACE[[48, 54], 1]).all()
    assert target.sum() == pytest.approx(1.0)
    assert 0.25 < target[HAPPY] <= 0.9
    assert target[NEUTRAL] == pytest.approx(1.0 - target[HAPPY])


def test_a_happy_face_smiles_less_and_stays_happy() -> None:
    _, landmarks, target = warped(HAPPY)
    assert (landmarks[[48, 54], 1] > FACE[[48, 54], 1]).all()
    assert target[HAPPY] == 1.0


def test_pixels_move_with_the_landmarks() -> None:
    """A bright dot at a mouth corner is found at the corner's new place."""
    dot = np.zeros((SIZE, SIZE), np.uint8)
    x, y = np.round(FACE[48]).astype(int)
    dot[y - 1 : y + 2, x - 1 : x + 2] = 255
    face = FACE.copy()
    face[48] = x, y
    target = np.eye(7, dtype=np.float32)[NEUTRAL]
    pixels, landmarks, _ = warp_smile(dot, face, target, np.random.default_rng(3))
    rows, columns = np.nonzero(pixels > 100)
    assert abs(columns.mean() - landmarks[48, 0]) < 0.7
    assert abs(rows.mean() - landmarks[48, 1]) < 0.7


@pytest.mark.parametrize("landmarks", [FACE, np.full((68, 2), np.nan, np.float32)])
def test_other_emotions_and_faces_without_landmarks_do_not_change(landmarks: np.ndarray) -> None:
    emotion = SAD if np.isfinite(landmarks).all() else NEUTRAL
    pixels, moved, target = warped(emotion, landmarks)
    np.testing.assert_array_equal(pixels, CREST)
    np.testing.assert_array_equal(moved, landmarks)
    assert target[emotion] == 1.0
