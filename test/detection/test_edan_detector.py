"""The package's own detector with a fake network: its input, and selection among its outputs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.core.boxes import Box
from edan_ros.core.images import Image
from edan_ros.detection.edan_detector import (
    INPUT_MULTIPLE,
    PADDING_LEVEL,
    CellPredictions,
    EdanDetector,
    select_cells,
)

UPRIGHT_POINTS = [[10, 20], [30, 20], [20, 30], [12, 40], [28, 40]]


def cells(scores: list[float], boxes: list[list[float]]) -> CellPredictions:
    points = np.array([UPRIGHT_POINTS] * len(scores), np.float32).reshape(-1, 5, 2)
    return CellPredictions(
        np.array(scores, np.float32), np.array(boxes, np.float32).reshape(-1, 4), points
    )


class FakeModel:
    """Return the same predictions for every image and keep the last image."""

    def __init__(self, outputs: CellPredictions) -> None:
        self.outputs = outputs
        self.image = np.empty((0, 0), np.uint8)

    def __call__(self, gray: np.ndarray) -> CellPredictions:
        self.image = gray
        return self.outputs


def detector(fake: FakeModel, *, threshold: float = 0.5, max_side: int = 640) -> EdanDetector:
    return EdanDetector(fake, threshold, 8.0, max_side)


@given(width=st.integers(8, 200), height=st.integers(8, 200))
@settings(max_examples=50, deadline=None)
def test_images_are_padded_to_multiples_of_32(width: int, height: int) -> None:
    fake = FakeModel(cells([], []))
    pixels = np.full((height, width), 77, np.uint8)
    assert detector(fake).detect(Image(pixels, "mono")) == []
    assert fake.image.shape[0] % INPUT_MULTIPLE == fake.image.shape[1] % INPUT_MULTIPLE == 0
    assert fake.image.shape[0] - height < INPUT_MULTIPLE
    assert fake.image.shape[1] - width < INPUT_MULTIPLE
    assert (fake.image[:height, :width] == 77).all()
    assert (fake.image[height:] == PADDING_LEVEL).all()
    assert (fake.image[:, width:] == PADDING_LEVEL).all()


def test_of_overlapping_boxes_the_best_is_kept() -> None:
    boxes = [[0, 0, 40, 40], [2, 2, 40, 40], [100, 0, 40, 40], [200, 0, 40, 40]]
    assert select_cells(cells([0.7, 0.9, 0.8, 0.4], boxes), 0.5) == [1, 2]
    assert select_cells(cells([0.1], [[0, 0, 9, 9]]), 0.5) == []


def test_of_a_face_and_a_part_of_it_the_better_is_kept() -> None:
    whole, mouth, beside = [0, 0, 80, 80], [20, 40, 32, 32], [64, 40, 32, 32]
    boxes = [whole, mouth, beside]
    assert select_cells(cells([0.9, 0.8, 0.7], boxes), 0.5) == [0, 2]
    assert select_cells(cells([0.8, 0.9, 0.7], boxes), 0.5) == [1, 2]


def test_detections_in_a_shrunk_copy_are_in_pixels_of_the_image() -> None:
    """An image of 200 x 100 is searched at 100 x 50: twice the size, pixel centres at integers."""
    fake = FakeModel(cells([0.9], [[5, 10, 30, 35]]))
    found = detector(fake, max_side=100).detect(Image(np.zeros((100, 200, 3), np.uint8), "bgr"))
    assert fake.image.shape == (64, 128)
    assert found[0].box == Box(10.5, 20.5, 60, 70)
    assert found[0].score == pytest.approx(0.9)
    assert found[0].points is not None
    np.testing.assert_allclose(found[0].points[0], [20.5, 40.5])
    assert found[0].roll == 0.0


def test_roll_is_the_angle_of_the_line_between_the_eyes() -> None:
    outputs = cells([0.9], [[0, 0, 40, 40]])
    outputs.points[0, 1] = [30, 40]
    found = detector(FakeModel(outputs)).detect(Image(np.zeros((64, 64), np.uint8), "mono"))
    assert found[0].roll == pytest.approx(math.pi / 4)


def test_faces_below_the_minimum_size_are_dropped() -> None:
    fake = FakeModel(cells([0.9, 0.8], [[0, 0, 5, 5], [20, 20, 12, 12]]))
    found = detector(fake).detect(Image(np.zeros((64, 64), np.uint8), "mono"))
    assert [d.box.width for d in found] == [12]


def test_an_image_smaller_than_the_minimum_face_is_skipped() -> None:
    fake = FakeModel(cells([0.9], [[0, 0, 40, 40]]))
    assert detector(fake).detect(Image(np.zeros((4, 64), np.uint8), "mono")) == []
    assert fake.image.size == 0
