"""Occlusion maps of models whose evidence is known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edan_ros.explain.occlusion import BATCH, occlusion_map

SIZE = 64


def bright_corner(crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """A model whose probability is the brightness of the upper left 16 x 16 pixels."""
    assert crops.shape[1:] == (1, SIZE, SIZE)
    assert len(crops) <= BATCH
    return crops[:, 0, :16, :16].mean(axis=(1, 2)) / 255.0


def test_the_map_highlights_the_evidence() -> None:
    crop = np.zeros((SIZE, SIZE), np.float32)
    crop[:16, :16] = 255.0
    values = occlusion_map(bright_corner, crop, cells=8)
    assert values.shape == (8, 8)
    # A patch of 16 px centred on cell (0, 0) or (1, 1), at 4 or 12, covers 12 x 12 or 12 x 12 of
    # the bright pixels; the crop's mean is 255 / 16.
    expected = (12 * 12) / (16 * 16) * (1 - 1 / 16)
    assert values[0, 0] == pytest.approx(expected, abs=1e-3)
    assert values[1, 1] == pytest.approx(expected, abs=1e-3)
    assert not values[3:].any()
    assert not values[:, 3:].any()


def test_a_patch_that_raises_the_probability_is_ignored() -> None:
    crop = np.zeros((SIZE, SIZE), np.float32)
    crop[32:] = 255.0
    assert not occlusion_map(bright_corner, crop).any()


def test_a_constant_model_has_an_empty_map() -> None:
    crop = np.random.default_rng(0).uniform(0, 255, (SIZE, SIZE)).astype(np.float32)
    values = occlusion_map(lambda crops: np.full(len(crops), 0.4), crop, cells=5)
    assert values.shape == (5, 5)
    assert not values.any()
