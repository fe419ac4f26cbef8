"""Shares of landmarks and regions in uniform, concentrated and empty maps."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE, REGIONS
from edan_ros.explain.ranking import (
    LANDMARK_CHANCE,
    landmark_shares,
    normalise_map,
    region_shares,
)

SIZE = 64
LANDMARKS = MEAN_SHAPE * SIZE / CROP_SCALE + 0.5 * (SIZE - 1)


def spot(landmark: int, size: int = SIZE) -> np.ndarray:
    values = np.zeros((size, size), np.float32)
    x, y = np.rint(LANDMARKS[landmark] * size / SIZE).astype(int)
    values[y, x] = 1.0
    return values


def test_a_uniform_map_gives_every_landmark_its_chance() -> None:
    shares = landmark_shares(np.ones((8, 8)), LANDMARKS, SIZE)
    np.testing.assert_allclose(shares, LANDMARK_CHANCE, rtol=1e-9)


def test_a_uniform_map_gives_every_region_its_chance() -> None:
    regions = region_shares(np.ones((8, 8)), LANDMARKS, SIZE)
    assert {region.name for region in regions} == set(REGIONS)
    for region in regions:
        assert region.share == pytest.approx(region.chance, abs=1e-6)
        assert 0.0 < region.chance < 0.6
    assert sum(region.chance for region in regions) < 1.0


@pytest.mark.parametrize(
    ("landmark", "region"), [(8, "jaw"), (19, "brows"), (30, "nose"), (37, "eyes"), (57, "mouth")]
)
def test_a_spot_gives_its_landmark_and_region_the_largest_share(landmark: int, region: str) -> None:
    values = spot(landmark)
    shares = landmark_shares(values, LANDMARKS, SIZE)
    assert shares.argmax() == landmark
    assert shares.sum() == pytest.approx(1.0)
    assert shares[landmark] > 5 * LANDMARK_CHANCE
    first = region_shares(values, LANDMARKS, SIZE)[0]
    assert first.name == region
    assert first.share == pytest.approx(1.0)


def test_an_empty_map_gives_no_region_a_share() -> None:
    np.testing.assert_allclose(landmark_shares(np.zeros((8, 8)), LANDMARKS, SIZE), LANDMARK_CHANCE)
    assert all(region.share == 0.0 for region in region_shares(np.zeros((8, 8)), LANDMARKS, SIZE))


def test_landmarks_far_outside_the_crop_have_no_share() -> None:
    landmarks = LANDMARKS.copy()
    landmarks[0] = (-500.0, -500.0)
    shares = landmark_shares(np.ones((8, 8)), landmarks, SIZE)
    assert shares[0] == pytest.approx(0.0, abs=1e-9)
    assert shares.sum() == pytest.approx(1.0)


def test_normalise_map_scales_the_maximum_to_1() -> None:
    np.testing.assert_allclose(
        normalise_map(np.array([[0.0, 2.0], [1.0, 4.0]])), [[0, 0.5], [0.25, 1]]
    )
    assert not normalise_map(np.zeros((3, 3))).any()
