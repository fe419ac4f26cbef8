"""A strip under a video that shows how values change: states as bars, levels as curves, events.

All times are seconds of the recording, in increasing order.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.drawing.colours import LIGHT, SKY, Colour, Pixels, ink_on, mixed
from edan_ros.drawing.text import draw_text, text_width

_BACKGROUND: Colour = (32, 30, 28)
_FAINT: Colour = (140, 134, 128)
_GRID: Colour = (62, 58, 54)
_MARGIN = 6
#: Height of a row of bars or marks in lines of text.
_ROW_HEIGHT = 1.6
#: Levels with a line and a number.
_GRID_LEVELS = (0.0, 0.5, 1.0)
#: Columns of a dash, of its gap and of a dot.
_DASH, _DASH_GAP, _DOT = 6, 6, 3
#: Length of the sample of a curve in its legend, in heights of a capital letter.
_LEGEND_LINE = 1.8
#: Seconds for which a sentence is shown in full, and then fades.
_SHOWN, _FADING = 3.0, 1.0


@dataclass(frozen=True)
class Span:
    """A state from ``begin`` (seconds) to the next span of its row.

    text, short: written in the bar where they fit, ``short`` where ``text`` does not.
    """

    begin: float
    text: str
    colour: Colour
    short: str = ""


class StripRow(Protocol):
    """A row of the strip."""

    name: str
    height: float  # in lines of text

    def draw(self, canvas: Pixels, area: RowArea) -> None:
        """Draw what lies between the times of the area."""


@dataclass(frozen=True)
class RowArea:
    """The rectangle of a row in pixels, and the seconds that it spans."""

    left: int
    right: int
    top: int
    bottom: int
    begin: float
    end: float
    letter: float  # height of a capital letter

    def x(self, seconds: float) -> int:
        """Return the column of a time, clipped to the area."""
        share = (seconds - self.begin) / max(self.end - self.begin, 1e-6)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left))

    def y(self, level: float) -> int:
        """Return the pixel row of a level from 0 to 1, with room for numbers at both ends."""
        height = self.bottom - self.top - self.letter
        return round(self.bottom - 0.5 * self.letter - min(max(level, 0.0), 1.0) * height)


@dataclass
class States:
    """A row of bars: which of several states holds."""

    name: str
    height: float = _ROW_HEIGHT
    spans: list[Span] = field(default_factory=list)

    def add(self, seconds: float, text: str, colour: Colour, short: str = "") -> bool:
        """Set the state from now on; return whether it is a new one."""
        if self.spans and (self.spans[-1].text, self.spans[-1].colour) == (text, colour):
            return False
        self.spans.append(Span(seconds, text, colour, short))
        return True

    def draw(self, canvas: Pixels, area: RowArea) -> None:
        """Draw a bar per state, with its text where there is room."""
        for span, end in _with_ends(self.spans, area.end):
            if end <= area.begin or span.begin >= area.end:
                continue
            x0, x1 = area.x(span.begin), area.x(end)
            cv2.rectangle(canvas, (x0, area.top + 1), (x1, area.bottom - 2), span.colour, -1)
            if area.begin < span.begin:
                canvas[area.top : area.bottom, x0] = _BACKGROUND
            _write_inside(canvas, span, x0, x1, area, ink_on(span.colour))


@dataclass
class Levels:
    """A row of curves from 0 to 1 in shades of one hue, with dotted lines at limits.

    A curve has a gap where its level is NaN.
    """

    name: str
    curves: Sequence[str]
    limits: Sequence[float] = ()
    hue: Colour = SKY
    height: float = 3.4
    points: list[tuple[float, tuple[float, ...]]] = field(default_factory=list)

    def add(self, seconds: float, *levels: float) -> None:
        """Add the present level of each curve."""
        self.points.append((seconds, levels))

    def draw(self, canvas: Pixels, area: RowArea) -> None:
        """Draw the curves over the axis and the limits; the legend is under the row's name."""
        for level in _GRID_LEVELS:
            y = area.y(level)
            cv2.line(canvas, (area.left, y), (area.right, y), _GRID, 1)
            place = area.left - _MARGIN, y - 0.4 * area.letter
            draw_text(canvas, f"{level:g}", *place, _FAINT, size=0.8 * area.letter, align="right")
        for limit in self.limits:
            for dot in range(_DOT):
                canvas[area.y(limit), area.left + dot : area.right : 8] = _FAINT
        first = bisect_left(self.points, area.begin, key=lambda point: point[0])
        shown = self.points[first : bisect_right(self.points, area.end, key=lambda point: point[0])]
        times = [seconds for seconds, _ in shown]
        columns = np.interp(times, (area.begin, area.end), (area.left, area.right))
        for i, name in enumerate(self.curves):
            levels = np.array([levels[i] for _, levels in shown])
            rows = np.interp(levels, (0.0, 1.0), (area.y(0.0), area.y(1.0)))
            known = np.flatnonzero(~np.isnan(levels))
            for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
                if len(run):
                    self._draw_curve(canvas, columns[run], rows[run], i)
            top = area.top + round((0.85 + 1.75 * (i + 1)) * area.letter)
            middle = top + round(0.5 * area.letter)
            sample = _MARGIN + round(_LEGEND_LINE * area.letter)
            self._draw_curve(canvas, np.array([_MARGIN, sample]), np.full(2, middle), i)
            draw_text(canvas, name, _MARGIN + sample, top, _FAINT, size=area.letter)

    def _draw_curve(
        self, canvas: Pixels, columns: NDArray[Any], rows: NDArray[Any], index: int
    ) -> None:
        """Draw the first curve as a solid line, the others as dashed, lighter ones."""
        if index == 0 or len(columns) < 2:
            line = np.round(np.stack([columns, rows], axis=1)).astype(np.int32)
            cv2.polylines(canvas, [line], False, self.hue, 2, cv2.LINE_AA)
            return
        x = np.arange(round(columns[0]), round(columns[-1]) + 1)
        line = np.stack([x, np.round(np.interp(x, columns, rows))], axis=1).astype(np.int32)
        dashes = [line[i : i + _DASH + 1] for i in range(0, len(line), _DASH + _DASH_GAP)]
        cv2.polylines(canvas, dashes, False, mixed(self.hue, LIGHT, 0.5), 2, cv2.LINE_AA)


