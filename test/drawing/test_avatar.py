"""Avatars: no pixel of the image remains, landmarks and eyes do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.eyes import Eyes
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.drawing.privacy import Cover, CoveredImage, cover_heads

SIDE = 120.0
LANDMARKS = np.float32(MEAN_SHAPE * SIDE + (100, 110))


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (240, 200, 3), np.uint8)


def avatar(
    landmarks: NDArray[np.float32] = LANDMARKS, eyes: Eyes | None = None, seed: int = 0
) -> CoveredImage:
    cover = Cover(Box.from_landmarks(landmarks), landmarks=landmarks, eyes=eyes)
    return cover_heads(noise(seed), [cover])


def part(image: CoveredImage, points: NDArray[np.float32]) -> NDArray[np.uint8]:
    (x0, y0), (x1, y1) = points.min(axis=0).astype(int) - 2, points.max(axis=0).astype(int) + 3
    return image.pixels[y0:y1, x0:x1]


def looking(yaw: float, pitch: float = 0.0, openness: float = 1.0) -> Eyes:
    return Eyes(np.full(2, openness, np.float32), 1, np.array([0.0, 0.0, -1.0]), yaw, pitch)


def iris(image: CoveredImage) -> tuple[float, float]:
    """The centre of what is dark in the eye on the image's left."""
    x0, y0 = LANDMARKS[36:42].min(axis=0).astype(int) - 2
    dark = part(image, LANDMARKS[36:42]).max(axis=2) < 70
    rows, columns = np.nonzero(dark)
    return float(x0 + columns.mean()), float(y0 + rows.mean())


def test_nothing_of_the_image_is_left_inside_and_everything_outside() -> None:
    a, b = avatar(seed=1), avatar(seed=2)
    assert np.array_equal(a.drawn, a.hidden)
    assert np.array_equal(a.pixels[a.drawn], b.pixels[b.drawn])
    assert np.array_equal(a.pixels[~a.drawn], noise(1)[~a.drawn])
    x, y = LANDMARKS.T.astype(int)
    assert a.drawn[y, x].all()
    assert a.drawn[int(y.min() - 0.25 * SIDE), 100], "the forehead"


def test_the_mouth_opens_with_the_landmarks() -> None:
    opened = LANDMARKS.copy()
    opened[[55, 56, 57, 58, 59, 65, 66, 67]] += (0, 14)
    inside = np.s_[LANDMARKS[60:68].mean(axis=0).astype(int)]
    shut, wide = avatar().pixels, avatar(opened).pixels
    rows = slice(inside[1] - 4, inside[1] + 16)
    assert wide[rows, inside[0]].min() < shut[rows, inside[0]].max()
    assert not np.array_equal(shut[rows, inside[0]], wide[rows, inside[0]])


def test_the_iris_follows_the_gaze() -> None:
    left, ahead, right = (iris(avatar(eyes=looking(math.radians(y)))) for y in (-30, 0, 30))
    assert left[0] + 2 < ahead[0] < right[0] - 2, "the person's left is the image's right"
    up, down = (iris(avatar(eyes=looking(0.0, math.radians(p)))) for p in (20, -20))
    assert up[1] < down[1]


def test_closed_eyes_show_no_white() -> None:
    def white(openness: float) -> int:
        eye = part(avatar(eyes=looking(0.0, openness=openness)), LANDMARKS[36:42])
        return int((eye.min(axis=2) > 190).sum())

    assert white(0.05) == 0 < white(0.6) < white(1.0)


@pytest.mark.parametrize("at", [(0, 0), (199, 110), (100, 400), (-500, -500)])
def test_faces_at_and_beyond_the_border_are_drawn_as_far_as_they_are_seen(
    at: tuple[float, float],
) -> None:
    moved = np.float32(LANDMARKS - (100, 110) + at)
    image = avatar(moved)
    assert image.pixels.shape == (240, 200, 3)
    assert image.drawn.any() == (at[0] >= 0 and at[1] < 400)


def test_a_tiny_face_is_drawn_too() -> None:
    tiny = np.float32(MEAN_SHAPE * 6 + (50, 50))
    assert avatar(tiny).drawn[50, 50]
