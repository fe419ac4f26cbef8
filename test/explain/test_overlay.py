"""The drawn map: grey where the map is empty, red where it is strongest."""

from __future__ import annotations

import numpy as np

from edan_ros.explain.overlay import overlay


def test_an_empty_map_leaves_the_crop_grey() -> None:
    picture = overlay(np.full((64, 64), 100.0), np.zeros((8, 8)), side=128)
    assert picture.shape == (128, 128, 3)
    assert picture.dtype == np.uint8
    assert (picture == 100).all()


def test_the_strongest_cell_is_red() -> None:
    values = np.zeros((8, 8))
    values[1, 6] = 1.0
    picture = overlay(np.full((64, 64), 100.0), values, side=256).astype(int)
    # The middle of the cell in row 1, column 6, of 32 pixels each.
    blue, green, red = picture[48, 208]
    assert red > blue + 50
    assert red > green + 50
    assert (picture[200, 30] == 100).all()
