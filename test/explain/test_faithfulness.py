"""Deletion and insertion curves on a model with known evidence, and confidence intervals."""

from __future__ import annotations

import numpy as np
import pytest
from known_model import HAPPY, KnownEngine, make_image

from edan_ros.core.emotions import softmax
from edan_ros.explain.faithfulness import STEPS, area_under, curves, interval


def probability(crops: np.ndarray) -> np.ndarray:
    return softmax(KnownEngine().infer(crops).logits)[:, HAPPY]


def curves_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    crop = make_image(1, smiling=True).astype(np.float32)
    return curves(probability, crop, values, np.random.default_rng(0))


def at_the_mouth() -> np.ndarray:
    values = np.zeros((8, 8), np.float32)
    values[5, 3:5] = 1.0
    return values


def test_a_faithful_map_deletes_and_inserts_the_evidence_first() -> None:
    deletion, insertion = curves_of(at_the_mouth())
    assert deletion.shape == insertion.shape == (STEPS + 1,)
    assert deletion[0] > 0.95
    assert (deletion[1:] < 0.2).all()
    assert insertion[0] < 0.1
    assert (insertion[3:] > 0.9).all()


def test_an_inverted_map_deletes_and_inserts_the_evidence_last() -> None:
    deletion, insertion = curves_of(1.0 - at_the_mouth())
    assert (deletion[:-3] > 0.9).all()
    assert deletion[-1] < 0.01
    assert (insertion[:-3] < 0.2).all()
    assert insertion[-1] > 0.95


def test_curves_of_all_maps_have_the_same_ends() -> None:
    faithful, inverted = curves_of(at_the_mouth()), curves_of(1.0 - at_the_mouth())
    for one, other in zip(faithful, inverted, strict=True):
        np.testing.assert_allclose(one[[0, -1]], other[[0, -1]], atol=1e-6)


def test_ties_are_processed_in_random_order() -> None:
    crop = make_image(1, smiling=True).astype(np.float32)
    found = [
        curves(probability, crop, np.zeros((8, 8)), np.random.default_rng(seed))[0]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_the_area_under_a_curve_is_its_mean_height() -> None:
    assert area_under(np.ones(17)) == pytest.approx(1.0)
    assert area_under(np.linspace(1, 0, 17)) == pytest.approx(0.5)
    assert area_under(np.array([1.0, 0.0, 0.0])) == pytest.approx(0.25)


def test_the_interval_contains_the_mean_and_narrows_with_more_values() -> None:
    values = np.random.default_rng(3).normal(0.3, 0.1, 400)
    few, many = interval(values[:25]), interval(values)
    assert many.low < many.mean < many.high
    # 1.96 standard errors on each side.
    assert many.high - many.low == pytest.approx(2 * 1.96 * 0.1 / 20, rel=0.15)
    assert few.high - few.low > 2 * (many.high - many.low)
    assert interval(values) == many


def test_few_values_have_a_mean_but_no_interval() -> None:
    few = interval(np.array([0.2, 0.6]))
    assert few.mean == pytest.approx(0.4)
    assert np.isnan([few.low, few.high]).all()
    assert np.isnan(interval(np.array([])).mean)
