"""A strip under a video that shows how values changed: states as bars, levels as curves, events.

All times are seconds of the recording, and grow.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.drawing.faces import EMOTION_COLOURS, Colour

Pixels = NDArray[np.uint8]

#: Blue, green, red of what is no emotion.
STATE_COLOURS: dict[str, Colour] = {
    "good": (110, 160, 90),
    "notice": (60, 160, 220),
    "alarm": (70, 70, 220),
    "none": (90, 90, 90),
}
_GROUND: Colour = (32, 30, 28)
_INK: Colour = (235, 235, 235)
_FAINT: Colour = (110, 105, 100)
_CURVES: tuple[Colour, ...] = ((90, 90, 240), (80, 190, 250), (120, 210, 120), (220, 170, 80))
_MARGIN = 6
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Span:
    """From `begin` on, up to the next of its row, this holds. text: in the bar; colour: its own."""

    begin: float
    text: str
    colour: Colour


class Row(Protocol):
    """One row of the strip."""

    name: str
    height: float  # in lines of text

    def draw(self, canvas: Pixels, frame: Frame) -> None:
        """Draws what lies between the frame's times."""


@dataclass(frozen=True)
class Frame:
    """Where a row lies: pixels from the left, top to bottom; and the seconds that it spans."""

    left: int
    right: int
    top: int
    bottom: int
    begin: float
    end: float
    scale: float  # of the letters

    def x(self, seconds: float) -> int:
        """The column of a time, inside the frame."""
        share = (seconds - self.begin) / max(self.end - self.begin, 1e-6)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left))

    def y(self, level: float) -> int:
        """The row of pixels of a level from 0 to 1."""
        return round(self.bottom - 1 - min(max(level, 0.0), 1.0) * (self.bottom - self.top - 2))


@dataclass
class States:
    """A row of bars: which of several things holds."""

    name: str
    height: float = 1.6
    spans: list[Span] = field(default_factory=list)

    def add(self, seconds: float, text: str, colour: Colour) -> bool:
        """What holds from now on; whether that is anything new."""
        if self.spans and (self.spans[-1].text, self.spans[-1].colour) == (text, colour):
            return False
        self.spans.append(Span(seconds, text, colour))
        return True

    def draw(self, canvas: Pixels, frame: Frame) -> None:
        """A bar each, with its text where there is room."""
        for span, end in _with_ends(self.spans, frame.end):
            if end <= frame.begin or span.begin >= frame.end:
                continue
            x0, x1 = frame.x(span.begin), frame.x(end)
            cv2.rectangle(canvas, (x0, frame.top + 1), (x1, frame.bottom - 2), span.colour, -1)
            _write_inside(canvas, span.text, x0, x1, frame)


@dataclass
class Levels:
    """A row of curves from 0 to 1, with dotted lines at limits of note."""

    name: str
    curves: Sequence[str]
    limits: Sequence[float] = ()
    height: float = 3.0
    points: list[tuple[float, tuple[float, ...]]] = field(default_factory=list)

    def add(self, seconds: float, *levels: float) -> None:
        """The level of each curve now."""
        self.points.append((seconds, levels))

    def draw(self, canvas: Pixels, frame: Frame) -> None:
        """The curves over the limits; the legend is under the row's name."""
        for limit in self.limits:
            for x in range(frame.left, frame.right, 8):
                cv2.line(canvas, (x, frame.y(limit)), (x + 2, frame.y(limit)), _FAINT, 1)
        shown = [p for p in self.points if frame.begin <= p[0] <= frame.end]
        for i, name in enumerate(self.curves):
            line = [(frame.x(seconds), frame.y(levels[i])) for seconds, levels in shown]
            colour = _CURVES[i % len(_CURVES)]
            cv2.polylines(canvas, [np.array(line, np.int32)], False, colour, 1, cv2.LINE_AA)
            y = frame.top + round((28 + 34 * (i + 1)) * frame.scale)
            _write(canvas, name, _MARGIN, y, frame.scale, colour)


@dataclass
class Events:
    """A row of marks: something happened."""

    name: str
    height: float = 1.6
    spans: list[Span] = field(default_factory=list)

    def add(self, seconds: float, text: str, colour: Colour) -> None:
        """Something happened now."""
        self.spans.append(Span(seconds, text, colour))

    def draw(self, canvas: Pixels, frame: Frame) -> None:
        """A stroke each, with its text up to the next one."""
        for span, end in _with_ends(self.spans, math.inf):
            if frame.begin <= span.begin <= frame.end:
                x = frame.x(span.begin)
                stop = frame.x(end) if end <= frame.end else frame.right
                cv2.line(canvas, (x, frame.top + 1), (x, frame.bottom - 2), span.colour, 2)
                _write_inside(canvas, span.text, x + 3, stop, frame, span.colour)


