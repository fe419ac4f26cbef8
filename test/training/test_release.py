"""Calibration of a trained network before it is exported."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.core.emotions import softmax  # noqa: E402
from edan_ros.training.emotion.validation import fit_temperature  # noqa: E402


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_of_random_labels_is_found(temperature: float) -> None:
    """Labels sampled from softmax(logits / T) have the least loss at T."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 7))
    chances = softmax(logits, temperature).cumsum(axis=1)
    labels = (rng.random((20_000, 1)) < chances).argmax(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.06)
