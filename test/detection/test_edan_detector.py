"""The package's own detector without its network: what goes in, what is made of the answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.core.boxes import Box
from edan_ros.core.images import Image
from edan_ros.detection.edan_detector import MULTIPLE, NOTHING, Answers, OwnDetector, suppress

LEVEL_POINTS = [[10, 20], [30, 20], [20, 30], [12, 40], [28, 40]]


def answers(scores: list[float], boxes: list[list[float]]) -> Answers:
    points = np.array([LEVEL_POINTS] * len(scores), np.float32).reshape(-1, 5, 2)
    return Answers(np.array(scores, np.float32), np.array(boxes, np.float32).reshape(-1, 4), points)


class Fake:
    """Gives the same answers always and keeps what it was shown."""

    def __init__(self, given: Answers) -> None:
        self.given = given
        self.shown = np.empty((0, 0), np.uint8)

    def __call__(self, gray: np.ndarray) -> Answers:
        self.shown = gray
        return self.given


def detector(fake: Fake, *, threshold: float = 0.5, max_side: int = 640) -> OwnDetector:
    return OwnDetector(fake, threshold, 8.0, max_side)


@given(width=st.integers(8, 200), height=st.integers(8, 200))
@settings(max_examples=50, deadline=None)
def test_the_network_is_shown_whole_multiples(width: int, height: int) -> None:
    fake = Fake(answers([], []))
    pixels = np.full((height, width), 77, np.uint8)
    assert detector(fake).detect(Image(pixels, "mono")) == []
    assert fake.shown.shape[0] % MULTIPLE == fake.shown.shape[1] % MULTIPLE == 0
    assert fake.shown.shape[0] - height < MULTIPLE
    assert fake.shown.shape[1] - width < MULTIPLE
    assert (fake.shown[:height, :width] == 77).all()
    assert (fake.shown[height:] == NOTHING).all()
    assert (fake.shown[:, width:] == NOTHING).all()


def test_of_overlapping_boxes_the_best_is_left() -> None:
    boxes = [[0, 0, 40, 40], [2, 2, 40, 40], [100, 0, 40, 40], [200, 0, 40, 40]]
    assert suppress(answers([0.7, 0.9, 0.8, 0.4], boxes), 0.5) == [1, 2]
    assert suppress(answers([0.1], [[0, 0, 9, 9]]), 0.5) == []


def test_of_a_face_and_a_part_of_it_the_better_is_left() -> None:
    whole, mouth, beside = [0, 0, 80, 80], [20, 40, 32, 32], [64, 40, 32, 32]
    boxes = [whole, mouth, beside]
    assert suppress(answers([0.9, 0.8, 0.7], boxes), 0.5) == [0, 2]
    assert suppress(answers([0.8, 0.9, 0.7], boxes), 0.5) == [1, 2]


def test_found_in_a_reduced_copy_and_told_in_pixels_of_the_image() -> None:
    """An image of 200 x 100 searched at 100 x 50: twice the size, pixel centres at integers."""
    fake = Fake(answers([0.9], [[5, 10, 30, 35]]))
    found = detector(fake, max_side=100).detect(Image(np.zeros((100, 200, 3), np.uint8), "bgr"))
    assert fake.shown.shape == (64, 128)
    assert found[0].box == Box(10.5, 20.5, 60, 70)
    assert found[0].score == pytest.approx(0.9)
    assert found[0].points is not None
    np.testing.assert_allclose(found[0].points[0], [20.5, 40.5])
    assert found[0].roll == 0.0


def test_roll_is_that_of_the_eyes() -> None:
    given = answers([0.9], [[0, 0, 40, 40]])
    given.points[0, 1] = [30, 40]
    found = detector(Fake(given)).detect(Image(np.zeros((64, 64), np.uint8), "mono"))
    assert found[0].roll == pytest.approx(math.pi / 4)


def test_faces_below_the_smallest_are_left_out() -> None:
    fake = Fake(answers([0.9, 0.8], [[0, 0, 5, 5], [20, 20, 12, 12]]))
    found = detector(fake).detect(Image(np.zeros((64, 64), np.uint8), "mono"))
    assert [d.box.width for d in found] == [12]


def test_an_image_smaller_than_the_smallest_face_is_not_searched() -> None:
    fake = Fake(answers([0.9], [[0, 0, 40, 40]]))
    assert detector(fake).detect(Image(np.zeros((4, 64), np.uint8), "mono")) == []
    assert fake.shown.size == 0
