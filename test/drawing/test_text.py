"""Text in images: the font, other scripts, positions and shortening."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.drawing.colours import Pixels
from edan_ros.drawing.text import draw_text, fit_text, text_width

WHITE = (255, 255, 255)
LATIN = st.text(st.characters(max_codepoint=0x17F, exclude_categories=["Cs"]), max_size=12)


def ink_of(text: str, *, size: float = 20.0, x: float = 40, y: float = 40) -> Pixels:
    """Return one channel of a black canvas with white text."""
    canvas = np.zeros((120, 600, 3), np.uint8)
    draw_text(canvas, text, x, y, WHITE, size=size)
    return canvas[..., 0]


@pytest.mark.parametrize("size", [8, 14, 23, 40])
def test_capitals_fill_the_height_from_the_given_top(size: int) -> None:
    rows = np.flatnonzero(ink_of("HEX", size=size).max(axis=1) > 128)
    assert abs(rows[0] - 40) <= 1
    assert abs(rows[-1] + 1 - (40 + size)) <= 1


@pytest.mark.parametrize("text", ["happy 87%", "Łódź, świt", "Ελλάδα", "Привет"])
def test_ink_lies_within_the_measured_width(text: str) -> None:
    columns = np.flatnonzero(ink_of(text).max(axis=0) > 64)
    assert 38 <= columns[0] <= 44
    assert abs(columns[-1] - (40 + text_width(text, 20))) <= 4


def test_accents_are_drawn() -> None:
    assert np.count_nonzero(ink_of("ŁÓŚ")) > np.count_nonzero(ink_of("LOS"))


@pytest.mark.parametrize(
    "text", ["日本語.jpg", "صورة", "😀 smile", "a\udcffb", "x\n\ty\x00", "\u200b"]
)
def test_any_file_name_can_be_drawn(text: str) -> None:
    ink_of(text)
    assert text_width(text, 20) >= 0


def test_a_character_without_a_font_becomes_a_question_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")  # no fontconfig
    assert np.array_equal(ink_of("a\U00013000b"), ink_of("a?b"))


def test_a_space_keeps_its_width_between_scripts() -> None:
    assert text_width("\u05d0 b", 20) > text_width("\u05d0b", 20)
    assert text_width("a b", 20) > text_width("ab", 20)


def test_alignment_moves_text_by_its_width() -> None:
    canvas = np.zeros((120, 600, 3), np.uint8)
    draw_text(canvas, "fear", 40 + text_width("fear", 20), 40, WHITE, size=20, align="right")
    assert np.array_equal(canvas[..., 0], ink_of("fear"))


def test_colour_is_blended_over_the_ground() -> None:
    canvas = np.full((40, 40, 3), 100, np.uint8)
    draw_text(canvas, "I", 10, 5, (0, 200, 255), size=30)
    assert (canvas == (0, 200, 255)).all(axis=2).any()
    assert (canvas[:, :, 0] <= 100).all()
    assert (canvas[:, :, 2] >= 100).all()


@given(LATIN, st.integers(-80, 200), st.integers(-60, 120))
@settings(max_examples=40, deadline=None)
def test_text_is_cut_off_at_every_edge_of_the_image(text: str, x: int, y: int) -> None:
    small, large = np.zeros((60, 100, 3), np.uint8), np.zeros((300, 600, 3), np.uint8)
    draw_text(small, text, x, y, WHITE, size=15)
    draw_text(large, text, x + 100, y + 100, WHITE, size=15)
    assert np.array_equal(small, large[100:160, 100:200])


@given(LATIN, st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_a_shortened_text_fits_and_is_a_prefix(text: str, width: int) -> None:
    short = fit_text(text, width, 12)
    assert text_width(short, 12) <= width
    assert short == text or short == "" or (short[-1] == "…" and text.startswith(short[:-1]))
