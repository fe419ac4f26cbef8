"""Boxes: overlap by hand and against its definition, suppression, clipping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edan_ros.core.boxes import (
    Box,
    areas,
    bounding_boxes,
    intersections,
    non_maximum_suppression,
    suppress,
)

coordinates = st.floats(-500, 500)
box = st.builds(Box, coordinates, coordinates, st.floats(0, 300), st.floats(0, 300))


def array_of(boxes: list[Box]) -> np.ndarray:
    return np.array([(b.x, b.y, b.width, b.height) for b in boxes], float).reshape(-1, 4)


@pytest.mark.parametrize(
    ("other", "shared", "iou"),
    [
        (Box(0, 0, 10, 10), 100, 1.0),
        (Box(5, 0, 10, 10), 50, 50 / 150),
        (Box(2, 3, 4, 5), 20, 0.2),
        (Box(10, 0, 10, 10), 0, 0.0),
        (Box(20, 20, 5, 5), 0, 0.0),
        (Box(2, 2, 0, 5), 0, 0.0),
    ],
)
def test_overlap_by_hand(other: Box, shared: float, iou: float) -> None:
    first = Box(0, 0, 10, 10)
    assert first.intersection(other) == other.intersection(first) == pytest.approx(shared)
    assert first.iou(other) == other.iou(first) == pytest.approx(iou)


@given(st.lists(box, max_size=5), st.lists(box, max_size=5))
def test_arrays_agree_with_single_boxes(first: list[Box], second: list[Box]) -> None:
    a, b = array_of(first), array_of(second)
    shape = len(first), len(second)
    expected = np.reshape([[p.intersection(q) for q in second] for p in first], shape)
    np.testing.assert_allclose(intersections(a, b), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(areas(a), [p.area for p in first])


@example(Box(1.0, 0.0, 1e-05, 1.0), Box(1.0, 0.0, 1e-05, 1.0))
@given(box, box)
def test_iou_is_a_share_of_the_union(first: Box, second: Box) -> None:
    assert 0.0 <= first.iou(second) <= 1.0
    assert first.intersection(second) <= min(first.area, second.area) * (1 + 1e-9) + 1e-9


near = st.floats(0, 60)
overlapping = st.builds(Box, near, near, st.floats(10, 80), st.floats(10, 80))


@given(st.lists(st.tuples(overlapping, st.floats(0.1, 1.0)), max_size=6), st.floats(0.1, 0.9))
def test_non_maximum_suppression_keeps_the_best(found, max_iou: float) -> None:
    """A box is kept exactly if it overlaps no better one that is kept."""
    # Scores in single precision, as detectors give them: closer ones are ties.
    boxes = [each for each, _ in found]
    scores = np.array([score for _, score in found], np.float32)
    kept = non_maximum_suppression(array_of(boxes), scores, max_iou).tolist()
    assert [scores[i] for i in kept] == sorted(scores[kept], reverse=True)
    for i, each in enumerate(boxes):
        better = kept[: kept.index(i)] if i in kept else kept
        largest = max((each.iou(boxes[k]) for k in better), default=0.0)
        assert largest <= max_iou + 1e-6 if i in kept else largest > max_iou - 1e-6


@given(arrays(np.bool_, (6, 6)))
def test_suppression_keeps_the_best_of_each_conflict(conflicts: np.ndarray) -> None:
    conflicts = conflicts | conflicts.T
    np.fill_diagonal(conflicts, True)
    kept = suppress(conflicts)
    assert all(not conflicts[i, j] for i in kept for j in kept if i != j)
    for i in set(range(6)) - set(kept):
        assert any(conflicts[i, j] for j in kept if j < i)


@given(box)
def test_clipping_keeps_the_part_inside_the_image(whole: Box) -> None:
    inside = whole.clipped(100, 80)
    image = Box(0, 0, 100, 80)
    assert inside.area == pytest.approx(whole.intersection(image), abs=1e-6)
    assert inside.clipped(100, 80) == inside


def test_a_bounding_box_is_tight() -> None:
    points = np.array([[[3.0, 9.0], [1.0, 4.0], [7.0, 5.0]]])
    np.testing.assert_array_equal(bounding_boxes(points), [[1, 4, 6, 5]])
    tight = Box.from_landmarks(points[0])
    assert tight == Box(1, 4, 6, 5)
    assert (tight.center, tight.size) == ((4, 6.5), 5.5)
