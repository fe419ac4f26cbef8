"""Emotions: fixed order; polarity, valence and arousal derived from probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.core import emotions
from edan_ros.core.emotions import EMOTIONS, polarity_probabilities, softmax, valence_arousal

probabilities = st.lists(st.floats(0.001, 1.0), min_size=7, max_size=7).map(
    lambda v: np.array(v) / sum(v)
)


def test_the_order_is_that_of_the_message() -> None:
    assert EMOTIONS == ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
    assert emotions.POLARITIES == ("neutral", "positive", "negative")


def test_labels() -> None:
    assert [emotions.label_of(i) for i in (0, 6, emotions.UNKNOWN)] == [
        "neutral",
        "anger",
        "unknown",
    ]


@given(probabilities)
def test_polarity_is_a_distribution(p: np.ndarray) -> None:
    polarity = polarity_probabilities(p)
    assert polarity.shape == (3,)
    assert polarity.sum() == pytest.approx(1.0)
    assert polarity[0] == pytest.approx(p[0])
    assert polarity[2] == pytest.approx(p[2] + p[4] + p[5] + p[6])


@given(probabilities)
def test_valence_and_arousal_stay_in_range(p: np.ndarray) -> None:
    assert all(-1.0 <= v <= 1.0 for v in valence_arousal(p))


def test_valence_and_arousal_of_pure_emotions() -> None:
    happy, sad = np.eye(7)[1], np.eye(7)[2]
    assert valence_arousal(happy) == (0.81, 0.51)
    assert valence_arousal(sad) == (-0.63, -0.27)
    assert valence_arousal(0.5 * happy + 0.5 * sad) == pytest.approx((0.09, 0.12))


def test_softmax_by_hand() -> None:
    logits = np.log([[1.0, 3.0]])
    assert softmax(logits)[0] == pytest.approx([0.25, 0.75])
    # At temperature 0.5 the odds of 1 to 3 are squared: 1 to 9.
    assert softmax(logits, 0.5)[0] == pytest.approx([0.1, 0.9])
    assert softmax(np.array([[1e4, -1e4]]))[0] == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_softmax_rejects_a_temperature_that_is_not_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        softmax(np.zeros((1, 7)), temperature)
