"""Heads rotated by a generic depth: angles, landmarks, and what becomes visible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.evaluation.distortions import asymmetry
from edan_ros.evaluation.head_rotation import head_angles, rotate_head

FACE = MEAN_SHAPE * 80 + (160.0, 150.0)
NOISE = np.random.default_rng(0).integers(0, 256, (300, 320), dtype=np.uint8)


def dots(*landmarks: int) -> np.ndarray:
    """A dark image with a bright disc at some landmarks of FACE."""
    y, x = np.mgrid[:300, :320]
    near = [np.hypot(x - FACE[i, 0], y - FACE[i, 1]) < 4 for i in landmarks]
    return np.where(np.any(near, axis=0), 255, 0).astype(np.uint8)


@given(yaw=st.floats(-60, 60), pitch=st.floats(-40, 40), roll=st.floats(-0.7, 0.7))
@settings(max_examples=10, deadline=None)
def test_the_landmarks_have_the_angles_asked_for(yaw: float, pitch: float, roll: float) -> None:
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    rolled = (FACE - FACE.mean(axis=0)) @ turn + FACE.mean(axis=0)
    before = head_angles(rolled)
    angles = head_angles(rotate_head(NOISE, rolled, yaw, pitch)[1])
    assert angles.yaw == pytest.approx(yaw, abs=1.5)
    assert angles.pitch == pytest.approx(pitch, abs=1.5)
    assert angles.roll == pytest.approx(before.roll, abs=1.5)
    assert before.roll == pytest.approx(np.degrees(roll), abs=1.0)


def test_the_image_moves_with_the_landmarks() -> None:
    """A disc on the tip of the nose, on an eye, on the chin stays there."""
    for landmark in (30, 45, 8):
        for yaw, pitch in ((35.0, 0.0), (-20.0, 25.0)):
            image, landmarks = rotate_head(dots(landmark), FACE, yaw, pitch)
            y, x = np.nonzero(image > 128)
            middle = np.array([x.mean(), y.mean()])
            assert np.hypot(*(middle - landmarks[landmark])) < 4.0, (landmark, yaw, pitch)


def test_the_nose_hides_the_far_side_of_a_turned_face() -> None:
    """The eye on the side to which the head turns shrinks; in profile the nose covers it."""
    far = [int((rotate_head(dots(45), FACE, yaw, 0.0)[0] > 128).sum()) for yaw in (0, 40, 75)]
    near = [int((rotate_head(dots(36), FACE, yaw, 0.0)[0] > 128).sum()) for yaw in (0, 40, 75)]
    assert far[0] > far[1] > far[2]
    assert near[1] > 1.5 * far[1]


def test_a_turn_to_the_right_moves_the_nose_to_the_right() -> None:
    turned = rotate_head(NOISE, FACE, 40.0, 0.0)[1]
    assert turned[30, 0] - turned[[36, 45], 0].mean() > 10
    assert asymmetry(turned) > 0.5 > asymmetry(FACE)
    bowed = rotate_head(NOISE, FACE, 0.0, 30.0)[1]
    assert bowed[30, 1] - bowed[[36, 45], 1].mean() > FACE[30, 1] - FACE[[36, 45], 1].mean()


def test_a_head_at_its_own_angles_and_the_far_background_stay() -> None:
    angles = head_angles(FACE)
    landmarks = rotate_head(NOISE, FACE, angles.yaw, angles.pitch)[1]
    np.testing.assert_allclose(landmarks, FACE, atol=1e-3)
    smooth = np.tile(np.linspace(0, 255, 320), (300, 1)).astype(np.uint8)
    still = rotate_head(smooth, FACE, angles.yaw, angles.pitch)[0]
    assert np.abs(still.astype(int) - smooth).max() <= 3
    wide = np.random.default_rng(1).integers(0, 256, (300, 800, 3), dtype=np.uint8)
    turned = rotate_head(wide, FACE, 50.0, 0.0)[0]
    assert turned.shape == wide.shape
    np.testing.assert_array_equal(turned[:, 160 + 200 :], wide[:, 160 + 200 :])
