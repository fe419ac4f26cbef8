"""Figures of a study: mean maps, and deletion and insertion curves."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.drawing.colours import Colour
from edan_ros.drawing.text import draw_text
from edan_ros.explain.canvas import BACKGROUND, MUTED, TEXT, Pixels, draw_outlines
from edan_ros.explain.faithfulness import STEPS
from edan_ros.explain.mean_shape import SIDE, mean_landmarks
from edan_ros.explain.study import ALL, CENTRE, RANDOM, Study
from edan_ros.explain.study_tables import TITLES

TILE, _GAP, _LEFT, _TOP = 160, 10, 190, 30
_COLOURS: dict[str, Colour] = {
    "gradcam": (178, 114, 0),
    "occlusion": (0, 94, 213),
    "gradcam-averaged": (115, 158, 0),
    RANDOM: (120, 120, 120),
    CENTRE: (167, 121, 204),
}


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
        ("mean", "white: 0", f"red: {top:.1f} times a uniform map"),
        ("minus the mean of all", f"red: {extent:.1f} more", f"blue: {extent:.1f} less"),
    )
    for row, lines in enumerate(labels):
        for i, line in enumerate(lines):
            draw_text(canvas, line, _GAP, _y(row) + 8 + 20 * i, TEXT if i == 0 else MUTED, size=9)
    for column, name in enumerate(columns):
        draw_text(canvas, name, _x(column) + TILE // 2, _TOP - 2, TEXT, size=10, align="center")
        if name in maps:
            _place(canvas, 0, column, _diverging(maps[name] / top))
        if name in differences:
            _place(canvas, 1, column, _diverging(differences[name] / extent))
    return canvas


def draw_curves(study: Study) -> Pixels:
    """Draw the mean deletion and insertion curves of each emotion, (height, width, 3) BGR."""
    canvas = _blank(2, len(EMOTIONS), "probability of the emotion while the face is ...")
    methods = [*study.methods, RANDOM, CENTRE]
    for row, (curve, title) in enumerate(
        (("deletion", "... deleted"), ("insertion", "... inserted"))
    ):
        draw_text(canvas, title, _GAP, _y(row) + 8, TEXT, size=10)
        for column, name in enumerate(EMOTIONS):
            draw_text(
                canvas,
                name,
                _x(column) + TILE // 2,
                _TOP - 2,
                TEXT,
                size=10,
                align="center",
            )
            faces = study.of(column)
            left, top = _x(column), _y(row)
            cv2.rectangle(canvas, (left, top), (left + TILE, top + TILE), (215, 215, 215), 1)
            for method in methods if faces else []:
                mean = np.mean([getattr(face, curve)[method] for face in faces], axis=0)
                across = left + np.arange(STEPS + 1) * TILE / STEPS
                points = np.stack([across, top + TILE * (1.0 - mean)], axis=1)
                line = np.round(points).astype(np.int32).reshape(-1, 1, 2)
                cv2.polylines(canvas, [line], False, _COLOURS[method], 2, cv2.LINE_AA)
    for i, method in enumerate(methods):
        y = _y(0) + 40 + 20 * i
        cv2.line(canvas, (_GAP, y + 5), (_GAP + 16, y + 5), _COLOURS[method], 2, cv2.LINE_AA)
        draw_text(canvas, TITLES[method], _GAP + 22, y, MUTED, size=8)
    return canvas


def _blank(rows: int, columns: int, title: str) -> Pixels:
    size = _TOP + 20 + rows * (TILE + _GAP), _LEFT + columns * (TILE + _GAP), 3
    canvas = np.full(size, BACKGROUND, np.uint8)
    draw_text(canvas, title, _GAP, 8, TEXT, size=12)
    return canvas


def _x(column: int) -> int:
    return _LEFT + column * (TILE + _GAP)


def _y(row: int) -> int:
    return _TOP + 18 + row * (TILE + _GAP)


def _place(canvas: Pixels, row: int, column: int, tile: Pixels) -> None:
    draw_outlines(tile, (mean_landmarks() + 0.5) * TILE / SIDE - 0.5, TEXT)
    canvas[_y(row) : _y(row) + TILE, _x(column) : _x(column) + TILE] = tile


def _diverging(values: NDArray[np.floating]) -> Pixels:
    """Colour a (SIDE, SIDE) map, blue for -1, white for 0, red for 1, as (TILE, TILE, 3)."""
    fine = cv2.resize(np.asarray(values, np.float32), (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    fine = np.clip(fine, -1.0, 1.0)[..., None]
    red, blue = np.array([40.0, 30.0, 200.0]), np.array([190.0, 90.0, 20.0])
    end = np.where(fine > 0, red, blue)
    return np.asarray(255.0 + np.abs(fine) * (end - 255.0), np.uint8)
