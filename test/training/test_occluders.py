"""Masks and glasses are drawn where the landmarks say, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.training.emotion.augment import Augmentation, render
from edan_ros.training.emotion.occluders import wear
from edan_ros.training.emotion.samples import make_samples

SIZE = 96
#: A face in the middle of the crop, 60 pixels large.
FACE = MEAN_SHAPE * 60 + SIZE / 2
EVEN = np.full((SIZE, SIZE), 128, np.uint8)
#: Noise, on which whatever is drawn shows.
NOISE = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
STILL = Augmentation(
    shift=0, scale=1, roll_deg=0, wide_roll_share=0, mirror=0, low_resolution=0, light=0, blur=0,
    noise=0, jpeg=0, erase=0, miss=0, worn=1,
)  # fmt: skip


def changed(rng: np.random.Generator, face: np.ndarray = FACE) -> np.ndarray:
    return wear(NOISE, face, rng) != NOISE


def test_a_mask_hides_the_mouth_and_glasses_do_not() -> None:
    """Told apart by where most of it lies, above the tip of the nose or below."""
    x, y = FACE[48:68].mean(axis=0).round().astype(int)
    masks = 0
    for seed in range(200):
        worn = changed(np.random.default_rng(seed))
        assert 0.02 < worn.mean() < 0.6, seed
        mask = np.argwhere(worn)[:, 0].mean() > FACE[30, 1]
        masks += mask
        assert (worn[y - 2 : y + 3, x - 2 : x + 3].mean() > 0.8) == mask, seed
        assert not worn[: int(FACE[17:27, 1].min()) - 12].any(), seed  # the forehead is free
    assert 60 < masks < 140


def test_glasses_turn_with_the_face() -> None:
    """A face on its side: what was beside each other lies below each other."""
    c = SIZE / 2
    turned = np.column_stack([c - (FACE[:, 1] - c), c + (FACE[:, 0] - c)])
    for seed in range(50):
        upright, aside = (changed(np.random.default_rng(seed), face) for face in (FACE, turned))
        if upright[: int(FACE[33, 1])].sum() > 0.9 * upright.sum():  # glasses
            box = [np.ptp(np.argwhere(m), axis=0) for m in (upright, aside)]
            assert box[0][1] > box[0][0]
            assert box[1][0] > box[1][1]


def test_faces_wear_something_as_often_as_asked_and_only_where_landmarks_are_known() -> None:
    def draw(landmarks: np.ndarray | None, worn: float) -> list[bool]:
        how = Augmentation(**{**vars(STILL), "worn": worn})
        samples = make_samples([EVEN], crops=[Crop.from_landmarks(FACE)], landmarks=landmarks)
        rng = np.random.default_rng(3)
        return [bool((render(samples, 0, 64, rng, how).crop != 128).any()) for _ in range(300)]

    assert not any(draw(FACE[None], 0.0))
    assert 0.2 < np.mean(draw(FACE[None], 0.3)) < 0.4
    assert not any(draw(None, 1.0))
