"""The sheet of a face: size, parts, scale and privacy."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from known_model import HAPPY, SAD, make_image
from test_explanation import explain, face

from edan_ros.drawing.colours import EMOTION_COLOURS
from edan_ros.drawing.privacy import apply_privacy
from edan_ros.explain.explanation import METHODS
from edan_ros.explain.sheet import TILE, draw_sheet, face_tile

PIXELS = cv2.cvtColor(make_image(1, smiling=True), cv2.COLOR_GRAY2BGR)
SUBJECT = face(make_image(1, smiling=True))


def sheet(pixels: np.ndarray, *emotions: int, outlines: bool = False) -> np.ndarray:
    rows = [[explain(SUBJECT, method, emotion) for method in METHODS] for emotion in emotions]
    return draw_sheet(pixels, rows, title="a face", outlines=outlines)


def tile_of(drawn: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return a tile of a sheet with two methods."""
    top, left = 40 + 58 + row * (58 + TILE + 16), 16 + column * (TILE + 16)
    return drawn[top : top + TILE, left : left + TILE]


def test_a_sheet_has_a_row_per_emotion_and_a_tile_per_method() -> None:
    one, two = sheet(PIXELS, HAPPY), sheet(PIXELS, HAPPY, SAD)
    assert one.shape[1] == two.shape[1] > 4 * TILE
    assert two.shape[0] - one.shape[0] > TILE
    np.testing.assert_array_equal(tile_of(one, 0, 0), face_tile(PIXELS, SUBJECT))


def test_no_text_reaches_into_the_next_column() -> None:
    drawn = sheet(PIXELS, HAPPY)
    for column in range(1, 4):
        left = column * (TILE + 16)
        assert (drawn[80 : 98 + TILE, left + 2 : left + 14] == 255).all()


def test_all_maps_of_a_sheet_have_one_scale() -> None:
    """The evidence of 'happy' takes away nearly all of it, that of 'sad' does not exist."""
    drawn = sheet(PIXELS, HAPPY, SAD)
    colours = [
        np.ptp(tile_of(drawn, row, column).astype(int), axis=2).max()
        for row in (0, 1)
        for column in (1, 2)
    ]
    assert min(colours[:2]) > 50
    assert max(colours[2:]) <= 1


def test_maps_without_much_effect_look_weak() -> None:
    """A twentieth of a point, beside half of the probability."""
    colours = []
    for largest in (0.5, 0.0005):
        found = replace(explain(SUBJECT, "occlusion"), drops=np.full((8, 8), largest))
        drawn = draw_sheet(PIXELS, [[found]], title="a face", outlines=False)
        colours.append(np.ptp(tile_of(drawn, 0, 1).astype(int), axis=2).max())
    strong, weak = colours
    assert strong > 50
    assert weak < strong / 3


def test_the_first_tile_is_the_crop_of_the_face() -> None:
    drawn = sheet(PIXELS, HAPPY)
    tile = face_tile(PIXELS, SUBJECT)
    small = cv2.resize(tile, (64, 64), interpolation=cv2.INTER_AREA).mean(axis=2)
    assert np.corrcoef(small.ravel(), make_image(1, smiling=True).ravel())[0, 1] > 0.85
    matches = cv2.matchTemplate(drawn, tile, cv2.TM_SQDIFF)
    assert matches.min() == 0.0


def test_probability_bars_have_the_colours_of_the_emotions() -> None:
    drawn = sheet(PIXELS, HAPPY)
    assert (drawn == np.array(EMOTION_COLOURS["happy"], np.uint8)).all(axis=2).sum() > 500


def test_no_pixel_of_the_face_is_shown_with_landmarks_only() -> None:
    hidden = apply_privacy(PIXELS, [SUBJECT], "landmarks-only")
    other = apply_privacy(255 - PIXELS, [SUBJECT], "landmarks-only")
    drawn = sheet(hidden, HAPPY, outlines=True)
    np.testing.assert_array_equal(drawn, sheet(other, HAPPY, outlines=True))
    # The outlines are drawn instead.
    assert (drawn != sheet(hidden, HAPPY)).any(axis=2).sum() > 300
