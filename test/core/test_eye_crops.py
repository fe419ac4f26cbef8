"""Tests of the crops of the eyes and of the frames of their gaze."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.core.eye_crops import (
    CORNER_DISTANCE,
    EYE_SIZE,
    EyePlaces,
    angles_of,
    extract_eyes,
    vector_of,
    view_frames,
)
from edan_ros.core.geometry import MEAN_SHAPE, MIRROR_PERMUTATION
from edan_ros.core.head_pose import assumed_camera
from edan_ros.core.images import Image


def _landmarks(size: float = 200.0, roll: float = 0.0, center=(320.0, 240.0)) -> np.ndarray:
    c, s = math.cos(roll), math.sin(roll)
    return MEAN_SHAPE @ np.array([[c, s], [-s, c]]) * size + center


@given(st.floats(-3.1, 3.1), st.floats(40.0, 400.0))
def test_corners_lie_on_the_middle_row_of_upright_crops(roll, size):
    places = EyePlaces.from_landmarks(_landmarks(size, roll)[None])
    maps = places.matrices()[0]
    for eye, (outer, inner) in enumerate([(36, 39), (45, 42)]):
        points = _landmarks(size, roll)[[outer, inner]] @ maps[eye, :, :2].T + maps[eye, :, 2]
        assert points.mean(axis=0) == pytest.approx([23.5, 15.5], abs=1e-6)
        assert points[1, 0] - points[0, 0] == pytest.approx(CORNER_DISTANCE, rel=0.03)
        assert abs(points[1, 1] - points[0, 1]) < 4.0


def test_crops_of_a_mirrored_face_are_the_crops_of_the_other_eyes():
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (60, 80), np.uint8)
    pixels = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)
    points = _landmarks(roll=0.3)
    mirrored = points[MIRROR_PERMUTATION] * [-1.0, 1.0] + [639.0, 0.0]
    right, left = extract_eyes(Image(pixels, "mono"), EyePlaces.from_landmarks(points[None]))[0]
    other = np.ascontiguousarray(pixels[:, ::-1])
    places = EyePlaces.from_landmarks(mirrored[None])
    assert right.shape == EYE_SIZE
    for one, two in zip((left, right), extract_eyes(Image(other, "mono"), places)[0], strict=True):
        assert np.abs(one.astype(int) - two).max() <= 3


@pytest.mark.parametrize("center", [(-300.0, -300.0), (5.0, 5.0), (2000.0, 100.0)])
def test_eyes_outside_the_image_repeat_its_border(center):
    image = Image(np.full((480, 640, 3), 77, np.uint8), "bgr")
    places = EyePlaces.from_landmarks(_landmarks(center=center)[None])
    assert np.abs(extract_eyes(image, places).astype(int) - 77).max() <= 1


def test_large_eyes_are_averaged_not_sampled():
    stripes = np.zeros((2000, 2000), np.uint8)
    stripes[:, ::2] = 255
    places = EyePlaces.from_landmarks(_landmarks(1600.0, center=(1000.0, 1000.0))[None])
    crops = extract_eyes(Image(stripes, "mono"), places)
    assert crops.astype(float).std() < 20.0


@given(st.floats(-0.9, 0.9), st.floats(-3.1, 3.1), st.floats(50.0, 590.0))
def test_view_frames_are_rotations_that_face_the_camera(y, roll, x):
    places = EyePlaces.from_landmarks(_landmarks(60.0, roll, (x, 240.0 + 200.0 * y))[None])
    frame = view_frames(places, assumed_camera(640, 480))[0]
    assert frame @ frame.T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(frame) == pytest.approx(1.0)
    assert frame[0, 2] < 0.0


def test_left_is_right_in_the_image_of_an_upright_face_and_up_is_up():
    frame = view_frames(EyePlaces.from_landmarks(_landmarks()[None]), assumed_camera(640, 480))[0]
    assert frame[1, 0] > 0.99
    assert frame[2, 1] < -0.99


@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_angles_and_vectors_are_inverse(yaw, pitch):
    assert angles_of(vector_of(yaw, pitch)) == pytest.approx((yaw, pitch), abs=1e-9)
