"""Line charts: points at their places, round ticks, a legend outside the area."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from edan_ros.drawing.charts import Line, Panel, line_chart


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [node.text or "" for node in root.iter() if node.tag.endswith("}text")]


def paths(svg: str) -> list[list[tuple[float, float]]]:
    """Return the points of each line."""
    found = re.findall(
        r'class="line" stroke="[^"]+"(?: stroke-dasharray="5 4")? d="(M[^"h]+)"', svg
    )
    pairs = [re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path) for path in found]
    return [[(float(x), float(y)) for x, y in path] for path in pairs]


def test_points_are_placed_on_linear_axes() -> None:
    svg = line_chart([Panel("p", [Line("a", [0, 5, 10], [0.0, 1.0, 0.5])], y_range=(0, 1))])
    (line,) = paths(svg)
    (x0, y0), (x1, y1), (x2, y2) = line
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y2 == pytest.approx((y0 + y1) / 2, abs=0.2)
    assert y1 < y0
    assert {"0", "0.2", "0.4", "0.6", "0.8", "1"} < set(texts(svg))


def test_equal_factors_are_equal_steps_on_a_logarithmic_axis() -> None:
    svg = line_chart([Panel("p", [Line("a", [1, 2, 3], [1.0, 10.0, 100.0])], y_log=True)])
    (((_, first), (_, second), (_, third)),) = paths(svg)
    assert first - second == pytest.approx(second - third, abs=0.2)
    assert {"1", "10", "100"} < set(texts(svg))


def test_a_missing_value_interrupts_the_line() -> None:
    svg = line_chart([Panel("p", [Line("a", [1, 2, 3], [1.0, math.nan, 2.0])])])
    assert svg.count("nan") == 0
    assert [len(path) for path in paths(svg)] == [2]
    assert re.search(r'd="M[^"L]*M', svg)


def test_panels_of_equal_lines_share_a_legend_and_names_are_escaped() -> None:
    lines = [Line("a < b", [0, 1], [0, 1]), Line("c", [0, 1], [1, 0], dashed=True)]
    one = line_chart([Panel("left", lines), Panel("right", lines)], columns=2)
    assert texts(one).count("a < b") == 1
    other = line_chart([Panel("left", lines), Panel("right", lines[:1])])
    assert texts(other).count("a < b") == 2


def test_a_single_point_is_marked() -> None:
    assert "<circle" in line_chart([Panel("p", [Line("a", [1], [2.0])])])
