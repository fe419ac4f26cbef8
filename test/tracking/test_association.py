"""Costs of pairs by hand, their symmetries, and the assignment of least total cost."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from edan_ros.core.crops import Crop
from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE
from edan_ros.tracking.association import (
    SHAPE_COST,
    SHAPE_LIMIT,
    assign,
    overlap_costs,
    shape_costs,
    shapes_of,
    squares_of,
)

squares = st.tuples(st.floats(-500, 500), st.floats(-500, 500), st.floats(5, 300)).map(np.array)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0, 0, 10], 0.0),
        ([5, 0, 10], 1 - 50 / 150),  # shifted by half a face: no hull beyond the union
        ([10, 0, 10], 1.0),
        ([20, 0, 10], 1 + 100 / 300),  # a face between them
        ([0, 0, 5], 1 - 0.25 + math.log(2)),
    ],
)
def test_overlap_costs_by_hand(other: list[float], expected: float) -> None:
    cost = overlap_costs(np.array([0.0, 0.0, 10.0]), np.array(other, float))
    assert cost == pytest.approx(expected)


@given(squares, squares, st.floats(-300, 300), st.floats(0.2, 5.0))
def test_overlap_costs_are_symmetric_and_scale_invariant(a, b, shift, scale) -> None:
    cost = float(overlap_costs(a, b))
    assert cost >= -1e-9
    assert float(overlap_costs(b, a)) == pytest.approx(cost, abs=1e-6)
    moved = [(p + np.array([shift, -shift, 0.0])) * scale for p in (a, b)]
    assert float(overlap_costs(*moved)) == pytest.approx(cost, abs=1e-6)


@given(st.floats(10, 200), st.floats(-1.0, 1.0), st.floats(-300, 300))
def test_shapes_do_not_depend_on_position_size_and_roll(size: float, roll: float, x: float) -> None:
    c, s = math.cos(roll), math.sin(roll)
    landmarks = size * MEAN_SHAPE @ np.array([[c, s], [-s, c]]) + (x, 50)
    crop = Crop.from_landmarks(landmarks)
    (shape,) = shapes_of(landmarks[None], [crop])
    np.testing.assert_allclose(shape, MEAN_SHAPE / CROP_SCALE, atol=1e-6)
    np.testing.assert_allclose(squares_of([crop])[0, 2], size, rtol=1e-6)


def test_shape_costs_by_hand() -> None:
    shape = MEAN_SHAPE / CROP_SCALE
    moved = shape + np.array([0.01, 0.0])
    costs = shape_costs([shape], [shape, moved, shape + 1.0])
    np.testing.assert_allclose(costs, [[0.0, SHAPE_COST * 0.01, SHAPE_LIMIT]], atol=1e-6)


@given(st.data(), st.integers(0, 4), st.integers(0, 4))
def test_pairs_are_admissible_and_no_other_assignment_costs_less(
    data, rows: int, columns: int
) -> None:
    costs = data.draw(arrays(float, (rows, columns), elements=st.floats(0, 3)))
    admissible = data.draw(arrays(bool, (rows, columns)))
    pairs = assign(costs, admissible)
    assert all(admissible[i, j] for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    best = math.inf
    for count in range(min(rows, columns), -1, -1):  # as many pairs as possible come first
        for some in itertools.combinations(range(rows), count):
            for others in itertools.permutations(range(columns), count):
                chosen = list(zip(some, others, strict=True))
                if all(admissible[i, j] for i, j in chosen):
                    best = min(best, sum(costs[i, j] for i, j in chosen))
        if best < math.inf:
            assert len(pairs) == count
            break
    assert sum(costs[i, j] for i, j in pairs) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(1, 9), (12, 12), (16, 7), (7, 40)])
def test_assignments_of_crowds_equal_those_of_scipy(rows: int, columns: int) -> None:
    costs = np.random.default_rng(rows).random((rows, columns))
    expected = list(
        zip(*(indices.tolist() for indices in linear_sum_assignment(costs)), strict=True)
    )
    assert assign(costs, np.ones_like(costs, bool)) == expected
