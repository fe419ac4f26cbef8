"""Training data: labels, crops, augmentation and negatives, on pictures the tests make."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the training layer needs the train extra (torch)")

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import MEAN_SHAPE, MIRROR_PERMUTATION
from edan_ros.training import readers
from edan_ros.training.augment import Augmentation, degrade, jitter, render
from edan_ros.training.errors import DataError
from edan_ros.training.samples import Samples, concatenate, make_samples

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
    miss=0,
)


def dotted_face(angle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture with a bright dot on every landmark of a turned mean face."""
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = MEAN_SHAPE @ rotation * 300 + 256
    image = np.zeros((512, 512), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(x * 16), round(y * 16)), 5 * 16, 255, -1, shift=4)
    return image, points.astype(np.float32)


def samples_of(image: np.ndarray, points: np.ndarray) -> Samples:
    return make_samples(
        [image],
        crops=[Crop.from_landmarks(points)],
        landmarks=points[None],
        emotions=np.eye(7)[:1],
    )


@given(seed=st.integers(0, 10_000), angle=st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_landmarks_move_with_the_picture(seed: int, angle: float) -> None:
    """Whatever the crop and the mirror do, the dots stay on the landmarks."""
    how = Augmentation(low_resolution=0, light=0, blur=0, noise=0, jpeg=0, erase=0, miss=0)
    rng = np.random.default_rng(seed)
    example = render(samples_of(*dotted_face(angle)), 0, 96, rng, how)
    points = np.round(example.landmarks).astype(int)
    inside = ((points >= 2) & (points < 94)).all(axis=1)
    assert inside.sum() > 40
    assert (example.crop[points[inside, 1], points[inside, 0]] > 100).all()


def test_an_upright_mean_face_fills_the_crop_as_the_network_expects() -> None:
    """Without jitter the landmarks of a mean face are the network's starting shape."""
    torch = pytest.importorskip("torch")
    from edan_ros.networks.emotional_dan import EmotionalDAN

    example = render(samples_of(*dotted_face(0.7)), 0, 64, np.random.default_rng(0), PLAIN)
    canonical = EmotionalDAN(size=64, width=0.25, stages=1).canonical
    assert torch.allclose(torch.from_numpy(example.landmarks), canonical, atol=0.02)


def test_mirror_swaps_left_and_right() -> None:
    """The mirrored mean face is the mean face: only the order of the points tells."""
    mirrored = MEAN_SHAPE[MIRROR_PERMUTATION] * [-1, 1]
    np.testing.assert_allclose(mirrored, MEAN_SHAPE, atol=2e-5)
    assert (MIRROR_PERMUTATION[MIRROR_PERMUTATION] == np.arange(68)).all()


def test_a_missed_face_is_a_negative_without_labels() -> None:
    how = Augmentation(miss=1.0)
    example = render(samples_of(*dotted_face()), 0, 64, np.random.default_rng(0), how)
    assert example.face == 0
    assert np.isnan(example.landmarks).all()
    assert np.isnan(example.emotion).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_degraded_crops_stay_pictures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    everything = Augmentation(low_resolution=1, light=1, blur=1, noise=1, jpeg=1, erase=1)
    crop = degrade(np.full((64, 64), 120, np.uint8), rng, everything)
    assert crop.shape == (64, 64)
    assert crop.dtype == np.uint8


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_jitter_keeps_to_its_bounds(seed: int) -> None:
    how = Augmentation()
    crop = jitter(Crop(np.zeros(2), 100.0, 0.0), np.random.default_rng(seed), how)
    assert np.abs(crop.center).max() <= 100 * how.shift + 1e-9
    assert 100 / how.scale - 1e-9 <= crop.side <= 100 * how.scale + 1e-9


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([8, 1, 0, 0, 0, 0, 0, 0, 1, 0], 0),  # neutral
        ([0, 0, 7, 0, 0, 0, 3, 0, 0, 0], 3),  # surprise
        ([0, 0, 0, 6, 4, 0, 0, 0, 0, 0], 2),  # sad
        ([0, 0, 0, 0, 6, 4, 0, 0, 0, 0], 6),  # anger
        ([0, 0, 0, 0, 4, 6, 0, 0, 0, 0], 5),  # disgust
        ([0, 0, 4, 0, 0, 0, 6, 0, 0, 0], 4),  # fear
        ([0, 10, 0, 0, 0, 0, 0, 0, 0, 0], 1),  # happy
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], -1),  # a tie
        ([2, 0, 0, 0, 0, 0, 0, 8, 0, 0], -1),  # contempt
        ([4, 0, 0, 0, 0, 0, 0, 0, 0, 6], -1),  # not a face
    ],
)
def test_ferplus_majority(votes: list[int], expected: int) -> None:
    assert readers.ferplus_majority(np.array([votes]))[0] == expected


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture
def small_fer2013(tmp_path: Path) -> Path:
    """Four pictures: a training one, one that leaks, one of the public test, one unclear."""
    folder = tmp_path / "fer2013"
    folder.mkdir()
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for row in range(4):
            archive.writestr(f"fer{row:07d}.png", png(np.full((48, 48), row, np.uint8)))
    votes = np.zeros((4, 10), np.uint8)
    votes[:3, 1] = 10
    votes[3, 8] = 10
    landmarks = np.repeat((MEAN_SHAPE * 38 + 24)[None], 4, axis=0).astype(np.float16)
    landmarks[0] = np.nan
    np.savez(
        folder / "labels.npz",
        row=np.arange(4, dtype=np.int32),
        usage=[0, 0, 1, 0],
        fer_label=[3, 3, 3, 3],
        ferplus_votes=votes,
        landmarks=landmarks,
        train_leak=[False, True, False, False],
    )
    return folder


