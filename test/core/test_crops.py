"""Crops: exact geometry, agreement of landmarks and detections, sampling of known images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop, extract, five_points
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE
from edan_ros.core.images import Image


def rotation(roll: float) -> np.ndarray:
    """Return (2, 2) that rotates row vectors by roll, clockwise on the screen."""
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, s], [-s, c]])


def ramp(width: int, height: int) -> np.ndarray:
    """Return an image with grey = x / 4 + y / 8: bilinear sampling is exact up to rounding."""
    y, x = np.mgrid[:height, :width]
    return (x / 4 + y / 8).astype(np.uint8)


def ramp_at(points: np.ndarray) -> np.ndarray:
    return points[:, 0] / 4 + points[:, 1] / 8


crops = st.builds(
    lambda x, y, side, roll: Crop(np.array([x, y]), side, roll),
    st.floats(-100, 1000),
    st.floats(-100, 1000),
    st.floats(2, 1000),
    st.floats(-3.1, 3.1),
)


@given(crops, st.sampled_from([32, 64, 112]))
def test_matrix_and_point_maps_agree_and_invert(crop: Crop, size: int) -> None:
    points = np.array([[0.0, 0.0], [13.0, 7.0], [-5.0, 90.0]])
    there = crop.to_crop(points, size)
    matrix = crop.matrix(size)
    assert np.allclose(points @ matrix[:, :2].T + matrix[:, 2], there, atol=1e-6)
    assert np.allclose(crop.to_image(there, size), points, atol=1e-6)


@given(crops, st.sampled_from([32, 64]))
def test_square_covers_the_crop_pixels(crop: Crop, size: int) -> None:
    low, high = -0.5, size - 0.5
    expected = [[low, low], [high, low], [high, high], [low, high]]
    assert np.allclose(crop.to_crop(crop.corners(), size), expected, atol=1e-6)


@given(st.floats(-3.1, 3.1), st.floats(5, 500), st.floats(-50, 900), st.floats(-50, 900))
def test_the_mean_face_gives_scale_position_and_roll(roll: float, scale: float, x: float, y: float):
    landmarks = scale * MEAN_SHAPE @ rotation(roll) + (x, y)
    crop = Crop.from_landmarks(landmarks)
    assert np.allclose(crop.center, (x, y), atol=1e-6)
    assert crop.side == pytest.approx(CROP_SCALE * scale)
    assert crop.roll == pytest.approx(roll, abs=1e-6)


@given(st.floats(-1.2, 1.2), st.floats(5, 500), st.booleans())
def test_a_detection_of_the_mean_face_gives_the_same_crop(
    roll: float, scale: float, with_points: bool
) -> None:
    landmarks = scale * MEAN_SHAPE @ rotation(roll) + (40.0, -7.0)
    points = five_points(landmarks) if with_points else None
    a = Crop.from_landmarks(landmarks)
    b = Detection(Box.from_landmarks(landmarks), 1.0, roll, points).crop()
    assert np.allclose(a.center, b.center, atol=1e-6)
    assert a.side == pytest.approx(b.side)
    assert a.roll == pytest.approx(b.roll)


def test_positive_roll_is_clockwise_on_the_screen() -> None:
    """A face whose right-hand side (image x) points down has a roll of +90 degrees."""
    landmarks = np.column_stack([-MEAN_SHAPE[:, 1], MEAN_SHAPE[:, 0]])
    assert Crop.from_landmarks(landmarks).roll == pytest.approx(np.pi / 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_landmarks_that_are_not_finite_are_rejected(value: float) -> None:
    landmarks = MEAN_SHAPE.copy()
    landmarks[3, 1] = value
    with pytest.raises(ValueError, match="finite"):
        Crop.from_landmarks(landmarks)


def test_coinciding_landmarks_and_empty_boxes_are_rejected() -> None:
    with pytest.raises(ValueError, match="coincide"):
        Crop.from_landmarks(np.ones((68, 2)))
    with pytest.raises(ValueError, match="box of 0"):
        Crop.from_box(Box(1, 2, 0, 0))


@pytest.mark.parametrize("side", [30.0, 64.0, 100.0, 129.0, 200.0, 330.0])
@pytest.mark.parametrize("roll", [0.0, 0.4, -1.0])
def test_extract_samples_the_right_positions(side: float, roll: float) -> None:
    """On a linear ramp every scale, with averaging or not, gives the ramp's value."""
    image = Image(ramp(600, 500), "mono")
    crop = Crop(np.array([303.3, 251.7]), side, roll)
    out = extract(image, [crop], 64)
    assert out.shape == (1, 1, 64, 64)
    assert out.dtype == np.float32
    y, x = np.mgrid[:64, :64]
    positions = crop.to_image(np.column_stack([x.ravel(), y.ravel()]), 64)
    # The ramp itself is rounded down (mean 0.44 lost), and each stage rounds to whole greys.
    difference = out[0, 0].ravel() - (ramp_at(positions) - 0.44)
    assert abs(difference.mean()) < 0.3
    assert np.abs(difference).max() < 1.5


