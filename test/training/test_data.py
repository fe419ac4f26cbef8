"""Augmentation and the samples of an epoch, on synthetic images."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the training layer needs the train extra (torch)")

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import MEAN_SHAPE, MIRROR_PERMUTATION
from edan_ros.training.emotion.augment import (
    Augmentation,
    AugmentedFace,
    augment,
    degrade,
    jitter,
)
from edan_ros.training.emotion.samples import (
    EpochData,
    TrainingSet,
    concatenate,
    make_training_set,
)

PLAIN = Augmentation(
    shift=0,
    scale=1,
    roll_deg=0,
    wide_roll_share=0,
    mirror=0,
    low_resolution=0,
    light=0,
    blur=0,
    noise=0,
    jpeg=0,
    erase=0,
    background_crop_prob=0,
)


HAPPY = np.eye(7, dtype=np.float32)[1]


def dotted_face(angle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A grey image with a bright dot on every landmark of a rotated mean face."""
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = MEAN_SHAPE @ rotation * 300 + 256
    image = np.zeros((512, 512), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(x * 16), round(y * 16)), 5 * 16, 255, -1, shift=4)
    return image, points.astype(np.float32)


def one_sample(image: np.ndarray, points: np.ndarray) -> TrainingSet:
    return make_training_set(
        [image],
        crops=[Crop.from_landmarks(points)],
        landmarks=points[None],
        emotions=np.eye(7)[:1],
    )


def augmented(
    options: Augmentation, size: int = 64, seed: int = 0, angle: float = 0.0
) -> AugmentedFace:
    image, points = dotted_face(angle)
    crop = Crop.from_landmarks(points)
    return augment(image, crop, points, HAPPY, size, np.random.default_rng(seed), options)


@given(seed=st.integers(0, 10_000), angle=st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_landmarks_move_with_the_image(seed: int, angle: float) -> None:
    """The dots stay on the landmarks under jitter and mirroring."""
    moved = replace(PLAIN, shift=0.1, scale=1.22, roll_deg=12.0, wide_roll_share=0.12, mirror=0.5)
    face = augmented(moved, 96, seed, angle)
    points = np.round(face.landmarks).astype(int)
    inside = ((points >= 2) & (points < 94)).all(axis=1)
    assert inside.sum() > 40
    assert (face.pixels[points[inside, 1], points[inside, 0]] > 100).all()


def test_the_crop_of_a_mean_face_has_the_initial_landmarks_of_the_network() -> None:
    """Without jitter, whatever the roll of the face."""
    torch = pytest.importorskip("torch")
    from edan_ros.networks.emotional_dan import EmotionalDAN

    face = augmented(PLAIN, angle=0.7)
    canonical = EmotionalDAN(size=64, width=0.25, stages=1).canonical
    assert torch.allclose(torch.from_numpy(face.landmarks), canonical, atol=0.02)


def test_slight_smiles_have_their_probability_and_change_labels() -> None:
    """Neutral faces get a share of happy; without the option, nothing changes."""
    image, points = dotted_face()
    crop, neutral = Crop.from_landmarks(points), np.eye(7, dtype=np.float32)[0]

    def happy(probability: float) -> np.ndarray:
        options, rng = replace(PLAIN, slight_smile=probability), np.random.default_rng(0)
        faces = [augment(image, crop, points, neutral, 64, rng, options) for _ in range(60)]
        return np.array([face.emotion[1] for face in faces])

    assert not happy(0.0).any()
    assert 0.3 < (happy(0.5) > 0.2).mean() < 0.7


def test_the_mirror_permutation_swaps_left_and_right() -> None:
    """The mean face is symmetric: mirrored and permuted, it is unchanged."""
    mirrored = MEAN_SHAPE[MIRROR_PERMUTATION] * [-1, 1]
    np.testing.assert_allclose(mirrored, MEAN_SHAPE, atol=2e-5)
    assert (MIRROR_PERMUTATION[MIRROR_PERMUTATION] == np.arange(68)).all()


def test_a_crop_that_misses_its_face_has_no_labels() -> None:
    options = Augmentation(background_crop_prob=1.0)
    sample = EpochData(one_sample(*dotted_face()), 64, options, seed=0, epoch=0)[0]
    assert sample["face"] == 0
    assert np.isnan(sample["landmarks"]).all()
    assert np.isnan(sample["emotion"]).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_degraded_crops_keep_size_and_type(seed: int) -> None:
    rng = np.random.default_rng(seed)
    everything = Augmentation(low_resolution=1, light=1, blur=1, noise=1, jpeg=1, erase=1)
    crop = degrade(np.full((64, 64), 120, np.uint8), rng, everything)
    assert crop.shape == (64, 64)
    assert crop.dtype == np.uint8


def test_noise_is_as_coarse_as_that_of_enlarged_faces() -> None:
    noisy = Augmentation(low_resolution=0, light=0, blur=0, noise=1, jpeg=0, erase=0)
    grey = np.full((64, 64), 128, np.uint8)
    levels, alike = [], []
    for seed in range(40):
        noise = degrade(grey, np.random.default_rng(seed), noisy) - 128.0
        levels.append(noise.std())
        alike.append((noise[:, 1:] * noise[:, :-1]).mean() / noise.var())
    assert min(levels) < 5.0
    assert max(levels) > 18.0
    assert min(alike) < 0.2  # 0 where every pixel is by itself
    assert max(alike) > 0.4  # 0.6 where it is twice as coarse


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_jitter_stays_within_its_bounds(seed: int) -> None:
    options = Augmentation()
    crop = jitter(Crop(np.zeros(2), 100.0, 0.0), np.random.default_rng(seed), options)
    assert np.abs(crop.center).max() <= 100 * options.shift + 1e-9
    assert 100 / options.scale - 1e-9 <= crop.side <= 100 * options.scale + 1e-9


def test_views_are_different_augmentations_of_one_image() -> None:
    images = concatenate([one_sample(*dotted_face()) for _ in range(5)])
    data = EpochData(images, 32, Augmentation(), seed=1, epoch=0, samples=6, views=2)
    assert len(data) == 6
    assert (data.order[0::2] == data.order[1::2]).all()
    assert not np.array_equal(data[0]["crop"], data[1]["crop"])


def test_sampling_weights_are_expected_counts() -> None:
    """Weights 2, 0.5 and 0: twice in every epoch, in half of the epochs, never."""
    image, points = dotted_face()
    images = concatenate([one_sample(image, points) for _ in range(3)])
    images.sampling_weights[:] = [2.0, 0.5, 0.0]
    counts = sum(
        np.bincount(images.epoch_indices(np.random.default_rng(i)), minlength=3) for i in range(400)
    )
    assert counts[0] == 800
    assert 150 < counts[1] < 250
    assert counts[2] == 0
