"""A figure that explains one face: original, maps, ranked landmarks and probabilities."""

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
from edan_ros.drawing.colours import EMOTION_COLOURS, Colour
from edan_ros.explain.canvas import (
    BACKGROUND,
    MUTED,
    TEXT,
    Pixels,
    draw_outlines,
    draw_text,
    overlay,
)
from edan_ros.explain.explanation import METHOD_TITLES, Explanation
from edan_ros.explain.ranking import LANDMARK_CHANCE, landmark_shares, region_shares

#: Side of one tile in pixels, and number of landmarks that are shown.
TILE, TOP = 256, 10
_GAP = 12
#: Heights of the title, of the line above a row and of the lines below its tiles.
_TITLE, _HEAD, _FOOT = 34, 24, 66
_HIGHLIGHT: Colour = (60, 60, 220)


def draw_sheet(
    pixels: Pixels, explanations: Sequence[Sequence[Explanation]], *, title: str, outlines: bool
) -> Pixels:
    """Draw the sheet of one face, (height, width, 3) BGR.

    Args:
        pixels: (height, width, 3) BGR, the image with the face, after the privacy filter.
        explanations: one row per emotion, one map per method; at least one of each.
        title: line at the top.
        outlines: draw the landmarks in every tile, for images in which the face is hidden.
    """
    rows, methods = len(explanations), len(explanations[0])
    face = explanations[0][0].face
    tile = face_tile(pixels, face)
    height = _TITLE + rows * (_HEAD + TILE + _FOOT)
    width = _GAP + (2 + 2 * methods) * (TILE + _GAP)
    sheet = np.full((height, width, 3), BACKGROUND, np.uint8)
    draw_text(sheet, title, _GAP, 12, TEXT, size=13)
    for row, found in enumerate(explanations):
        top = _TITLE + row * (_HEAD + TILE + _FOOT)
        part = sheet[top : top + _HEAD + TILE + _FOOT]
        _original(part, tile, found[0], outlines)
        for number, explanation in enumerate(found):
            _map(part, tile, explanation, _column(1 + 2 * number), outlines)
        _probabilities(part, face, found[0].emotion, _column(1 + 2 * methods))
    return sheet


def face_tile(pixels: Pixels, face: Face) -> Pixels:
    """Return the (TILE, TILE, 3) crop of a face in a BGR image."""
    crop = _crop_of(face)
    # Averaging down from a multiple of the size prevents aliasing.
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
    """Describe the regions with the highest share relative to chance."""
    if not explanation.values.any():
        return "no evidence"
    size = explanation.crop.shape[0]
    regions = region_shares(explanation.values, explanation.landmarks, size)
    regions.sort(key=lambda region: region.share / region.chance, reverse=True)
    return ", ".join(f"{r.name} {r.share:.0%} x{r.share / r.chance:.1f}" for r in regions[:count])


def _column(number: int) -> int:
    return _GAP + number * (TILE + _GAP)


def _original(part: Pixels, tile: Pixels, first: Explanation, outlines: bool) -> None:
    shown = tile.copy()
    if outlines:
        _outline(shown, first.face, MUTED)
    part[_HEAD : _HEAD + TILE, _column(0) : _column(0) + TILE] = shown
    draw_text(part, "original", _column(0), 6, MUTED)
    name = EMOTIONS[first.emotion]
    draw_text(part, f"{name}: {first.probability:.1%}", _column(0), _HEAD + TILE + 8, TEXT, size=13)


def _map(part: Pixels, tile: Pixels, found: Explanation, left: int, outlines: bool) -> None:
    """Draw the map over the face, and beside it the landmarks with the largest shares."""
    grey = np.asarray(cv2.cvtColor(tile, cv2.COLOR_BGR2GRAY), np.uint8)
    shown = overlay(grey, found.values, side=TILE)
    if outlines:
        _outline(shown, found.face, MUTED)
    part[_HEAD : _HEAD + TILE, left : left + TILE] = shown
    draw_text(part, METHOD_TITLES[found.method], left, 6, MUTED)
    below = _HEAD + TILE
    draw_text(part, region_line(found), left, below + 8, TEXT)
    if found.method == "gradcam":
        effect = f"adds up to {found.peak:.2g} to the logit"
    else:
        effect = f"lowers it by up to {found.peak:.2g}"
    draw_text(part, effect, left, below + 28, MUTED)
    _ranked(part, grey, found, left + TILE + _GAP)


def _ranked(part: Pixels, grey: NDArray[np.uint8], found: Explanation, left: int) -> None:
    shares = landmark_shares(found.values, found.landmarks, found.crop.shape[0])
    first = np.argsort(-shares)[:TOP].tolist() if found.values.any() else []
    shown = np.asarray(cv2.cvtColor(grey // 2 + 110, cv2.COLOR_GRAY2BGR), np.uint8)
    _outline(shown, found.face, MUTED)
    points = _crop_of(found.face).to_crop(found.face.landmarks, TILE)
    for rank, i in reversed(list(enumerate(first))):
        center = np.round(points[i]).astype(int).tolist()
        radius = max(round(9 - 0.6 * rank), 3)
        cv2.circle(shown, center, radius, _HIGHLIGHT, -1, cv2.LINE_AA)
        cv2.circle(shown, center, radius, BACKGROUND, 1, cv2.LINE_AA)
    part[_HEAD : _HEAD + TILE, left : left + TILE] = shown
    draw_text(part, f"top {TOP} landmarks", left, 6, MUTED)
    below = _HEAD + TILE
    draw_text(part, " ".join(str(i) for i in first), left, below + 8, TEXT)
    regions = [name for i in first for name, members in REGIONS.items() if i in members]
    counts = {name: regions.count(name) for name in dict.fromkeys(regions)}
    draw_text(part, ", ".join(f"{name} {n}" for name, n in counts.items()), left, below + 28, MUTED)
    if len(first):
        times = shares[first[0]] / LANDMARK_CHANCE
        draw_text(part, f"first: {times:.1f} times chance", left, below + 48, MUTED)


def _probabilities(part: Pixels, face: Face, emotion: int, left: int) -> None:
    """Draw the seven probabilities of this image as bars."""
    draw_text(part, "probabilities", left, 6, MUTED)
    row, begin, length = TILE // len(EMOTIONS), left + 82, TILE - 82 - 50
    for i, (name, p) in enumerate(zip(EMOTIONS, face.raw_probabilities, strict=True)):
        y = _HEAD + i * row + 10
        colour = TEXT if i == emotion else MUTED
        draw_text(part, name, left, y + 2, colour, size=12 if i == emotion else 11)
        cv2.rectangle(part, (begin, y), (begin + length, y + 14), (228, 228, 228), -1)
        end = begin + round(length * float(p))
        if end > begin:
            cv2.rectangle(part, (begin, y), (end, y + 14), EMOTION_COLOURS[name], -1)
            cv2.rectangle(part, (begin, y), (end, y + 14), MUTED, 1)
        draw_text(part, f"{p:.1%}", begin + length + 6, y + 2, colour)


def _outline(canvas: Pixels, face: Face, colour: Colour) -> None:
    draw_outlines(canvas, _crop_of(face).to_crop(face.landmarks, TILE), colour)


def _crop_of(face: Face) -> Crop:
    assert face.crop is not None, "explain_face rejects faces without a crop"
    return face.crop
