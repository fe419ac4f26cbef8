"""Which cells are assigned to which face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.training.detector.targets import IGNORED, assign_targets, cell_grid

SIZE = 128
NO_POINTS = np.zeros((1, 5, 2))


def one(box: list[float], *, ignore: bool = False) -> dict[str, np.ndarray]:
    return assign_targets(np.array([box]), NO_POINTS, np.array([ignore]), SIZE)


def test_the_order_of_the_cells_is_that_of_the_network() -> None:
    torch = pytest.importorskip("torch", reason="networks need the train extra (torch)")
    from edan_ros.networks.face_detector import STRIDES, cells

    sides = [SIZE // s for s in STRIDES]
    np.testing.assert_array_equal(cells(sides, sides).numpy(), cell_grid(SIZE)[:, :3])
    assert torch.is_tensor(cells(sides, sides))


@given(
    x=st.floats(0, SIZE), y=st.floats(0, SIZE), width=st.floats(10, 200), ratio=st.floats(0.6, 1.6)
)
@settings(max_examples=200, deadline=None)
def test_every_face_has_a_cell_and_its_cells_are_near(x, y, width, ratio) -> None:
    """For faces of every size whose centre is inside the image."""
    height = width * ratio
    targets = one([x - width / 2, y - height / 2, width, height])
    assigned = targets["score"] == 1.0
    assert assigned.any()
    grid = cell_grid(SIZE)[assigned]
    assert (np.abs(grid[:, 0] - x) <= np.maximum(0.25 * width, grid[:, 2])).all()
    assert (np.abs(grid[:, 1] - y) <= np.maximum(0.25 * height, grid[:, 2])).all()
    np.testing.assert_allclose(targets["box"][assigned][0, 2:], [width, height], rtol=1e-5)


def test_strides_are_assigned_by_size() -> None:
    grid = cell_grid(SIZE)
    for size, strides in ((20, {8}), (40, {8, 16}), (60, {16}), (100, {16, 32}), (200, {32})):
        targets = one([64 - size / 2, 64 - size / 2, size, size])
        assert set(grid[targets["score"] == 1.0][:, 2]) == strides


def test_a_part_of_a_large_face_is_not_a_small_face() -> None:
    """Cells of fine strides are background inside faces far above their sizes, and ignored inside
    faces slightly above."""
    grid = cell_grid(SIZE)
    for size, ignored in ((100, False), (60, True)):
        targets = one([64 - size / 2, 64 - size / 2, size, size])
        middle = (grid[:, 2] == 8) & (np.abs(grid[:, :2] - 64).max(axis=1) < 0.3 * size)
        assert set(targets["score"][middle]) == {IGNORED if ignored else 0.0}


def test_cells_inside_an_ignored_face_are_not_background() -> None:
    targets = one([40, 40, 40, 40], ignore=True)
    assert set(targets["score"]) == {IGNORED, 0.0}
    grid = cell_grid(SIZE)[targets["score"] == IGNORED]
    assert ((grid[:, :2] >= 40) & (grid[:, :2] <= 80)).all()


def test_of_two_faces_the_nearer_middle_wins() -> None:
    boxes = np.array([[20.0, 20, 24, 24], [36.0, 20, 24, 24]])
    targets = assign_targets(boxes, np.zeros((2, 5, 2)), np.array([False, False]), SIZE)
    grid = cell_grid(SIZE)
    for index in np.flatnonzero(targets["score"] == 1.0):
        middles = boxes[:, 0] + 12
        assert targets["box"][index, 0] == boxes[np.abs(middles - grid[index, 0]).argmin(), 0]


def test_an_image_without_faces_has_no_targets() -> None:
    targets = assign_targets(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0, bool), SIZE)
    assert not targets["score"].any()
