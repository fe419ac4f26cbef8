"""A figure that explains one face: what decided, the original, the maps, the probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Face
from edan_ros.drawing.colours import EMOTION_COLOURS, Pixels
from edan_ros.drawing.text import draw_text, fit_text
from edan_ros.explain.canvas import (
    BACKGROUND,
    MUTED,
    TEXT,
    draw_outlines,
    overlay,
)
from edan_ros.explain.explanation import METHOD_TITLES, Explanation

#: Side of one tile in pixels.
TILE = 256
_GAP = 16
#: Heights of the title, of the sentence and the captions above a row of tiles, and of the legend.
_TITLE, _HEAD, _LEGEND = 40, 58, 74
#: Least end of the scale, as a probability: a map that never gets near it looks weak.
_LEAST_TOP = 0.01
#: Explains the scale of the maps, here and in the terminal.
LEGEND = (
    "points of probability lost without that part of the face",
    "occlusion: measured with the part covered; attention: computed from the network's evidence. "
    "Left and right are the person's own.",
)


def draw_sheet(
    pixels: Pixels, explanations: Sequence[Sequence[Explanation]], *, title: str, outlines: bool
) -> Pixels:
    """Draw the sheet of one face, (height, width, 3) BGR.

    All maps have one scale: points of probability, up to the largest drop on the sheet, or to 1.

    Args:
        pixels: (height, width, 3) BGR, the image with the face, after the privacy filter.
        explanations: one row per emotion, one map per method; at least one of each.
        title: line at the top.
        outlines: draw the landmarks in every tile, for images in which the face is hidden.
    """
    rows, columns = len(explanations), len(explanations[0]) + 2
    face = explanations[0][0].face
    tile = face_tile(pixels, face)
    if outlines:
        _outline(tile, face)
    top = max(_LEAST_TOP, *(float(one.drops.max()) for row in explanations for one in row))
    height = _TITLE + rows * (_HEAD + TILE + _GAP) + _LEGEND
    sheet = np.full((height, _GAP + columns * (TILE + _GAP), 3), BACKGROUND, np.uint8)
    title = fit_text(title, sheet.shape[1] - 2 * _GAP, 11)
    draw_text(sheet, title, _GAP, 14, MUTED, size=11)
    for row, found in enumerate(explanations):
        part = sheet[_TITLE + row * (_HEAD + TILE + _GAP) :]
        name = f"{EMOTIONS[found[0].emotion]} {100 * found[0].probability:.0f} %"
        draw_text(part, f"{name}.  {sentence(found)}", _GAP, 4, TEXT, size=14)
        _place(part, "face", 0, tile)
        for column, explanation in enumerate(found, 1):
            grey = cv2.cvtColor(tile, cv2.COLOR_BGR2GRAY)
            shown = overlay(np.asarray(grey, np.uint8), explanation.drops / top, side=TILE)
            _place(part, METHOD_TITLES[explanation.method], column, shown)
        _place(part, "probabilities", columns - 1, _probabilities(face, found[0].emotion))
    _draw_legend(sheet[-_LEGEND:], top)
    return sheet


def sentence(explanations: Sequence[Explanation]) -> str:
    """Return the sentence of the last method: of occlusion, the better guide, where it was run."""
    return explanations[-1].sentence


def face_tile(pixels: Pixels, face: Face) -> Pixels:
    """Return the (TILE, TILE, 3) crop of a face in a BGR image."""
    assert face.crop is not None, "explain_face rejects faces without a crop"
    # Averaging down from a multiple of the size prevents aliasing.
    factor = int(np.clip(math.ceil(face.crop.side / TILE), 1, 8))
    fine = cv2.warpAffine(
        pixels,
        face.crop.matrix(factor * TILE),
        (factor * TILE, factor * TILE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(fine, (TILE, TILE), interpolation=cv2.INTER_AREA), np.uint8)


def _place(part: Pixels, caption: str, column: int, tile: Pixels) -> None:
    left = _GAP + column * (TILE + _GAP)
    draw_text(part, caption, left, _HEAD - 18, MUTED, size=10)
    part[_HEAD : _HEAD + TILE, left : left + TILE] = tile


def _probabilities(face: Face, emotion: int) -> Pixels:
    """Return a tile with the seven probabilities of this image as bars."""
    tile = np.full((TILE, TILE, 3), BACKGROUND, np.uint8)
    row, begin, length = TILE // len(EMOTIONS), 84, TILE - 84 - 50
    for i, (name, p) in enumerate(zip(EMOTIONS, face.raw_probabilities, strict=True)):
        y = i * row + 10
        colour = TEXT if i == emotion else MUTED
        draw_text(tile, name, 0, y + 2, colour, size=11)
        cv2.rectangle(tile, (begin, y), (begin + length, y + 14), (228, 228, 228), -1)
        end = begin + round(length * float(p))
        if end > begin:
            cv2.rectangle(tile, (begin, y), (end, y + 14), EMOTION_COLOURS[name], -1)
            cv2.rectangle(tile, (begin, y), (end, y + 14), MUTED, 1)
        draw_text(tile, f"{100 * p:.0f} %", begin + length + 8, y + 2, colour, size=11)
    return tile


def _draw_legend(part: Pixels, top: float) -> None:
    """Draw the colours from 0 to ``top`` as they appear over a face of medium grey."""
    ramp = overlay(np.full((1, 1), 128.0), np.linspace(0.0, 1.0, TILE)[None], side=TILE)
    part[4:18, _GAP : _GAP + TILE] = ramp[:14]
    digits = 0 if top >= 0.1 else 1
    draw_text(part, "0", _GAP, 26, MUTED, size=10)
    draw_text(part, f"{50 * top:.{digits}f}", _GAP + TILE / 2, 26, MUTED, size=10, align="center")
    draw_text(part, f"{100 * top:.{digits}f}", _GAP + TILE, 26, MUTED, size=10, align="right")
    draw_text(part, LEGEND[0], 2 * _GAP + TILE, 6, TEXT, size=10)
    draw_text(part, LEGEND[1], _GAP, 50, MUTED, size=9)


def _outline(tile: Pixels, face: Face) -> None:
    assert face.crop is not None
    draw_outlines(tile, face.crop.to_crop(face.landmarks, TILE), MUTED)