class Timeline:
    """The rows, and how they are drawn.

    rows: from top to bottom. window: seconds that the strip under the video goes back.
    caption_lines: lines of text that it has room for.
    """

    def __init__(self, rows: Sequence[Row], window: float = 12.0, caption_lines: int = 3) -> None:
        self.rows = tuple(rows)
        self.window = window
        self.caption_lines = caption_lines

    def strip(self, width: int, now: float, caption: Mapping[str, Colour]) -> Pixels:
        """The strip of the last seconds, (height, width, 3) BGR; caption: lines under the rows."""
        return self._draw(width, now - self.window, now, caption, self.caption_lines)

    def whole(self, width: int, begin: float, end: float) -> Pixels:
        """All rows from `begin` to `end` in one picture, (height, width, 3) BGR."""
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
        canvas = np.full((total, width, 3), _GROUND, np.uint8)
        left = 2 * _MARGIN + max(_width(text, scale) for row in self.rows for text in _legend(row))
        top = 3
        for row, height in zip(self.rows, heights, strict=True):
            frame = Frame(left, width - _MARGIN, top, top + height - 3, begin, end, scale)
            _write(canvas, row.name, _MARGIN, top + round(28 * scale), scale, _INK)
            row.draw(canvas, frame)
            top += height
        _draw_axis(canvas, Frame(left, width - _MARGIN, top, top + line, begin, end, scale))
        for i, (text, colour) in enumerate(captions[:lines]):
            _write(canvas, text, _MARGIN, top + line * (i + 2) - 3, scale, colour)
        return canvas


def _with_ends(spans: Sequence[Span], last: float) -> Iterator[tuple[Span, float]]:
    """Each span with the begin of the next, or with `last`."""
    ends = [span.begin for span in spans] + [last]
    return zip(spans, ends[1:], strict=True)


def under(picture: Pixels, strip: Pixels) -> Pixels:
    """A picture with a strip of the same width under it."""
    return np.vstack([picture, strip])


def _draw_axis(canvas: Pixels, frame: Frame) -> None:
    """Ticks at whole seconds, as many as can be read."""
    span = frame.end - frame.begin
    step = next((s for s in (1, 2, 5, 10, 30, 60, 300) if span / s <= 14), 600)
    for second in range(int(np.ceil(max(frame.begin, 0.0))), int(frame.end) + 1):
        if second % step == 0:
            x = frame.x(second)
            cv2.line(canvas, (x, frame.top), (x, frame.top + 3), _FAINT, 1)
            y = frame.top + 4 + round(24 * frame.scale)
            _write(canvas, f"{second} s", x + 2, y, 0.85 * frame.scale, _FAINT)


def _legend(row: Row) -> tuple[str, ...]:
    """What is written beside a row."""
    return (row.name, *row.curves) if isinstance(row, Levels) else (row.name,)


def _wrap(text: str, colour: Colour, width: int, scale: float) -> list[tuple[str, Colour]]:
    """A text in lines of a width."""
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
    canvas: Pixels, text: str, x0: int, x1: int, frame: Frame, colour: Colour | None = None
) -> None:
    """Text between two columns, cut off where it does not fit, not at all where nothing fits."""
    while text and _width(text, frame.scale) > x1 - x0 - 4:
        text = text[:-1]
    if len(text) > 1:
        y = (frame.top + frame.bottom) // 2 + round(10 * frame.scale)
        ink = colour or (_INK if sum(_colour_at(canvas, x0, frame)) < 330 else _GROUND)
        _write(canvas, text, x0 + 3, y, frame.scale, ink)


def _colour_at(canvas: Pixels, x: int, frame: Frame) -> list[int]:
    column = min(x + 1, canvas.shape[1] - 1)
    return [int(v) for v in canvas[(frame.top + frame.bottom) // 2, column]]


def _write(canvas: Pixels, text: str, x: int, y: int, scale: float, colour: Colour) -> None:
    cv2.putText(canvas, _plain(text), (x, y), _FONT, scale, colour, 1, cv2.LINE_AA)


def _width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(_plain(text), _FONT, scale, 1)[0][0])


def _plain(text: str) -> str:
    """OpenCV's letters have no accents: the nearest that it has."""
    bare = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    return bare.encode("ascii", "ignore").decode()


def emotion_colour(label: str) -> Colour:
    """The colour of an emotion's label, of "unknown" for any other text."""
    return EMOTION_COLOURS.get(label, EMOTION_COLOURS["unknown"])
