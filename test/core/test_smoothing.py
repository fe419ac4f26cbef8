"""Smoothing: independent of the frame rate, hysteresis, and when it says 'unknown'."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.core.emotions import UNKNOWN
from edan_ros.core.smoothing import EmotionSmoother, SmoothingConfig

NEUTRAL, HAPPY, SAD = 0, 1, 2
probabilities = st.lists(st.floats(0.001, 1.0), min_size=7, max_size=7).map(
    lambda v: np.array(v) / sum(v)
)
configs = st.builds(SmoothingConfig, st.floats(0.0, 3.0), st.floats(0.0, 0.9), st.floats(0.0, 0.5))


def split(**values: float) -> np.ndarray:
    """Probabilities of the named emotions; the rest is shared by fear, disgust and anger."""
    p = np.zeros(7)
    p[NEUTRAL], p[HAPPY], p[SAD] = (values.get(k, 0.0) for k in ("neutral", "happy", "sad"))
    p[4:] = (1.0 - p.sum()) / 3
    return p


@given(probabilities, probabilities, st.integers(1, 60), st.floats(0.01, 2.0), configs)
def test_a_step_is_followed_alike_at_every_frame_rate(before, after, images, seconds, config):
    """After the same time, one image or sixty of the new emotion give the same probabilities."""
    once, often = EmotionSmoother(), EmotionSmoother()
    once.update(before, 0.0, config)
    often.update(before, 0.0, config)
    expected = once.update(after, seconds, config).probabilities
    for _ in range(images):
        got = often.update(after, seconds / images, config).probabilities
    assert np.allclose(got, expected, atol=1e-9)


def test_a_step_has_come_through_by_63_percent_after_the_time_constant() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(time_constant=0.5)
    smoother.update(split(neutral=1.0), 0.0, config)
    p = smoother.update(split(happy=1.0), 0.5, config).probabilities
    assert p[HAPPY] == pytest.approx(1.0 - math.exp(-1.0))
    assert p[NEUTRAL] == pytest.approx(math.exp(-1.0))


@given(
    st.lists(st.tuples(probabilities, st.floats(0.0, 5.0), st.booleans()), min_size=1, max_size=30),
    configs,
)
def test_output_is_a_distribution_and_its_label_holds_the_threshold(images, config) -> None:
    smoother = EmotionSmoother()
    for raw, elapsed, readable in images:
        result = smoother.update(raw, elapsed, config, readable)
        assert result.probabilities.sum() == pytest.approx(1.0)
        assert result.probabilities.min() >= 0.0
        if result.emotion == UNKNOWN:
            assert result.confidence == result.probabilities.max()
        else:
            assert readable
            assert result.confidence == result.probabilities[result.emotion]
            assert result.confidence >= config.confidence_threshold
            assert result.probabilities.max() <= result.confidence + config.margin


def test_first_image_is_taken_as_it_is() -> None:
    result = EmotionSmoother().update(split(sad=0.9), 0.0, SmoothingConfig())
    assert result.emotion == SAD
    assert result.confidence == pytest.approx(0.9)


def test_a_slightly_stronger_rival_does_not_change_the_label() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(0.0, 0.3, 0.1)
    labels = [
        smoother.update(split(happy=h, sad=s), 0.03, config).emotion
        for h, s in [(0.5, 0.45), (0.45, 0.5), (0.5, 0.45), (0.42, 0.5), (0.39, 0.5), (0.45, 0.5)]
    ]
    assert labels == [HAPPY, HAPPY, HAPPY, HAPPY, SAD, SAD]


def test_unknown_below_the_threshold_and_back() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(0.0, 0.5, 0.1)
    labels = [smoother.update(split(happy=h), 0.03, config).emotion for h in (0.45, 0.5, 0.49, 0.6)]
    assert labels == [UNKNOWN, HAPPY, UNKNOWN, HAPPY]


def test_a_rival_takes_over_at_once_when_the_label_falls_below_the_threshold() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(0.0, 0.4, 0.2)
    smoother.update(split(happy=0.8), 0.03, config)
    assert smoother.update(split(happy=0.39, sad=0.45), 0.03, config).emotion == SAD


def test_a_head_turned_away_is_unknown_and_leaves_no_trace() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(time_constant=0.5)
    before = smoother.update(split(happy=0.9), 0.0, config)
    turned = smoother.update(split(sad=1.0), 0.1, config, readable=False)
    assert turned.emotion == UNKNOWN
    assert np.array_equal(turned.probabilities, before.probabilities)
    # 0.1 s unread and 0.4 s until this image: it weighs as one after 0.5 s.
    p = smoother.update(split(neutral=1.0), 0.4, config).probabilities
    assert p[NEUTRAL] == pytest.approx(1.0 - math.exp(-1.0))
    assert p[SAD] == 0.0


def test_a_head_first_seen_turned_away_is_read_afresh_when_it_turns_back() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(time_constant=2.0)
    assert smoother.update(split(sad=1.0), 0.0, config, readable=False).emotion == UNKNOWN
    back = smoother.update(split(happy=0.9), 0.03, config)
    assert back.emotion == HAPPY
    assert back.confidence == pytest.approx(0.9)


def test_zero_elapsed_time_changes_nothing_but_the_first_image() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig()
    first = smoother.update(split(happy=0.9), 0.0, config)
    again = smoother.update(split(sad=0.9), 0.0, config)
    assert np.allclose(again.probabilities, first.probabilities)
