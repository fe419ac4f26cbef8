"""A strip under a video that shows how values change: states as bars, levels as curves, events.

All times are seconds of the recording, in increasing order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from edan_ros.drawing.colours import Colour, Pixels
from edan_ros.drawing.text import draw_text, text_width

_BACKGROUND: Colour = (32, 30, 28)
_INK: Colour = (235, 235, 235)
_FAINT: Colour = (110, 105, 100)
_CURVES: tuple[Colour, ...] = ((90, 90, 240), (80, 190, 250), (120, 210, 120), (220, 170, 80))
_MARGIN = 6
#: Height of a capital letter at scale 1.
_CAPITAL = 21.0


@dataclass(frozen=True)
class Span:
    """A state from ``begin`` (seconds) to the next span of its row. text: written in the bar."""

    begin: float
    text: str
    colour: Colour


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
    scale: float  # of the letters

    def x(self, seconds: float) -> int:
        """Return the column of a time, clipped to the area."""
        share = (seconds - self.begin) / max(self.end - self.begin, 1e-6)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left))

    def y(self, level: float) -> int:
        """Return the pixel row of a level from 0 to 1."""
        return round(self.bottom - 1 - min(max(level, 0.0), 1.0) * (self.bottom - self.top - 2))


@dataclass
class States:
    """A row of bars: which of several states holds."""

    name: str
    height: float = 1.6
    spans: list[Span] = field(default_factory=list)

    def add(self, seconds: float, text: str, colour: Colour) -> bool:
        """Set the state from now on; return whether it is a new one."""
        if self.spans and (self.spans[-1].text, self.spans[-1].colour) == (text, colour):
            return False
        self.spans.append(Span(seconds, text, colour))
        return True

    def draw(self, canvas: Pixels, area: RowArea) -> None:
        """Draw a bar per state, with its text where there is room."""
        for span, end in _with_ends(self.spans, area.end):
            if end <= area.begin or span.begin >= area.end:
                continue
            x0, x1 = area.x(span.begin), area.x(end)
            cv2.rectangle(canvas, (x0, area.top + 1), (x1, area.bottom - 2), span.colour, -1)
            _write_inside(canvas, span.text, x0, x1, area)


@dataclass
class Levels:
    """A row of curves from 0 to 1, with dotted lines at limits."""

    name: str
    curves: Sequence[str]
    limits: Sequence[float] = ()
    height: float = 3.0
    points: list[tuple[float, tuple[float, ...]]] = field(default_factory=list)

    def add(self, seconds: float, *levels: float) -> None:
        """Add the present level of each curve."""
        self.points.append((seconds, levels))

    def draw(self, canvas: Pixels, area: RowArea) -> None:
        """Draw the curves over the limits; the legend is under the name of the row."""
        for limit in self.limits:
            for x in range(area.left, area.right, 8):
                cv2.line(canvas, (x, area.y(limit)), (x + 2, area.y(limit)), _FAINT, 1)
        shown = [p for p in self.points if area.begin <= p[0] <= area.end]
        for i, name in enumerate(self.curves):
            line = [(area.x(seconds), area.y(levels[i])) for seconds, levels in shown]
            colour = _CURVES[i % len(_CURVES)]
            cv2.polylines(canvas, [np.array(line, np.int32)], False, colour, 1, cv2.LINE_AA)
            y = area.top + round((28 + 34 * (i + 1)) * area.scale)
            _write(canvas, name, _MARGIN, y, area.scale, colour)


@dataclass
class Events:
    """A row of marks, one per event."""

    name: str
    height: float = 1.6
    spans: list[Span] = field(default_factory=list)

    def add(self, seconds: float, text: str, colour: Colour) -> None:
        """Add an event now."""
        self.spans.append(Span(seconds, text, colour))

    def draw(self, canvas: Pixels, area: RowArea) -> None:
        """Draw a line per event, with its text up to the next one."""
        for span, end in _with_ends(self.spans, math.inf):
            if area.begin <= span.begin <= area.end:
                x = area.x(span.begin)
                stop = area.x(end) if end <= area.end else area.right
                cv2.line(canvas, (x, area.top + 1), (x, area.bottom - 2), span.colour, 2)
                _write_inside(canvas, span.text, x + 3, stop, area, span.colour)


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
        scale = min(max(width / 1600.0, 0.36), 0.6)
        line = round(38 * scale)
        heights = [round(row.height * line) for row in self.rows]
        captions = [
            line for text, colour in caption.items() for line in _wrap(text, colour, width, scale)
        ]
        total = sum(heights) + line * (1 + lines) + 6
        canvas = np.full((total, width, 3), _BACKGROUND, np.uint8)
        left = 2 * _MARGIN + max(_width(text, scale) for row in self.rows for text in _legend(row))
        top = 3
        for row, height in zip(self.rows, heights, strict=True):
            area = RowArea(left, width - _MARGIN, top, top + height - 3, begin, end, scale)
            _write(canvas, row.name, _MARGIN, top + round(28 * scale), scale, _INK)
            row.draw(canvas, area)
            top += height
        _draw_axis(canvas, RowArea(left, width - _MARGIN, top, top + line, begin, end, scale))
        for i, (text, colour) in enumerate(captions[:lines]):
            _write(canvas, text, _MARGIN, top + line * (i + 2) - 3, scale, colour)
        return canvas


def _with_ends(spans: Sequence[Span], last: float) -> Iterator[tuple[Span, float]]:
    """Return each span with the start of the next, or with ``last``."""
    ends = [span.begin for span in spans] + [last]
    return zip(spans, ends[1:], strict=True)


def _draw_axis(canvas: Pixels, area: RowArea) -> None:
    """Draw ticks at whole seconds, as many as are legible."""
    span = area.end - area.begin
    step = next((s for s in (1, 2, 5, 10, 30, 60, 300) if span / s <= 14), 600)
    for second in range(int(np.ceil(max(area.begin, 0.0))), int(area.end) + 1):
        if second % step == 0:
            x = area.x(second)
            cv2.line(canvas, (x, area.top), (x, area.top + 3), _FAINT, 1)
            y = area.top + 4 + round(24 * area.scale)
            _write(canvas, f"{second} s", x + 2, y, 0.85 * area.scale, _FAINT)


def _legend(row: StripRow) -> tuple[str, ...]:
    """Return the texts beside a row."""
    return (row.name, *row.curves) if isinstance(row, Levels) else (row.name,)


def _wrap(text: str, colour: Colour, width: int, scale: float) -> list[tuple[str, Colour]]:
    """Break a text into lines of a width."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and _width(longer, scale) > width - 2 * _MARGIN:
            lines.append((line, colour))
            line = word
        else:
            line = longer
    return [*lines, (line, colour)] if line else lines


def _write_inside(
    canvas: Pixels, text: str, x0: int, x1: int, area: RowArea, colour: Colour | None = None
) -> None:
    """Write text between two columns, cut off where it does not fit."""
    while text and _width(text, area.scale) > x1 - x0 - 4:
        text = text[:-1]
    if len(text) > 1:
        y = (area.top + area.bottom) // 2 + round(10 * area.scale)
        ink = colour or (_INK if sum(_colour_at(canvas, x0, area)) < 330 else _BACKGROUND)
        _write(canvas, text, x0 + 3, y, area.scale, ink)


def _colour_at(canvas: Pixels, x: int, area: RowArea) -> list[int]:
    column = min(x + 1, canvas.shape[1] - 1)
    return [int(v) for v in canvas[(area.top + area.bottom) // 2, column]]


def _write(canvas: Pixels, text: str, x: int, y: int, scale: float, colour: Colour) -> None:
    """Write text with its baseline at y."""
    size = _CAPITAL * scale
    draw_text(canvas, text, x, y - round(size), colour, size=size)


def _width(text: str, scale: float) -> int:
    return text_width(text, _CAPITAL * scale)
