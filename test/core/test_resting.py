"""The resting face of a person: robust, slow, bounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.resting import RestingBaseline

NEUTRAL, HAPPY, SAD, ANGER = (EMOTIONS.index(e) for e in ("neutral", "happy", "sad", "anger"))
#: Mean logits of neutral faces, as a manifest holds them.
POPULATION = (1.7, -0.4, 0.3, -0.9, 0.0, 0.5, -0.1)
STEP = 1 / 30
logits = arrays(np.float64, 7, elements=st.floats(-8.0, 8.0))


def observed(face: np.ndarray, seconds: float, step: float = STEP) -> RestingBaseline:
    """A baseline after so many seconds of one face."""
    baseline = RestingBaseline(POPULATION)
    for _ in range(round(seconds / step)):
        baseline.update(face, step)
    return baseline


def resting(**shifts: float) -> np.ndarray:
    """The resting face of the population with some logits shifted."""
    face = np.array(POPULATION)
    for name, shift in shifts.items():
        face[EMOTIONS.index(name)] += shift
    return face


def test_nothing_changes_before_the_first_image() -> None:
    face = resting(happy=3.0)
    adjusted = RestingBaseline(POPULATION).adjust(face)
    np.testing.assert_allclose(adjusted - adjusted[NEUTRAL], face - face[NEUTRAL])


def test_a_resting_face_that_looks_sad_becomes_neutral_within_five_seconds() -> None:
    face = resting(sad=1.2, anger=0.5)
    face[SAD] += 0.3
    assert face.argmax() == SAD
    baseline = observed(face, 5.0)
    assert baseline.adjust(face).argmax() == NEUTRAL


def test_a_slight_smile_is_recognised_after_five_seconds_of_rest() -> None:
    """A rise of the happy logit by 1.2 is less than what separates it from neutral, 2.1."""
    smile = resting(happy=1.2)
    assert smile.argmax() == NEUTRAL
    assert observed(resting(), 5.0).adjust(smile).argmax() == HAPPY


def test_a_slight_smile_of_a_stern_face_is_recognised_too() -> None:
    stern = resting(happy=-1.0, anger=0.8)
    smile = stern.copy()
    smile[HAPPY] += 1.2
    assert observed(stern, 5.0).adjust(smile).argmax() == HAPPY


@given(st.floats(2.4, 8.0), st.floats(1.0, 600.0))
def test_somebody_who_smiles_all_the_time_stays_happy(rise: float, seconds: float) -> None:
    smile = resting(happy=rise)
    baseline = observed(smile, seconds, step=0.5)
    assert baseline.adjust(smile).argmax() == HAPPY


@given(st.lists(logits, max_size=40), logits)
def test_the_shift_is_always_bounded(history, face) -> None:
    """The adjusted logits stay within the gain and the largest shift of those of the image."""
    baseline = RestingBaseline(POPULATION)
    for image in history:
        baseline.update(image, 0.5)
    relative = face - face[NEUTRAL]
    rest = np.array(POPULATION) - POPULATION[NEUTRAL]
    distance = np.abs(relative - rest) + RestingBaseline.MAX_SHIFT
    moved = RestingBaseline.MIN_MARGIN + np.abs(rest)
    bound = RestingBaseline.GAIN * distance + moved
    assert (np.abs(baseline.adjust(face) - rest) <= bound + 1e-9).all()


@pytest.mark.parametrize("step", [0.01, 0.1, 0.5])
def test_the_estimate_does_not_depend_on_the_frame_rate(step: float) -> None:
    face, probe = resting(sad=0.8), resting(happy=1.0)
    slow, reference = observed(face, 5.0, step), observed(face, 5.0, 0.05)
    np.testing.assert_allclose(slow.adjust(probe), reference.adjust(probe), atol=0.1)


def test_expressions_hardly_count_for_the_estimate() -> None:
    baseline = observed(resting(), 5.0)
    before = baseline.adjust(resting(happy=1.0))
    for _ in range(60):
        baseline.update(resting(happy=6.0), STEP)
    np.testing.assert_allclose(baseline.adjust(resting(happy=1.0)), before, atol=0.05)


def test_a_pause_counts_for_half_a_second_at_most() -> None:
    baseline = RestingBaseline(POPULATION)
    baseline.update(resting(), 3600.0)
    assert 0.0 < baseline.seconds <= RestingBaseline.MAX_STEP


@given(st.floats(0.0, 8.0), st.floats(0.0, 8.0))
def test_intensity_rises_with_the_expression(weak: float, strong: float) -> None:
    weak, strong = sorted((weak, strong))
    baseline = observed(resting(), 2.0)
    low = baseline.intensity(resting(happy=weak))
    high = baseline.intensity(resting(happy=strong))
    assert 0.0 <= low <= high <= 1.0


def test_intensity_is_0_at_rest_and_1_in_a_full_expression() -> None:
    baseline = observed(resting(), 5.0)
    assert baseline.intensity(resting()) == pytest.approx(0.0, abs=0.02)
    assert baseline.intensity(resting(happy=8.0)) == 1.0
