"""Probabilities from logits without a class prior."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edan_ros.core.emotions import softmax
from edan_ros.core.inference import class_probabilities

PRIOR = (0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05)
LOGITS = np.array([[1.0, 2.0, 0.0, -1.0, 0.5, 0.0, 0.3]])


def model(**fields: object) -> SimpleNamespace:
    values = {"temperature": 1.0, "uniform_temperature": 0.0, "class_prior": PRIOR}
    return SimpleNamespace(**{**values, **fields})


def test_equal_logits_give_the_prior_at_strength_1_and_uniform_at_0() -> None:
    natural = class_probabilities(np.zeros((2, 7)), model(), 1.0)
    np.testing.assert_allclose(natural, [PRIOR, PRIOR])
    np.testing.assert_allclose(class_probabilities(np.zeros((1, 7)), model()), 1.0 / 7.0)


def test_a_strength_between_weighs_the_logarithm_of_the_prior() -> None:
    expected = softmax(LOGITS + 0.5 * np.log(PRIOR))
    np.testing.assert_allclose(class_probabilities(LOGITS, model(), 0.5), expected)


@pytest.mark.parametrize(("strength", "temperature"), [(0.0, 0.25), (0.5, 0.5), (1.0, 1.0)])
def test_temperature_is_interpolated_between_the_priors(strength, temperature) -> None:
    found = class_probabilities(LOGITS, model(uniform_temperature=0.25), strength)
    expected = softmax(LOGITS + strength * np.log(PRIOR), temperature)
    np.testing.assert_allclose(found, expected)


def test_a_model_whose_logits_include_the_prior_ignores_the_strength() -> None:
    found = class_probabilities(LOGITS, model(class_prior=(), temperature=2.0), 0.7)
    np.testing.assert_allclose(found, softmax(LOGITS, 2.0))
