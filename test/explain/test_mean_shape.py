"""Maps in the frame of the mean shape, and its areas."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.core.geometry import REGIONS
from edan_ros.explain.mean_shape import AREAS, SIDE, align_map, area_masks, mean_landmarks


def spot(x: float, y: float) -> np.ndarray:
    """Return a spot on a map with the resolution of the crop."""
    rows, columns = np.mgrid[0:64, 0:64]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8.0)


@pytest.mark.parametrize(("degrees", "scale", "shift"), [(0, 1, 0), (20, 1, 0), (-15, 0.8, 4)])
@pytest.mark.parametrize("point", [30, 48, 19])
def test_a_spot_on_a_landmark_moves_to_the_mean_shapes_landmark(
    degrees: float, scale: float, shift: float, point: int
) -> None:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = 0.5 * (SIDE - 1)
    landmarks = (mean_landmarks() - middle) @ turn * scale + middle + shift
    moved = align_map(spot(*landmarks[point]), landmarks, 64)
    y, x = np.unravel_index(moved.argmax(), moved.shape)
    np.testing.assert_allclose((x, y), mean_landmarks()[point], atol=1.0)


def test_aligned_maps_have_a_mean_of_1() -> None:
    weak, strong = (align_map(f * spot(30, 30), mean_landmarks(), 64) for f in (0.01, 100.0))
    np.testing.assert_allclose(weak, strong, rtol=1e-4, atol=1e-6)
    assert weak.mean() == pytest.approx(1.0, rel=1e-4)
    np.testing.assert_allclose(align_map(np.ones((8, 8)), mean_landmarks(), 64), 1.0, atol=0.02)


def test_an_empty_map_stays_empty() -> None:
    assert not align_map(np.zeros((8, 8)), mean_landmarks(), 64).any()


def test_every_pixel_belongs_to_one_area() -> None:
    masks = area_masks()
    assert tuple(masks) == AREAS
    np.testing.assert_array_equal(np.sum(list(masks.values()), axis=0), 1)


def test_landmarks_lie_in_the_area_of_their_region() -> None:
    masks = area_masks()
    for region, members in REGIONS.items():
        for x, y in np.round(mean_landmarks()[list(members)]).astype(int):
            assert masks[region][y, x]


def test_cheeks_and_chin_are_anatomically_plausible() -> None:
    masks, points = area_masks(), mean_landmarks()
    for eye, corner, jaw in ((41, 48, 4), (46, 54, 12)):
        x, y = np.round((points[eye] + points[corner] + points[jaw]) / 3).astype(int)
        assert masks["cheeks"][y, x]
    x, y = np.round(0.5 * (points[57] + points[8])).astype(int)
    assert masks["chin"][y, x]
    left, right = masks["cheeks"][:, : SIDE // 2].sum(), masks["cheeks"][:, SIDE // 2 :].sum()
    assert left == pytest.approx(right, rel=0.05)