def test_fer2013_reader_keeps_clear_training_pictures(small_fer2013: Path) -> None:
    samples = readers.fer2013(small_fer2013, second_opinion=0.1)
    assert len(samples) == 1
    assert samples.images[0][0, 0] == 0
    np.testing.assert_allclose(samples.emotions[0], np.eye(7)[1])
    assert np.isnan(samples.landmarks).all()
    assert samples.crops[0] is readers.FER_DEFAULT_CROP


def test_fer2013_test_part_is_whole(small_fer2013: Path) -> None:
    samples, majority, original = readers.fer2013_test(small_fer2013, "public_test")
    assert len(samples) == 1
    assert majority.tolist() == [1]
    assert original.tolist() == [1]


def test_a_folder_without_labels_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"should hold images\.zip and labels\.npz"):
        readers.muxspace(tmp_path)


def test_a_file_that_is_no_picture_is_named(small_fer2013: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("fer0000000.png", b"no picture")
    (small_fer2013 / "images.zip").write_bytes(content.getvalue())
    with pytest.raises(DataError, match=r"fer0000000\.png is not a picture"):
        readers.fer2013(small_fer2013)


def test_one_photograph_is_on_one_side_of_the_split() -> None:
    names = [f"afw_{i}" for i in range(500)]
    for name in names:
        assert readers.is_held_out(f"{name}_1.jpg") == readers.is_held_out(f"{name}_2.jpg")
    share = np.mean([readers.is_held_out(f"{name}_1.jpg") for name in names])
    assert 0.06 < share < 0.14


def test_draws_are_expected_counts() -> None:
    """Weights 2, 0.5 and 0: always twice, in half of the epochs, never."""
    image, points = dotted_face()
    samples = concatenate([samples_of(image, points) for _ in range(3)])
    samples.weights[:] = [2.0, 0.5, 0.0]
    counts = sum(
        np.bincount(samples.draw(np.random.default_rng(i)), minlength=3) for i in range(400)
    )
    assert counts[0] == 800
    assert 150 < counts[1] < 250
    assert counts[2] == 0