@dataclass
class Events:
    """A row of marks, one per event."""

    name: str
    height: float = _ROW_HEIGHT
    spans: list[Span] = field(default_factory=list)

    def add(self, seconds: float, text: str, colour: Colour, short: str = "") -> None:
        """Add an event now."""
        self.spans.append(Span(seconds, text, colour, short))

    def draw(self, canvas: Pixels, area: RowArea) -> None:
        """Draw a line per event, with its text up to the next one."""
        for span, end in _with_ends(self.spans, math.inf):
            if area.begin <= span.begin <= area.end:
                x = area.x(span.begin)
                stop = area.x(end) if end <= area.end else area.right
                cv2.line(canvas, (x, area.top + 1), (x, area.bottom - 2), span.colour, 2)
                _write_inside(canvas, span, x + 2, stop, area, LIGHT)


class TimelineStrip:
    """Rows that share one time axis.

    Args:
        rows: from top to bottom.
        window: seconds that the strip under the video goes back.
        caption_lines: lines of text that it has room for.
    """

    def __init__(
        self, rows: Sequence[StripRow], window: float = 12.0, caption_lines: int = 3
    ) -> None:
        self.rows = tuple(rows)
        self.window = window
        self.caption_lines = caption_lines

    def strip(self, width: int, now: float, caption: Mapping[str, Colour]) -> Pixels:
        """Return the last seconds, (height, width, 3) BGR. caption: lines under the rows."""
        return self._draw(width, now - self.window, now, caption, self.caption_lines)

    def whole(self, width: int, begin: float, end: float) -> Pixels:
        """Return all rows from ``begin`` to ``end`` in one image, (height, width, 3) BGR."""
        return self._draw(width, begin, end, {}, 0)

    def _draw(
        self, width: int, begin: float, end: float, caption: Mapping[str, Colour], lines: int
    ) -> Pixels:
        letter = min(max(width / 125.0, 7.5), 12.5)
        line = round(1.8 * letter)
        heights = [round(row.height * line) for row in self.rows]
        total = sum(heights) + line * (1 + lines) + 6
        canvas = np.full((total, width, 3), _BACKGROUND, np.uint8)
        left = 2 * _MARGIN + max(_legend_width(row, letter) for row in self.rows)
        top = 3
        for row, height in zip(self.rows, heights, strict=True):
            area = RowArea(left, width - _MARGIN, top, top + height - 3, begin, end, letter)
            y = top + 0.5 * (_ROW_HEIGHT * line - letter) - 2
            draw_text(canvas, row.name, _MARGIN, y, LIGHT, size=letter)
            row.draw(canvas, area)
            top += height
        _draw_axis(canvas, RowArea(left, width - _MARGIN, top, top + line, begin, end, letter))
        wrapped = [
            (part, colour)
            for text, colour in caption.items()
            for part in _wrap(text, width - 2 * _MARGIN, letter)
        ]
        for i, (text, colour) in enumerate(wrapped[:lines]):
            y = top + line * (i + 1) + 0.6 * letter
            draw_text(canvas, text, _MARGIN, y, colour, size=letter)
        return canvas


