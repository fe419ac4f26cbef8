"""Tests of the measurement of eyes, with the shipped weights and with a scripted network."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.core.boxes import Box
from edan_ros.core.eye_crops import EYE_SIZE
from edan_ros.core.eyes import EYE_QUALITIES
from edan_ros.core.faces import Face, HeadPose
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.core.images import Image
from edan_ros.core.inference import EyePrediction
from edan_ros.engines.eye_model import EyeModel
from edan_ros.pipeline.eyes import OpenEyes, measure_eyes

#: Rotation of a head that faces the camera: forward, left and up of the face in its columns.
FACING = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
#: Where a face of this size has its eyes in the middle of a VGA image.
MIDDLE = np.array([319.5, 239.5]) - 200.0 * MEAN_SHAPE[[36, 39, 42, 45]].mean(axis=0)
SEVENTH = np.full(7, 1 / 7)


class Scripted:
    """Returns given values for the right and the left eye, each as a right eye."""

    def __init__(self, openness=(0.8, 0.8), gaze=((0.0, 0.0), (0.0, 0.0)), quality=(0, 0)):
        self.prediction = EyePrediction(
            np.array(openness, np.float32),
            np.array(gaze, np.float32),
            np.eye(3, dtype=np.float32)[list(quality)],
        )
        self.head = None

    def infer(self, crops, head):
        assert crops.shape == (2, *EYE_SIZE)
        self.head = np.array(head)
        return self.prediction


def measure(engine, *, size=200.0, state=None, elapsed=0.0, center=MIDDLE, turn=FACING):
    """Return the eyes of an upright face."""
    landmarks = (MEAN_SHAPE * size + center).astype(np.float32)
    pose = None if turn is None else HeadPose(turn, np.array([0.0, 0.0, 0.6]))
    face = Face(1, Box.from_landmarks(landmarks), 0.99, landmarks, 0, "neutral", 0.9, SEVENTH,
                SEVENTH, 0, np.full(3, 1 / 3), 0.0, 0.0, head_pose=pose)  # fmt: skip
    image = Image(np.full((480, 640), 128, np.uint8), "mono")
    measure_eyes(image, [face], [state or OpenEyes()], elapsed, None, engine)
    return face.eyes


def test_gaze_to_the_persons_left_points_right_in_the_image():
    eyes = measure(Scripted(gaze=((0.3, 0.0), (-0.3, 0.0))))
    assert eyes.yaw == pytest.approx(0.3, abs=0.01)
    assert eyes.pitch == pytest.approx(0.0, abs=0.01)
    assert eyes.gaze == pytest.approx([math.sin(0.3), 0.0, -math.cos(0.3)], abs=0.01)


def test_gaze_upwards_points_up_in_the_image():
    eyes = measure(Scripted(gaze=((0.0, 0.2), (0.0, 0.2))))
    assert eyes.pitch == pytest.approx(0.2, abs=0.01)
    assert eyes.gaze[1] < -0.15


def test_gaze_at_the_camera_of_a_turned_head_is_turned_back_in_the_head():
    c, s = math.cos(0.4), math.sin(0.4)
    engine = Scripted()
    eyes = measure(engine, turn=FACING @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]))
    assert engine.head == pytest.approx(np.array([[0.4, 0.0], [-0.4, 0.0]]), abs=0.01)
    assert eyes.yaw == pytest.approx(-0.4, abs=0.01)


def test_openness_is_relative_to_the_persons_open_eyes():
    state = OpenEyes()
    for _ in range(300):
        measure(Scripted(openness=(0.65, 0.95)), state=state, elapsed=0.2)
    eyes = measure(Scripted(openness=(0.325, 0.475)), state=state)
    assert eyes.openness == pytest.approx([0.5, 0.5], abs=0.02)


def test_closed_eyes_do_not_become_open_ones():
    state = OpenEyes()
    for _ in range(200):
        eyes = measure(Scripted(openness=(0.05, 0.3)), state=state, elapsed=5.0)
    assert eyes.openness[0] < 0.1
    assert eyes.openness[1] < 0.4
    assert eyes.quality == EYE_QUALITIES.index("visible")


def test_closed_eyes_have_no_gaze():
    eyes = measure(Scripted(openness=(0.05, 0.05)))
    assert eyes.gaze is None
    assert math.isnan(eyes.yaw)


def test_a_hidden_eye_has_no_openness_and_the_other_one_gives_the_gaze():
    eyes = measure(Scripted(gaze=((0.2, 0.0), (0.9, 0.0)), quality=(0, 2)))
    assert eyes.openness[0] == 1.0
    assert math.isnan(eyes.openness[1])
    assert eyes.yaw == pytest.approx(0.2, abs=0.01)
    assert eyes.quality == EYE_QUALITIES.index("visible")


@pytest.mark.parametrize(("quality", "name"), [(1, "glasses_glare"), (2, "occluded")])
def test_eyes_that_cannot_be_measured_have_the_reason(quality, name):
    eyes = measure(Scripted(quality=(quality, quality)))
    assert eyes.quality == EYE_QUALITIES.index(name)
    assert np.isnan(eyes.openness).all()
    assert eyes.gaze is None


def test_small_eyes_are_too_small():
    eyes = measure(Scripted(), size=30.0)
    assert eyes.quality == EYE_QUALITIES.index("too_small")
    assert np.isnan(eyes.openness).all()


def test_a_face_without_a_pose_has_openness_and_no_gaze():
    eyes = measure(Scripted(), turn=None)
    assert eyes.openness == pytest.approx([1.0, 1.0])
    assert eyes.gaze is None


@given(
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2),
    st.lists(st.integers(0, 2), min_size=2, max_size=2),
    st.lists(st.floats(-1.4, 1.4), min_size=4, max_size=4),
    st.floats(0.0, 100.0),
)
def test_values_are_in_range_and_present_where_measured(openness, quality, angles, elapsed):
    engine = Scripted(openness, (angles[:2], angles[2:]), quality)
    eyes = measure(engine, elapsed=elapsed)
    for value, kind in zip(eyes.openness, quality, strict=True):
        assert 0.0 <= value <= 1.0 if kind == 0 else math.isnan(value)
    if eyes.gaze is not None:
        assert np.linalg.norm(eyes.gaze) == pytest.approx(1.0)
        assert abs(eyes.yaw) <= math.pi
        assert abs(eyes.pitch) <= math.pi / 2


@pytest.fixture(scope="module")
def model():
    return EyeModel()


def test_any_pixels_give_finite_values_in_range(model):
    crops = np.random.default_rng(0).integers(0, 256, (64, *EYE_SIZE), np.uint8)
    crops[:2] = 0
    crops[2:4] = 255
    found = model.infer(crops, np.zeros((64, 2)))
    assert all(np.isfinite(values).all() for values in found)
    assert ((found.openness >= 0.0) & (found.openness <= 1.0)).all()
