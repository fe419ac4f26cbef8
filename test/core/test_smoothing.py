"""Smoothing: frame-rate independence, hysteresis, dwell time and the reasons for 'unknown'."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.core.emotions import UNKNOWN, UNKNOWN_REASONS
from edan_ros.core.smoothing import EmotionSmoother, SmoothingConfig, smooth_recording

NEUTRAL, HAPPY, SAD = 0, 1, 2
DECIDED, UNSURE, TURNED_AWAY, TOO_SMALL = range(len(UNKNOWN_REASONS))
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


def test_a_step_reaches_63_percent_after_the_time_constant() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(time_constant=0.5)
    smoother.update(split(neutral=1.0), 0.0, config)
    p = smoother.update(split(happy=1.0), 0.5, config).probabilities
    assert p[HAPPY] == pytest.approx(1.0 - math.exp(-1.0))
    assert p[NEUTRAL] == pytest.approx(math.exp(-1.0))


reasons = st.sampled_from([DECIDED, TURNED_AWAY, TOO_SMALL])


@given(
    st.lists(st.tuples(probabilities, st.floats(0.0, 5.0), reasons), min_size=1, max_size=30),
    configs,
)
def test_output_is_a_distribution_with_the_confidence_of_its_label(images, config) -> None:
    smoother = EmotionSmoother()
    for raw, elapsed, excluded in images:
        result = smoother.update(raw, elapsed, config, excluded)
        assert result.probabilities.sum() == pytest.approx(1.0)
        assert result.probabilities.min() >= 0.0
        if result.emotion == UNKNOWN:
            assert result.confidence == result.probabilities.max()
            assert result.reason in (UNSURE, TURNED_AWAY, TOO_SMALL)
        else:
            assert result.confidence == result.probabilities[result.emotion]
            assert result.reason == DECIDED


@given(
    st.lists(st.tuples(probabilities, st.floats(0.01, 0.2), reasons), min_size=2, max_size=60),
    st.floats(0.2, 1.0),
)
def test_no_label_lasts_less_than_the_dwell_time(images, dwell) -> None:
    """Every completed stretch of one label is at least min_dwell long."""
    smoother, config = EmotionSmoother(), SmoothingConfig(time_constant=0.0, min_dwell=dwell)
    time, since, label = 0.0, 0.0, None
    for raw, elapsed, excluded in images:
        time += elapsed
        emotion = smoother.update(raw, elapsed, config, excluded).emotion
        if label is not None and emotion != label:
            assert time - since >= dwell - 1e-9
            since = time
        since = time if label is None else since
        label = emotion


def test_first_image_is_taken_as_it_is() -> None:
    result = EmotionSmoother().update(split(sad=0.9), 0.0, SmoothingConfig())
    assert result.emotion == SAD
    assert result.confidence == pytest.approx(0.9)


def labels_of(images, config: SmoothingConfig, step: float = 0.1) -> list[int]:
    """Labels of images ``step`` seconds apart, each given as keyword arguments of split."""
    smoother = EmotionSmoother()
    return [smoother.update(split(**image), step, config).emotion for image in images]


def test_a_slightly_stronger_rival_does_not_change_the_label() -> None:
    pairs = [(0.5, 0.45), (0.45, 0.5), (0.5, 0.45), (0.42, 0.5), (0.39, 0.5), (0.45, 0.5)]
    images = [{"happy": happy, "sad": sad} for happy, sad in pairs]
    labels = labels_of(images, SmoothingConfig(0.0, 0.3, 0.1, min_dwell=0.0))
    assert labels == [HAPPY, HAPPY, HAPPY, HAPPY, SAD, SAD]


def test_unknown_has_hysteresis_around_the_threshold() -> None:
    images = [{"happy": p} for p in (0.45, 0.5, 0.43, 0.41, 0.49, 0.5)]
    labels = labels_of(images, SmoothingConfig(0.0, 0.5, 0.1, min_dwell=0.0))
    assert labels == [UNKNOWN, HAPPY, HAPPY, UNKNOWN, UNKNOWN, HAPPY]


def test_a_single_image_of_another_emotion_does_not_change_the_label() -> None:
    """At 30 images per second another label needs 0.1 s of unbroken preference."""
    config, happy, sad = SmoothingConfig(0.0, min_dwell=0.0), {"happy": 0.9}, {"sad": 0.9}
    images = [happy] * 10 + [sad] * 2 + [happy] * 10 + [sad] * 6
    labels = labels_of(images, config, step=1 / 30)
    assert labels[:24] == [HAPPY] * 24
    assert labels[-1] == SAD


def test_speech_does_not_change_the_label() -> None:
    """Four syllables per second that look like surprise leave a neutral face neutral."""
    talk = [split(neutral=0.75), split(neutral=0.25)]
    talk[1][3] = 0.7
    smoother, config = EmotionSmoother(), SmoothingConfig()
    times = np.arange(0.0, 10.0, 1 / 30)
    labels = {smoother.update(talk[int(t * 8) % 2], 1 / 30, config).emotion for t in times}
    assert labels == {NEUTRAL}


@pytest.mark.parametrize("rate", [10, 30, 60])
def test_a_clear_change_is_followed_within_half_a_second(rate: int) -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig()
    for _ in range(2 * rate):
        smoother.update(split(neutral=0.95), 1 / rate, config)
    labels = [smoother.update(split(happy=0.95), 1 / rate, config).emotion for _ in range(rate)]
    assert labels.index(HAPPY) / rate < 0.5


def test_the_reason_for_unknown_follows_the_latest_image() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(time_constant=0.0)
    results = [
        smoother.update(split(happy=0.9), 0.2, config, excluded)
        for excluded in (TURNED_AWAY, TOO_SMALL, DECIDED)
    ]
    assert [result.reason for result in results] == [TURNED_AWAY, TOO_SMALL, TOO_SMALL]
    assert smoother.update(split(happy=0.9), 0.2, config).reason == DECIDED
    assert smoother.update(split(happy=0.3, sad=0.2), 0.6, config).reason == UNSURE


def test_a_head_turned_away_becomes_unknown_and_leaves_no_trace() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(time_constant=0.5)
    before = smoother.update(split(happy=0.9), 0.0, config)
    turned = smoother.update(split(sad=1.0), 0.5, config, TURNED_AWAY)
    assert (turned.emotion, turned.reason) == (UNKNOWN, TURNED_AWAY)
    assert np.array_equal(turned.probabilities, before.probabilities)
    # 0.5 s excluded and 0.5 s until this image: it weighs as one after 1 s, two time constants.
    p = smoother.update(split(neutral=1.0), 0.5, config).probabilities
    assert p[NEUTRAL] == pytest.approx(1.0 - math.exp(-2.0))
    assert p[SAD] == 0.0


def test_a_head_first_turned_away_is_smoothed_from_when_it_turns_back() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig(time_constant=2.0)
    assert smoother.update(split(sad=1.0), 0.0, config, TURNED_AWAY).emotion == UNKNOWN
    back = smoother.update(split(happy=0.9), 0.5, config)
    assert back.emotion == HAPPY
    assert back.confidence == pytest.approx(0.9)


def test_zero_elapsed_time_changes_nothing_but_the_first_image() -> None:
    smoother, config = EmotionSmoother(), SmoothingConfig()
    first = smoother.update(split(happy=0.9), 0.0, config)
    again = smoother.update(split(sad=0.9), 0.0, config)
    assert np.allclose(again.probabilities, first.probabilities)


@given(st.lists(probabilities, min_size=1, max_size=20), configs)
def test_a_reversed_recording_has_the_reversed_probabilities(raw, config) -> None:
    stamps = np.arange(len(raw)) * 0.1
    ahead = [s.probabilities for s in smooth_recording(np.array(raw), stamps, config)]
    back = [s.probabilities for s in smooth_recording(np.array(raw[::-1]), stamps, config)]
    np.testing.assert_allclose(ahead, back[::-1], atol=1e-12)


def test_a_recording_is_smoothed_without_delay() -> None:
    """The smoothed step crosses one half where the recorded one does."""
    raw = np.array([split(neutral=1.0)] * 30 + [split(happy=1.0)] * 30)
    results = smooth_recording(raw, np.arange(60) / 30, SmoothingConfig())
    assert results[29].probabilities[HAPPY] < 0.5 < results[30].probabilities[HAPPY]


def test_excluded_images_of_a_recording_do_not_count() -> None:
    raw = np.array([split(neutral=1.0), split(sad=1.0), split(neutral=1.0)])
    config = SmoothingConfig(min_dwell=0.0)
    results = smooth_recording(raw, [0.0, 1.0, 2.0], config, [DECIDED, TURNED_AWAY, DECIDED])
    assert [r.emotion for r in results] == [NEUTRAL, UNKNOWN, NEUTRAL]
    assert results[1].probabilities[NEUTRAL] == pytest.approx(1.0)


def test_an_empty_recording_has_no_results() -> None:
    assert smooth_recording(np.empty((0, 7)), [], SmoothingConfig()) == []
