"""Overlays: grey where the map is empty, bright where it is strongest."""

from __future__ import annotations

import numpy as np

from edan_ros.explain.canvas import overlay


def test_an_empty_map_keeps_the_crop_grey() -> None:
    image = overlay(np.full((64, 64), 100.0), np.zeros((8, 8)), side=128)
    assert image.shape == (128, 128, 3)
    assert image.dtype == np.uint8
    assert (image == 100).all()


def test_the_strongest_cell_has_the_brightest_colour_of_magma() -> None:
    values = np.zeros((8, 8))
    values[1, 6] = 1.0
    image = overlay(np.full((64, 64), 100.0), values, side=256).astype(int)
    # The centre of the cell in row 1, column 6, at 32 pixels per cell.
    blue, green, red = image[48, 208]
    assert min(red, green) > blue + 30
    assert red > 200
    assert (image[200, 30] == 100).all()
