"""The mean maps of a study, and its deletion and insertion curves, as pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.drawing.faces import Colour
from edan_ros.explain.faithfulness import STEPS
from edan_ros.explain.lettering import INK, PAPER, PENCIL, Pixels, text
from edan_ros.explain.mean_shape import SIDE, mean_landmarks
from edan_ros.explain.sheet import draw_lines
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
    """Two rows over the mean face's outlines: mean maps, and their differences from that of all.

    (height, width, 3) BGR. Each row has one scale, said beside it.
    """
    maps = study.mean_maps(method)
    columns = [ALL, *EMOTIONS]
    picture = _paper(2, len(columns), f"{TITLES[method]}: mean maps")
    top = max((float(values.max()) for values in maps.values()), default=1.0)
    differences = {name: values - maps[ALL] for name, values in maps.items() if name != ALL}
    # A single emotion does not differ from all of them.
    reach = max((float(np.abs(v).max()) for v in differences.values()), default=0.0) or 1.0
    labels = (
        ("mean", "white: nothing", f"red: {top:.1f} times a flat map"),
        ("less that of all", f"red: {reach:.1f} more", f"blue: {reach:.1f} less"),
    )
    for row, lines in enumerate(labels):
        for i, line in enumerate(lines):
            text(picture, line, _GAP, _y(row) + 8 + 20 * i, INK if i == 0 else PENCIL, size=9)
    for column, name in enumerate(columns):
        text(picture, name, _x(column) + TILE // 2, _TOP - 2, INK, middle=True)
        if name in maps:
            _place(picture, 0, column, _diverging(maps[name] / top))
        if name in differences:
            _place(picture, 1, column, _diverging(differences[name] / reach))
    return picture


def draw_curves(study: Study) -> Pixels:
    """Mean deletion and insertion curves of each emotion, (height, width, 3) BGR."""
    picture = _paper(2, len(EMOTIONS), "probability of the emotion while its face is ...")
    methods = [*study.methods, RANDOM, CENTRE]
    for row, (curve, title) in enumerate(
        (("deletion", "... deleted"), ("insertion", "... put back"))
    ):
        text(picture, title, _GAP, _y(row) + 8, INK)
        for column, name in enumerate(EMOTIONS):
            text(picture, name, _x(column) + TILE // 2, _TOP - 2, INK, middle=True)
            faces = study.of(column)
            left, top = _x(column), _y(row)
            cv2.rectangle(picture, (left, top), (left + TILE, top + TILE), (215, 215, 215), 1)
            for method in methods if faces else []:
                mean = np.mean([getattr(face, curve)[method] for face in faces], axis=0)
                across = left + np.arange(STEPS + 1) * TILE / STEPS
                points = np.stack([across, top + TILE * (1.0 - mean)], axis=1)
                line = np.round(points).astype(np.int32).reshape(-1, 1, 2)
                cv2.polylines(picture, [line], False, _COLOURS[method], 2, cv2.LINE_AA)
    for i, method in enumerate(methods):
        y = _y(0) + 40 + 20 * i
        cv2.line(picture, (_GAP, y + 5), (_GAP + 16, y + 5), _COLOURS[method], 2, cv2.LINE_AA)
        text(picture, TITLES[method], _GAP + 22, y, PENCIL, size=8)
    return picture


def _paper(rows: int, columns: int, title: str) -> Pixels:
    size = _TOP + 20 + rows * (TILE + _GAP), _LEFT + columns * (TILE + _GAP), 3
    picture = np.full(size, PAPER, np.uint8)
    text(picture, title, _GAP, 8, INK, size=12)
    return picture


def _x(column: int) -> int:
    return _LEFT + column * (TILE + _GAP)


def _y(row: int) -> int:
    return _TOP + 18 + row * (TILE + _GAP)


def _place(picture: Pixels, row: int, column: int, tile: Pixels) -> None:
    draw_lines(tile, (mean_landmarks() + 0.5) * TILE / SIDE - 0.5, INK)
    picture[_y(row) : _y(row) + TILE, _x(column) : _x(column) + TILE] = tile


def _diverging(values: NDArray[np.floating]) -> Pixels:
    """(TILE, TILE, 3) colours of a (SIDE, SIDE) map: blue for -1, white for 0, red for 1."""
    fine = cv2.resize(np.asarray(values, np.float32), (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    fine = np.clip(fine, -1.0, 1.0)[..., None]
    red, blue = np.array([40.0, 30.0, 200.0]), np.array([190.0, 90.0, 20.0])
    end = np.where(fine > 0, red, blue)
    return np.asarray(255.0 + np.abs(fine) * (end - 255.0), np.uint8)
