"""Line charts as SVG: transparent ground, colours for light and dark pages, legends outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle

#: Colours of series, distinguishable on white and on black.
_COLOURS = ("#2f7de1", "#d9730d", "#2a9d78", "#b45fc9", "#d1495b", "#8f8a3c", "#7f8893", "#4aa3b5")
#: Width of a chart, height of a panel's area, and margins around it, in units of the SVG.
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM, _LINE = 560, 190, 52, 16, 34, 42, 18
#: Mean width of a letter of the legend, generous, so that no font overlaps the next name.
_LETTER = 7.2
_STYLE = """
svg { color: #525c67; font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
@media (prefers-color-scheme: dark) { svg { color: #a9b2bd; } }
text { fill: currentColor; } .title { font-weight: 600; font-size: 13px; }
.axis { stroke: currentColor; fill: none; } .grid { stroke: currentColor; opacity: 0.16; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
"""


@dataclass(frozen=True)
class Line:
    """A series of points; NaN interrupts it.

    Attributes:
        name: in the legend.
        x: ascending.
        y: as many.
        labels: a word beside each point, which then is marked; none by default.
        dashed: whether the line is dashed.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    labels: Sequence[str] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines over common axes.

    Attributes:
        title: above the area.
        lines: in the order of the legend.
        x_title: below the area.
        x_log, y_log: whether the axis is logarithmic.
        x_range, y_range: limits of the axis; by default those of the points.
        dividers: places of vertical lines.
    """

    title: str
    lines: Sequence[Line]
    x_title: str = ""
    x_log: bool = False
    y_log: bool = False
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    dividers: Sequence[float] = ()


def line_chart(panels: Sequence[Panel], *, title: str = "", columns: int = 1) -> str:
    """Return an SVG of panels in rows of ``columns``; panels of equal lines share one legend."""
    names = [tuple(line.name for line in panel.lines) for panel in panels]
    shared = len(panels) > 1 and len(set(names)) == 1
    parts, top = [], 0.0
    if title:
        parts.append(f'<text class="title" x="8" y="16">{escape(title)}</text>')
        top = 1.5 * _LINE
    if shared:
        legend, height = _legend(names[0], _WIDTH)
        parts.append(f'<g transform="translate(0 {top})">{legend}</g>')
        top += height
    width = _WIDTH / columns
    for start in range(0, len(panels), columns):
        heights = []
        for column, panel in enumerate(panels[start : start + columns]):
            drawn, height = _panel(panel, width, legend=not shared)
            parts.append(f'<g transform="translate({column * width:.0f} {top:.0f})">{drawn}</g>')
            heights.append(height)
        top += max(heights)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top:.0f}" '
        f'width="{_WIDTH}" height="{top:.0f}"><style>{_STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


class _Axis:
    """Maps values to places from ``begin`` to ``end``."""

    def __init__(
        self, values: Sequence[float], log: bool, limits: tuple[float, float] | None
    ) -> None:
        self.log = log
        known = [v for v in values if math.isfinite(v) and (v > 0 or not log)] or [1.0]
        low, high = limits or (min(known), max(known))
        if low == high:
            low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
        self.low, self.high = low, high
        self.begin, self.end = 0.0, 1.0

    def place(self, value: float) -> float:
        """Return the place of a value; NaN outside the axis."""
        if not math.isfinite(value) or (self.log and value <= 0):
            return math.nan
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return self.begin + (at - low) / (high - low) * (self.end - self.begin)

    def ticks(self, count: int) -> list[float]:
        """Return round values, about ``count``."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [m * 10.0**d for d in decades for m in (1, 2, 5)]
            found = [v for v in found if self.low <= v <= self.high]
            tens = [v for v in found if math.isclose(math.log10(v) % 1.0, 0.0, abs_tol=1e-9)]
            return tens if len(tens) >= 3 else found
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / count))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (m * step) <= count)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _panel(panel: Panel, width: float, *, legend: bool) -> tuple[str, float]:
    x = _Axis([v for line in panel.lines for v in line.x], panel.x_log, panel.x_range)
    y = _Axis([v for line in panel.lines for v in line.y], panel.y_log, panel.y_range)
    x.begin, x.end, y.begin, y.end = _LEFT, width - _RIGHT, _TOP + _HEIGHT, _TOP
    parts = [f'<text class="title" x="8" y="16">{escape(panel.title)}</text>']
    for tick in y.ticks(5):
        at = f"{y.place(tick):.1f}"
        parts.append(f'<path class="grid" d="M{_LEFT} {at}H{x.end:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at}" dy="4" text-anchor="end">{tick:.4g}</text>')
    for tick in x.ticks(max(int(width / 60), 2)):
        at = f"{x.place(tick):.1f}"
        parts.append(
            f'<text x="{at}" y="{y.begin + 16:.1f}" text-anchor="middle">{tick:.4g}</text>'
        )
    for divider in panel.dividers:
        parts.append(f'<path class="grid" d="M{x.place(divider):.1f} {_TOP}V{y.begin:.1f}"/>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{y.begin:.1f}H{x.end:.1f}"/>')
    for line, colour in zip(panel.lines, cycle(_COLOURS), strict=False):
        parts.append(_line(line, x, y, colour))
    height: float = y.begin + _BOTTOM - (0 if panel.x_title else _LINE)
    if panel.x_title:
        middle = (x.begin + x.end) / 2
        text = escape(panel.x_title)
        parts.append(
            f'<text x="{middle:.1f}" y="{height - 8:.1f}" text-anchor="middle">{text}</text>'
        )
    if legend:
        drawn, more = _legend([line.name for line in panel.lines], width - _LEFT)
        parts.append(f'<g transform="translate({_LEFT - 8} {height})">{drawn}</g>')
        height += more
    return "".join(parts), height + 10


def _line(line: Line, x: _Axis, y: _Axis, colour: str) -> str:
    points = [(x.place(a), y.place(b)) for a, b in zip(line.x, line.y, strict=True)]
    path, pen = "", "M"
    for across, up in points:
        if math.isnan(across) or math.isnan(up):
            pen = "M"
            continue
        path += f"{pen}{across:.1f} {up:.1f}"
        pen = "L"
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    drawn = f'<path class="line" stroke="{colour}"{dash} d="{path}"/>'
    marks = line.labels or [""] * (len(points) == 1)
    for (across, up), label in zip(points, marks, strict=False):
        drawn += f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3" fill="{colour}"/>'
        drawn += (
            f'<text x="{across:.1f}" y="{up - 8:.1f}" text-anchor="middle">{escape(label)}</text>'
        )
    return drawn


def _legend(names: Sequence[str], width: float) -> tuple[str, float]:
    """Return the legend, wrapped at the width, and its height."""
    parts, across, down = [], 8.0, 4.0
    for name, colour in zip(names, cycle(_COLOURS), strict=False):
        needed = 30 + _LETTER * len(name)
        if across > 8.0 and across + needed > width:
            across, down = 8.0, down + _LINE
        parts.append(f'<path class="line" stroke="{colour}" d="M{across:.0f} {down + 4:.0f}h16"/>')
        parts.append(f'<text x="{across + 22:.0f}" y="{down + 8:.0f}">{escape(name)}</text>')
        across += needed
    return "".join(parts), down + _LINE + 4
