"""One face explained on one sheet: the original, the maps, the landmarks, the probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Face
from edan_ros.core.geometry import REGIONS
from edan_ros.drawing.faces import EMOTION_COLOURS, Colour
from edan_ros.explain.explanation import METHOD_TITLES, Explanation
from edan_ros.explain.lettering import INK, PAPER, PENCIL, Pixels, text
from edan_ros.explain.overlay import overlay
from edan_ros.explain.ranking import LANDMARK_CHANCE, landmark_shares, region_shares

#: Side in pixels of one tile, and how many landmarks are shown as first.
TILE, TOP = 256, 10
_GAP = 12
#: Heights of the title, of the line over a row and of the lines under its tiles.
_TITLE, _HEAD, _FOOT = 34, 24, 66
_LINES = ((0, 16), (17, 21), (22, 26), (27, 30), (31, 35), (36, 41), (42, 47), (48, 59), (60, 67))
_CLOSED = {36, 42, 48, 60}
_FIRST: Colour = (60, 60, 220)


def draw_sheet(
    pixels: Pixels, explanations: Sequence[Sequence[Explanation]], *, title: str, outlines: bool
) -> Pixels:
    """The sheet of one face, (height, width, 3) BGR.

    Args:
        pixels: (height, width, 3) BGR, the picture that the face is in, as far as it may be seen.
        explanations: a row for each emotion, a map for each method; at least one of each.
        title: a line at the top.
        outlines: draw the landmarks into every tile, for pictures without a face to see.
    """
    rows, methods = len(explanations), len(explanations[0])
    face = explanations[0][0].face
    tile = face_tile(pixels, face)
    height = _TITLE + rows * (_HEAD + TILE + _FOOT)
    width = _GAP + (2 + 2 * methods) * (TILE + _GAP)
    sheet = np.full((height, width, 3), PAPER, np.uint8)
    text(sheet, title, _GAP, 12, INK, size=13)
    for row, found in enumerate(explanations):
        top = _TITLE + row * (_HEAD + TILE + _FOOT)
        part = sheet[top : top + _HEAD + TILE + _FOOT]
        _original(part, tile, found[0], outlines)
        for number, explanation in enumerate(found):
            _map(part, tile, explanation, _column(1 + 2 * number), outlines)
        _probabilities(part, face, found[0].emotion, _column(1 + 2 * methods))
    return sheet


def face_tile(pixels: Pixels, face: Face) -> Pixels:
    """(TILE, TILE, 3) the crop of a face, cut from a BGR picture."""
    crop = _crop_of(face)
    # Averaged down from a multiple of the size, against aliasing.
    factor = int(np.clip(math.ceil(crop.side / TILE), 1, 8))
    fine = cv2.warpAffine(
        pixels,
        crop.matrix(factor * TILE),
        (factor * TILE, factor * TILE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(fine, (TILE, TILE), interpolation=cv2.INTER_AREA), np.uint8)


def region_line(explanation: Explanation, count: int = 2) -> str:
    """The regions that stand out most from chance: share of the map, and how many times chance."""
    if not explanation.values.any():
        return "nothing speaks for it"
    size = explanation.crop.shape[0]
    regions = region_shares(explanation.values, explanation.landmarks, size)
    regions.sort(key=lambda region: region.share / region.chance, reverse=True)
    return ", ".join(f"{r.name} {r.share:.0%} x{r.share / r.chance:.1f}" for r in regions[:count])


def _column(number: int) -> int:
    return _GAP + number * (TILE + _GAP)


def _original(part: Pixels, tile: Pixels, first: Explanation, outlines: bool) -> None:
    shown = tile.copy()
    if outlines:
        _outline(shown, first.face, PENCIL)
    part[_HEAD : _HEAD + TILE, _column(0) : _column(0) + TILE] = shown
    text(part, "original", _column(0), 6, PENCIL)
    name = EMOTIONS[first.emotion]
    text(part, f"why {name}: {first.probability:.1%}", _column(0), _HEAD + TILE + 8, INK, size=13)


def _map(part: Pixels, tile: Pixels, found: Explanation, left: int, outlines: bool) -> None:
    """The map over the face, and beside it the landmarks that it ranks first."""
    grey = cv2.cvtColor(tile, cv2.COLOR_BGR2GRAY)
    shown = overlay(grey, found.values, side=TILE)
    if outlines:
        _outline(shown, found.face, PENCIL)
    part[_HEAD : _HEAD + TILE, left : left + TILE] = shown
    text(part, METHOD_TITLES[found.method], left, 6, PENCIL)
    under = _HEAD + TILE
    text(part, region_line(found), left, under + 8, INK)
    if found.method == "gradcam":
        worth = f"adds up to {found.peak:.2g} to the logit"
    else:
        worth = f"covering costs up to {found.peak:.2g}"
    text(part, worth, left, under + 28, PENCIL)
    _ranked(part, grey, found, left + TILE + _GAP)


def _ranked(part: Pixels, grey: NDArray[np.uint8], found: Explanation, left: int) -> None:
    shares = landmark_shares(found.values, found.landmarks, found.crop.shape[0])
    first = np.argsort(-shares)[:TOP] if found.values.any() else []
    shown = np.asarray(cv2.cvtColor(grey // 2 + 110, cv2.COLOR_GRAY2BGR), np.uint8)
    _outline(shown, found.face, PENCIL)
    points = _crop_of(found.face).to_crop(found.face.landmarks, TILE)
    for rank, i in reversed(list(enumerate(first))):
        center = np.round(points[i]).astype(int).tolist()
        radius = max(round(9 - 0.6 * rank), 3)
        cv2.circle(shown, center, radius, _FIRST, -1, cv2.LINE_AA)
        cv2.circle(shown, center, radius, PAPER, 1, cv2.LINE_AA)
    part[_HEAD : _HEAD + TILE, left : left + TILE] = shown
    text(part, f"the first {TOP} landmarks", left, 6, PENCIL)
    under = _HEAD + TILE
    text(part, " ".join(str(i) for i in first), left, under + 8, INK)
    regions = [name for i in first for name, members in REGIONS.items() if i in members]
    counts = {name: regions.count(name) for name in dict.fromkeys(regions)}
    text(part, ", ".join(f"{name} {n}" for name, n in counts.items()), left, under + 28, PENCIL)
    if len(first):
        times = shares[first[0]] / LANDMARK_CHANCE
        text(part, f"the first has {times:.1f} times chance", left, under + 48, PENCIL)


def _probabilities(part: Pixels, face: Face, emotion: int, left: int) -> None:
    """The seven probabilities of this picture alone."""
    text(part, "probabilities", left, 6, PENCIL)
    row, begin, length = TILE // len(EMOTIONS), left + 82, TILE - 82 - 50
    for i, (name, p) in enumerate(zip(EMOTIONS, face.raw_probabilities, strict=True)):
        y = _HEAD + i * row + 10
        colour = INK if i == emotion else PENCIL
        text(part, name, left, y + 2, colour, size=12 if i == emotion else 11)
        cv2.rectangle(part, (begin, y), (begin + length, y + 14), (228, 228, 228), -1)
        end = begin + round(length * float(p))
        if end > begin:
            cv2.rectangle(part, (begin, y), (end, y + 14), EMOTION_COLOURS[name], -1)
            cv2.rectangle(part, (begin, y), (end, y + 14), PENCIL, 1)
        text(part, f"{p:.1%}", begin + length + 6, y + 2, colour)


def draw_lines(canvas: Pixels, points: NDArray[np.floating], colour: Colour) -> None:
    """Thin lines along (68, 2) landmarks in pixels of the canvas."""
    whole = np.round(points).astype(np.int32)
    for first, last in _LINES:
        line = whole[first : last + 1].reshape(-1, 1, 2)
        cv2.polylines(canvas, [line], first in _CLOSED, colour, 1, cv2.LINE_AA)


def _outline(canvas: Pixels, face: Face, colour: Colour) -> None:
    draw_lines(canvas, _crop_of(face).to_crop(face.landmarks, TILE), colour)


def _crop_of(face: Face) -> Crop:
    assert face.crop is not None, "explain_face refuses faces without one"
    return face.crop
