"""Masks and glasses are drawn by the landmarks, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.training.emotion.augment import Augmentation, augment
from edan_ros.training.emotion.occluders import add_occluder

SIZE = 96
#: A face in the middle of the crop, 60 pixels large.
FACE = MEAN_SHAPE * 60 + SIZE / 2
EVEN = np.full((SIZE, SIZE), 128, np.uint8)
#: Noise, on which whatever is drawn shows.
NOISE = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
HAPPY = np.eye(7, dtype=np.float32)[1]
STILL = Augmentation(
    shift=0, scale=1, roll_deg=0, wide_roll_share=0, mirror=0, low_resolution=0, light=0, blur=0,
    noise=0, jpeg=0, erase=0, background_crop_prob=0, occluder_prob=1,
)  # fmt: skip


def changed(rng: np.random.Generator, face: np.ndarray = FACE) -> np.ndarray:
    return add_occluder(NOISE, face, rng) != NOISE


def test_a_mask_hides_the_mouth_and_glasses_do_not() -> None:
    """A mask lies mostly below the tip of the nose, glasses above."""
    x, y = FACE[48:68].mean(axis=0).round().astype(int)
    masks = 0
    for seed in range(200):
        cover = changed(np.random.default_rng(seed))
        assert 0.02 < cover.mean() < 0.6, seed
        mask = np.argwhere(cover)[:, 0].mean() > FACE[30, 1]
        masks += mask
        assert (cover[y - 2 : y + 3, x - 2 : x + 3].mean() > 0.8) == mask, seed
        assert not cover[: int(FACE[17:27, 1].min()) - 12].any(), seed  # the forehead is free
    assert 60 < masks < 140


def test_glasses_rotate_with_the_face() -> None:
    """With the face on its side, the lenses lie one above the other."""
    c = SIZE / 2
    turned = np.column_stack([c - (FACE[:, 1] - c), c + (FACE[:, 0] - c)])
    for seed in range(50):
        upright, aside = (changed(np.random.default_rng(seed), face) for face in (FACE, turned))
        if upright[: int(FACE[33, 1])].sum() > 0.9 * upright.sum():  # glasses
            box = [np.ptp(np.argwhere(m), axis=0) for m in (upright, aside)]
            assert box[0][1] > box[0][0]
            assert box[1][0] > box[1][1]


def test_occluders_have_their_probability_and_need_landmarks() -> None:
    rng = np.random.default_rng(3)

    def occluded(landmarks: np.ndarray, probability: float) -> list[bool]:
        options = replace(STILL, occluder_prob=probability)
        crop = Crop.from_landmarks(FACE)
        faces = [augment(EVEN, crop, landmarks, HAPPY, 64, rng, options) for _ in range(300)]
        return [bool((face.pixels != 128).any()) for face in faces]

    known = FACE.astype(np.float32)
    assert not any(occluded(known, 0.0))
    assert 0.2 < np.mean(occluded(known, 0.3)) < 0.4
    assert not any(occluded(np.full_like(known, np.nan), 1.0))
