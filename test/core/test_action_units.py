"""Action units from the movements that define them; agreement with emotions by EMFACS."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edan_ros.core.action_units import ACTION_UNITS, EMFACS, ActionUnitEstimator, emfacs_consistency
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import MEAN_SHAPE, pupil_distance

Points = NDArray[np.float64]
EYES = float(pupil_distance(MEAN_SHAPE))
INNER, OUTER = (20, 21, 22, 23), (17, 18, 25, 26)
UPPER_LIDS, CORNERS = (37, 38, 43, 44), (48, 54)
LOWER_LIP = (55, 56, 57, 58, 59, 65, 66, 67)
UPPER_LIP = (49, 50, 51, 52, 53, 61, 62, 63)


def moved(*moves: tuple[tuple[int, ...], float, float], start: Points = MEAN_SHAPE) -> Points:
    """Return a face with points moved right and down, in distances of the eye centres."""
    points = start.copy()
    for indices, right, down in moves:
        points[list(indices)] += np.array([right, down]) * EYES
    return points


def settled(neutral: Points = MEAN_SHAPE, seconds: float = 5.0) -> ActionUnitEstimator:
    """Return the estimator after some seconds of this neutral face."""
    units = ActionUnitEstimator()
    for _ in range(round(seconds * 10)):
        units.update(neutral, 0.1)
    return units


def show(face: Points, units: ActionUnitEstimator | None = None) -> dict[str, float]:
    """Return the units half a second after a face appears."""
    units = units or settled()
    for _ in range(5):
        shown = units.update(face, 0.1, neutrality=0.0)
    return shown


def test_a_neutral_face_has_almost_no_units() -> None:
    shown = show(MEAN_SHAPE)
    assert tuple(shown) == ACTION_UNITS
    assert max(shown.values()) < 0.1


@pytest.mark.parametrize(
    ("face", "strong", "weak"),
    [
        (moved((INNER, 0, -0.15)), "AU1", "AU2 AU4 AU12"),
        (moved((OUTER, 0, -0.1)), "AU2", "AU4 AU12"),
        (moved((INNER, 0, 0.12)), "AU4", "AU1 AU2 AU9"),
        (moved((INNER, 0, 0.07), ((21,), 0.04, 0), ((22,), -0.04, 0)), "AU4", "AU1 AU2 AU12"),
        (moved((UPPER_LIDS, 0, -0.05)), "AU5", "AU7 AU43"),
        (moved((UPPER_LIDS, 0, 0.04)), "AU7", "AU5"),
        (moved((UPPER_LIDS, 0, 0.11)), "AU43", "AU5 AU7"),
        (moved((UPPER_LIP, 0, -0.1)), "AU10", "AU12 AU4 AU9"),
        (moved((UPPER_LIP, 0, -0.1), (INNER, 0, 0.12)), "AU9", "AU12 AU1"),
        (moved(((48,), -0.1, -0.08), ((54,), 0.1, -0.08)), "AU12", "AU15 AU26 AU4"),
        (moved((CORNERS, 0, 0.08)), "AU15", "AU12 AU20"),
        (moved(((57,), 0, -0.15)), "AU17", "AU12 AU25"),
        (moved(((48,), -0.12, 0), ((54,), 0.12, 0)), "AU20", "AU15 AU26"),
        (moved(((50, 51, 52), 0, 0.04), ((56, 57, 58), 0, -0.04)), "AU23", "AU12 AU25"),
        (moved((LOWER_LIP, 0, 0.12)), "AU25", "AU26 AU23"),
        (moved((LOWER_LIP, 0, 0.4), (tuple(range(5, 12)), 0, 0.4)), "AU26", "AU17 AU23"),
    ],
    ids=lambda value: value if isinstance(value, str) and value[3:4] != " " else "",
)
def test_each_movement_raises_its_unit(face: Points, strong: str, weak: str) -> None:
    shown = show(face)
    assert shown[strong] > 0.6
    assert {name: shown[name] for name in weak.split() if shown[name] > 0.35} == {}


@given(
    st.floats(20.0, 500.0),
    st.floats(-0.6, 0.6),
    st.floats(-1000.0, 1000.0),
    st.lists(st.floats(-0.1, 0.1), min_size=4, max_size=4),
)
def test_units_do_not_depend_on_position_size_and_roll(
    size: float, roll: float, shift: float, moves: list[float]
) -> None:
    face = moved(
        (INNER, 0, moves[0]), (CORNERS, 0, moves[1]), (LOWER_LIP, 0, moves[2]), ((54,), moves[3], 0)
    )
    c, s = math.cos(roll), math.sin(roll)
    there = size * face @ np.array([[c, s], [-s, c]]) + shift
    near, far = ActionUnitEstimator().update(face, 0.0), ActionUnitEstimator().update(there, 0.0)
    assert far == pytest.approx(near, abs=1e-6)
    assert all(0.0 <= value <= 1.0 for value in far.values())


def test_the_neutral_face_of_a_person_is_estimated_in_seconds() -> None:
    high_brows = moved((INNER, 0, -0.12), (OUTER, 0, -0.08))
    units = ActionUnitEstimator()
    assert units.update(high_brows, 0.0)["AU1"] > 0.4
    assert show(high_brows, settled(high_brows, 6.0))["AU1"] < 0.1
    higher = moved((INNER, 0, -0.12), start=high_brows)
    assert show(higher, settled(high_brows, 6.0))["AU1"] > 0.4


def test_a_known_neutral_face_changes_slowly() -> None:
    units = settled(seconds=60.0)
    smile = moved(((48,), -0.1, -0.08), ((54,), 0.1, -0.08))
    for _ in range(100):
        shown = units.update(smile, 0.1)
    assert shown["AU12"] > 0.5


def test_a_face_of_neutrality_zero_does_not_change_the_estimate() -> None:
    units = ActionUnitEstimator()
    smile = moved(((48,), -0.1, -0.08), ((54,), 0.1, -0.08))
    first = units.update(smile, 0.0)
    for _ in range(200):
        last = units.update(smile, 0.1, neutrality=0.0)
    assert last == pytest.approx(first)


def test_a_permanent_smile_does_not_become_neutral() -> None:
    broad = moved(((48,), -0.16, -0.12), ((54,), 0.16, -0.12))
    units = ActionUnitEstimator()
    for _ in range(3000):
        shown = units.update(broad, 0.1)
    assert shown["AU12"] > 0.3


def test_one_image_after_a_long_gap_has_no_larger_weight() -> None:
    smile = moved(((48,), -0.1, -0.08), ((54,), 0.1, -0.08))
    units = settled(seconds=10.0)
    assert units.update(smile, 3600.0)["AU12"] > 0.5


def test_jitter_of_the_landmarks_is_smoothed() -> None:
    rng = np.random.default_rng(1)
    units, values = settled(), []
    for _ in range(200):
        noise = rng.normal(0.0, 0.015 * EYES, (68, 2))
        values.append(list(units.update(MEAN_SHAPE + noise, 1 / 30).values()))
    assert np.max(np.mean(values, axis=0)) < 0.12


def test_degenerate_landmarks_have_no_units() -> None:
    assert ActionUnitEstimator().update(np.zeros((68, 2)), 0.1) == {}
    assert ActionUnitEstimator().update(np.full((68, 2), np.nan), 0.1) == {}


# --- EMFACS


def units_of(*names: str, value: float = 0.8) -> dict[str, float]:
    return {name: value if name in names else 0.0 for name in ACTION_UNITS}


@pytest.mark.parametrize("emotion", sorted(EMFACS))
def test_the_units_of_an_emotion_agree_best_with_it(emotion: str) -> None:
    shown = units_of(*EMFACS[emotion])
    scores = {label: emfacs_consistency(shown, label) for label in EMOTIONS}
    assert scores[emotion] == pytest.approx(1.0)
    assert max(scores, key=lambda label: scores[label]) == emotion


def test_emfacs_by_hand() -> None:
    # AU1 and AU12 at 0.6: their norm is 0.6 * sqrt(2); one of the three units of sadness.
    shown = units_of("AU1", "AU12", value=0.6)
    assert emfacs_consistency(shown, "happy") == pytest.approx(1 / math.sqrt(2))
    assert emfacs_consistency(shown, "sad") == pytest.approx(1 / math.sqrt(6))
    assert emfacs_consistency(shown, "neutral") == pytest.approx(1 - 0.6 * math.sqrt(2))
    # A weak smile agrees with happiness in proportion.
    assert emfacs_consistency(units_of("AU12", value=0.1), "happy") == pytest.approx(0.2)
    # Units outside EMFACS, such as parted lips, do not count.
    assert emfacs_consistency(units_of("AU12", "AU25"), "happy") == pytest.approx(1.0)


def test_consistency_without_units_or_emotion_is_nan() -> None:
    assert math.isnan(emfacs_consistency({}, "happy"))
    assert math.isnan(emfacs_consistency(units_of("AU12"), "unknown"))


@given(st.lists(st.floats(0.0, 1.0), min_size=15, max_size=15))
def test_consistency_is_between_0_and_1(values: list[float]) -> None:
    shown = dict(zip(ACTION_UNITS, values, strict=True))
    for label in EMOTIONS:
        assert 0.0 <= emfacs_consistency(shown, label) <= 1.0 + 1e-12