def faded(text: str, age: float) -> dict[str, Colour]:
    """Return a line of a caption ``age`` seconds after it was spoken; empty once it has faded."""
    opacity = min(1.0 - (age - _SHOWN) / _FADING, 1.0)
    if not text or opacity <= 0.0:
        return {}
    return {text: mixed(_BACKGROUND, LIGHT, opacity)}


def _with_ends(spans: Sequence[Span], last: float) -> Iterator[tuple[Span, float]]:
    """Return each span with the start of the next, or with ``last``."""
    ends = [span.begin for span in spans] + [last]
    return zip(spans, ends[1:], strict=True)


def _draw_axis(canvas: Pixels, area: RowArea) -> None:
    """Draw ticks at whole seconds, as many as are legible, with their times where they fit."""
    span, size = area.end - area.begin, 0.85 * area.letter
    step = next((s for s in (1, 2, 5, 10, 30, 60, 300) if span / s <= 14), 600)
    first = step * math.ceil(max(area.begin, 0.0) / step)
    for second in range(first, int(area.end) + 1, step):
        x, text = area.x(second), f"{second} s"
        cv2.line(canvas, (x, area.top), (x, area.top + 3), _FAINT, 1)
        if x + 0.5 * text_width(text, size) <= canvas.shape[1]:
            draw_text(canvas, text, x, area.top + 6, _FAINT, size=size, align="center")


def _legend_width(row: StripRow, letter: float) -> int:
    """Return the width of what is left of a row: its name, its curves and their axis."""
    width = text_width(row.name, letter)
    if isinstance(row, Levels):
        names = max((text_width(name, letter) for name in row.curves), default=0)
        legend = round(_LEGEND_LINE * letter) + _MARGIN + names
        width = max(width, legend) + 2 * _MARGIN + text_width("0.5", 0.8 * letter)
    return width


def _wrap(text: str, width: int, letter: float) -> list[str]:
    """Break a text into lines of a width."""
    lines: list[list[str]] = []
    space, end = text_width(" ", letter), math.inf
    for word in text.split():
        end += space + text_width(word, letter)
        if end > width:
            lines.append([])
            end = text_width(word, letter)
        lines[-1].append(word)
    return [" ".join(words) for words in lines]


def _write_inside(
    canvas: Pixels, span: Span, x0: int, x1: int, area: RowArea, colour: Colour
) -> None:
    """Write the longest text of a span that fits between two columns."""
    for text in (span.text, span.short):
        if text_width(text, area.letter) <= x1 - x0 - 2 * _MARGIN:
            y = 0.5 * (area.top + area.bottom - area.letter) - 1
            draw_text(canvas, text, x0 + _MARGIN, y, colour, size=area.letter)
            return
