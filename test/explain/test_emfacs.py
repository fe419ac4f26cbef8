"""EMFACS landmarks: consistency with the action units of core, and the overlap of rankings."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.core.action_units import EMFACS
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import MIRROR_PERMUTATION
from edan_ros.explain.emfacs import (
    LANDMARK_SETS,
    UNIT_LANDMARKS,
    UNITS,
    overlap,
    overlap_chance,
)


def test_every_emotion_but_neutral_has_landmarks() -> None:
    assert set(UNITS) == set(EMOTIONS) - {"neutral"}
    assert all(0 < len(points) < 68 for points in LANDMARK_SETS.values())


def test_units_include_those_that_core_estimates() -> None:
    for emotion, names in EMFACS.items():
        assert names <= {f"AU{unit}" for unit in UNITS[emotion]}


@pytest.mark.parametrize("unit", UNIT_LANDMARKS)
def test_landmarks_of_a_unit_are_symmetric(unit: int) -> None:
    points = set(UNIT_LANDMARKS[unit])
    assert len(points) == len(UNIT_LANDMARKS[unit])
    assert {int(MIRROR_PERMUTATION[i]) for i in points} == points


def test_overlap_is_1_for_the_wanted_landmarks_and_0_for_the_others() -> None:
    wanted = LANDMARK_SETS["happy"]
    shares = np.array([float(i in wanted) for i in range(68)])
    assert overlap(shares, wanted) == 1.0
    assert overlap(1.0 - shares, wanted) == 0.0


def test_a_random_ranking_has_the_expected_overlap() -> None:
    rng = np.random.default_rng(0)
    wanted = LANDMARK_SETS["surprise"]
    found = [overlap(rng.random(68), wanted) for _ in range(2000)]
    assert np.mean(found) == pytest.approx(overlap_chance(wanted), abs=0.01)
