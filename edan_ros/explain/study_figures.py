"""Figures of a study: mean maps, and deletion and insertion curves."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.drawing.charts import Line, Panel, line_chart
from edan_ros.drawing.colours import Colour, Pixels
from edan_ros.drawing.text import draw_text
from edan_ros.explain.canvas import BACKGROUND, MUTED, TEXT, draw_outlines
from edan_ros.explain.faithfulness import STEPS
from edan_ros.explain.mean_shape import SIDE, mean_landmarks
from edan_ros.explain.study import ALL, CENTRE, RANDOM, Study
from edan_ros.explain.study_tables import TITLES

TILE, _GAP, _LEFT, _TOP = 160, 10, 190, 30


def draw_mean_maps(study: Study, method: str) -> Pixels:
    """Draw the mean maps, and below them their differences from the mean over all emotions.

    Both rows show the outlines of the mean face. Each has its own scale, written beside it.

    Returns:
        (height, width, 3) BGR.
    """
    maps = study.mean_maps(method)
    columns = [ALL, *EMOTIONS]
    canvas = _blank(2, len(columns), f"{TITLES[method]}: mean maps")
    top = max((float(values.max()) for values in maps.values()), default=1.0)
    differences = {name: values - maps[ALL] for name, values in maps.items() if name != ALL}
    # The difference of a single emotion is 0.
    extent = max((float(np.abs(v).max()) for v in differences.values()), default=0.0) or 1.0
    labels = (
        ("mean", "black: 0", f"yellow: {top:.1f} x uniform map"),
        ("minus the mean of all", f"red: {extent:.1f} more", f"blue: {extent:.1f} less"),
    )
    for row, lines in enumerate(labels):
        for i, line in enumerate(lines):
            draw_text(canvas, line, _GAP, _y(row) + 8 + 20 * i, TEXT if i == 0 else MUTED, size=9)
    for column, name in enumerate(columns):
        draw_text(canvas, name, _x(column) + TILE // 2, _TOP - 2, TEXT, size=10, align="center")
        if name in maps:
            _place(canvas, 0, column, _magma(maps[name] / top), BACKGROUND)
        if name in differences:
            _place(canvas, 1, column, _diverging(differences[name] / extent), TEXT)
    return canvas


def draw_curves(study: Study) -> str:
    """Draw the mean deletion and insertion curves of each emotion, as SVG."""
    across = np.linspace(0.0, 100.0, STEPS + 1)
    panels = []
    for k, name in enumerate(EMOTIONS):
        faces = study.of(k)
        for curve, done in (("deletion", "deleted"), ("insertion", "inserted")) if faces else ():
            lines = [
                Line(
                    TITLES[method],
                    across.tolist(),
                    np.mean([getattr(face, curve)[method] for face in faces], axis=0).tolist(),
                    dashed=method in (RANDOM, CENTRE),
                )
                for method in (*study.methods, RANDOM, CENTRE)
            ]
            panels.append(Panel(f"{name}, {curve}", lines, f"% {done}", y_range=(0.0, 1.0)))
    title = "Probability of the emotion while the face is deleted or inserted"
    return line_chart(panels, title=title, columns=2)


def _blank(rows: int, columns: int, title: str) -> Pixels:
    size = _TOP + 20 + rows * (TILE + _GAP), _LEFT + columns * (TILE + _GAP), 3
    canvas = np.full(size, BACKGROUND, np.uint8)
    draw_text(canvas, title, _GAP, 8, TEXT, size=12)
    return canvas


def _x(column: int) -> int:
    return _LEFT + column * (TILE + _GAP)


def _y(row: int) -> int:
    return _TOP + 18 + row * (TILE + _GAP)


def _place(canvas: Pixels, row: int, column: int, tile: Pixels, lines: Colour) -> None:
    draw_outlines(tile, (mean_landmarks() + 0.5) * TILE / SIDE - 0.5, lines)
    canvas[_y(row) : _y(row) + TILE, _x(column) : _x(column) + TILE] = tile


def _magma(values: NDArray[np.floating]) -> Pixels:
    """Colour a (SIDE, SIDE) map, 0 to 1, as (TILE, TILE, 3)."""
    fine = cv2.resize(np.asarray(values, np.float32), (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    levels = np.asarray(255.0 * np.clip(fine, 0.0, 1.0), np.uint8)
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_MAGMA), np.uint8)


def _diverging(values: NDArray[np.floating]) -> Pixels:
    """Colour a (SIDE, SIDE) map, blue for -1, white for 0, red for 1, as (TILE, TILE, 3)."""
    fine = cv2.resize(np.asarray(values, np.float32), (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    fine = np.clip(fine, -1.0, 1.0)[..., None]
    red, blue = np.array([40.0, 30.0, 200.0]), np.array([190.0, 90.0, 20.0])
    end = np.where(fine > 0, red, blue)
    return np.asarray(255.0 + np.abs(fine) * (end - 255.0), np.uint8)
