"""The strip under a video: what holds is where its time is, whatever the width."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.drawing.colours import LIGHT, LIME, STATE_COLOURS, emotion_colour, mixed
from edan_ros.drawing.timeline import Events, Levels, States, TimelineStrip, faded

GREEN, RED = STATE_COLOURS["good"], STATE_COLOURS["alarm"]


def columns_of(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The columns of pixels that hold a colour."""
    return np.flatnonzero(np.all(image == colour, axis=2).any(axis=0))


def test_a_bar_spans_the_time_for_which_it_holds() -> None:
    states = States("state")
    assert states.add(0.0, "calm", GREEN)
    assert not states.add(2.0, "calm", GREEN)
    assert states.add(5.0, "alarm", RED)
    image = TimelineStrip([states]).whole(800, 0.0, 10.0)
    green, red = columns_of(image, GREEN), columns_of(image, RED)
    assert abs(green.max() - red.min()) <= 2
    assert red.max() - red.min() == pytest.approx(green.max() - green.min(), abs=3)
    assert red.max() == 800 - 6


def test_the_strip_shows_the_last_seconds_only() -> None:
    states = States("state")
    states.add(0.0, "", GREEN)
    states.add(5.0, "", RED)
    timeline = TimelineStrip([states], window=4.0)
    assert columns_of(timeline.strip(640, 10.0, {}), GREEN).size == 0
    halves = timeline.strip(640, 7.0, {})
    assert abs(columns_of(halves, GREEN).max() - columns_of(halves, RED).min()) <= 2


def rows_of(image: np.ndarray, colour: tuple[int, int, int], column: int) -> np.ndarray:
    """The rows of a column that hold a colour."""
    return np.flatnonzero(np.all(image[:, column] == colour, axis=1))


def test_a_curve_is_at_the_height_of_its_level() -> None:
    def height(level: float) -> float:
        levels = Levels("level", ("one",), hue=LIME)
        for i in range(11):
            levels.add(float(i), level)
        image = TimelineStrip([levels]).whole(800, 0.0, 10.0)
        return float(rows_of(image, LIME, 500).mean())

    low, middle, high = height(0.0), height(0.5), height(1.0)
    assert low - high > 20
    assert middle == pytest.approx((low + high) / 2, abs=1)


def test_a_curve_has_gaps_where_its_level_is_unknown() -> None:
    levels = Levels("level", ("one", "two"), hue=LIME)
    for i in range(101):
        levels.add(0.1 * i, float("nan") if 40 <= i <= 60 else 0.5, float("nan"))
    image = TimelineStrip([levels]).whole(800, 0.0, 10.0)
    drawn = columns_of(image[:, 200:], LIME)
    gap = int(np.diff(drawn).argmax())  # from 3.9 to 6.1 s
    rest = drawn[-1] - drawn[gap + 1]  # from there to 10 s
    assert drawn[gap + 1] - drawn[gap] == pytest.approx(rest * 2.2 / 3.9, abs=4)
    dashed = mixed(LIME, LIGHT, 0.5)
    assert columns_of(image[:, 200:], dashed).size == 0


def test_an_axis_has_lines_at_none_half_and_all_of_the_height() -> None:
    image = TimelineStrip([Levels("level", ())]).whole(800, 0.0, 10.0)
    line = np.flatnonzero((image[:, 500] != image[0, 500]).any(axis=1))[:3]
    assert line[2] - line[1] == pytest.approx(line[1] - line[0], abs=1)
    labels = image[:, :100].max(axis=(1, 2)) > 100
    assert all(labels[row - 3 : row + 4].any() for row in line)


def test_the_second_curve_is_dashed_and_the_first_is_solid() -> None:
    levels = Levels("level", ("one", "two"), hue=LIME)
    levels.add(0.0, 0.25, 0.75)
    levels.add(10.0, 0.25, 0.75)
    image = TimelineStrip([levels]).whole(800, 0.0, 10.0)
    row = int(rows_of(image, LIME, 500)[0])
    assert np.all(image[row, 200:700] == LIME)
    lighter = np.all(image[:, 200:700] == mixed(LIME, LIGHT, 0.5), axis=2).any(axis=0)
    assert 0.3 < lighter.mean() < 0.8


def test_a_text_is_written_only_where_all_of_it_fits() -> None:
    def inked(seconds: float) -> bool:
        states = States("state")
        states.add(0.0, "eyes closed", GREEN)
        states.add(seconds, "", RED)
        image = TimelineStrip([states]).whole(800, 0.0, 10.0)
        columns = columns_of(image, GREEN)
        bar = image[10, columns.min() + 2 : columns.max() - 1]
        return bool((bar != GREEN).any())

    assert inked(5.0)
    assert not inked(0.6)


def test_a_short_text_is_written_where_the_long_one_does_not_fit() -> None:
    def drawn(text: str, short: str = "") -> np.ndarray:
        events = Events("event")
        events.add(8.0, text, RED, short)
        return TimelineStrip([events]).whole(800, 0.0, 10.0)

    long = "The person on your right now looks happy."
    assert np.array_equal(drawn(long, "changed"), drawn("changed"))
    assert np.array_equal(drawn("Hello.", "changed"), drawn("Hello."))


def test_a_caption_fades_after_three_seconds() -> None:
    assert faded("Hello.", 0.0) == faded("Hello.", 3.0) == {"Hello.": LIGHT}
    (colour,) = faded("Hello.", 3.5).values()
    assert all(30 < value < 200 for value in colour)
    assert faded("Hello.", 4.0) == {}
    assert faded("", 0.0) == {}


def test_a_mark_is_at_its_time() -> None:
    events = Events("event")
    events.add(5.0, "bang", RED)
    image = TimelineStrip([events]).whole(800, 0.0, 10.0)
    marked = columns_of(image[:6], RED)
    assert marked.size in (2, 3)
    assert 400 < marked.mean() < 460


@pytest.mark.parametrize("width", [64, 320, 640, 1920])
def test_the_height_of_the_strip_is_constant(width: int) -> None:
    timeline = TimelineStrip([States("state"), Levels("level", ("one",), (0.5,)), Events("event")])
    empty = timeline.strip(width, 0.0, {})
    text = "Zażółć gęślą jaźń, ¿quién está ahí? " * 20
    full = timeline.strip(width, 3.0, {text: (255, 255, 255), "more": (0, 255, 0)})
    assert empty.shape == full.shape
    assert empty.shape[1] == width
    assert (full != empty).any()


def test_a_long_caption_is_broken_between_words() -> None:
    strip = TimelineStrip([States("state")]).strip(400, 0.0, {"word " * 20: LIGHT})
    lines = np.flatnonzero((strip == LIGHT).all(axis=2).any(axis=1))
    begins = lines[np.flatnonzero(np.diff(lines, prepend=-9) > 5)]
    assert len(begins) == 1 + 2  # the name of the row, and two lines
    assert not (strip[begins[1] :, 394:] == LIGHT).all(axis=2).any()


def test_a_label_that_is_not_an_emotion_has_the_colour_of_unknown() -> None:
    assert emotion_colour("nobody") == emotion_colour("unknown") != emotion_colour("happy")