@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_a_shrunk_image_gives_the_same_positions(reduction: int) -> None:
    """The ramp, averaged over blocks of pixels like a shrunk JPEG, at the same crop."""
    height, width = 496, 600
    blocks = ramp(width, height).reshape(height // reduction, reduction, -1, reduction)
    small = np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)
    image = Image(small, "mono", None, reduction, (width, height))
    assert (image.width, image.height) == (width, height)
    for crop in (
        Crop(np.array([303.3, 251.7]), 200.0, 0.4),
        Crop(np.array([290.0, 260.0]), 90.0, 0.0),
    ):
        out = extract(image, [crop], 64)
        y, x = np.mgrid[:64, :64]
        positions = crop.to_image(np.column_stack([x.ravel(), y.ravel()]), 64)
        difference = out[0, 0].ravel() - (ramp_at(positions) - 0.44)
        assert abs(difference.mean()) < 0.3
        assert np.abs(difference).max() < 1.5


def test_extract_averages_instead_of_skipping_pixels() -> None:
    """A checkerboard of single pixels shrunk five-fold is grey, not a moire of black and white."""
    board = (np.indices((400, 400)).sum(axis=0) % 2 * 255).astype(np.uint8)
    out = extract(Image(board, "mono"), [Crop(np.array([200.0, 200.0]), 320.0, 0.1)], 64)
    assert np.abs(out - 127.5).max() < 12


def test_extract_repeats_the_border_outside_the_image() -> None:
    pixels = np.full((40, 40), 10, np.uint8)
    pixels[:, -1] = 200
    image = Image(pixels, "mono")
    out = extract(image, [Crop(np.array([500.0, 20.0]), 30.0, 0.2)], 32)
    assert np.all(out == 200)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_extract_from_tiny_images(shape: tuple[int, int]) -> None:
    image = Image(np.full(shape, 77, np.uint8), "mono")
    out = extract(image, [Crop(np.array([0.0, 0.0]), 500.0, 0.3)], 64)
    assert np.all(out == 77)


def test_extract_of_colour_equals_extract_of_grey() -> None:
    rng = np.random.default_rng(0)
    bgr = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    image = Image(bgr, "bgr")
    crops_ = [Crop(np.array([80.0, 60.0]), 90.0, 0.3), Crop(np.array([5.0, 5.0]), 40.0, -0.3)]
    gray = Image(image.gray(), "mono")
    assert np.array_equal(extract(image, crops_, 64), extract(gray, crops_, 64))
    swapped = Image(np.ascontiguousarray(bgr[..., ::-1]), "rgb")
    assert np.abs(extract(swapped, crops_, 64) - extract(gray, crops_, 64)).max() <= 1


def test_extract_of_no_crops_is_an_empty_batch() -> None:
    assert extract(Image(np.zeros((4, 4), np.uint8), "mono"), [], 64).shape == (0, 1, 64, 64)
