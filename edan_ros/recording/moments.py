"""Picks the few moments of a run that tell most, and lays them out on one sheet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import UNKNOWN_LABEL
from edan_ros.core.faces import FrameResult
from edan_ros.recording.video import fitted

TILES = 6
_TILE_WIDTH = 560
_GAP = 6
#: Moments of one label are kept this many, and at least so many seconds apart.
_KEPT, _APART = 3, 0.7


@dataclass(slots=True)
class _Moment:
    """score: how much it shows; the larger the better."""

    seconds: float
    score: float
    faces: int
    tile: NDArray[np.uint8]


class Moments:
    """Collects annotated frames, in bounded memory, and makes a contact sheet of the best."""

    def __init__(self) -> None:
        self._by_label: dict[str, list[_Moment]] = defaultdict(list)
        self._spread: list[_Moment] = []
        self._stride, self._count = 1, 0

    def add(self, seconds: float, annotated: NDArray[np.uint8], result: FrameResult) -> None:
        """One more frame (BGR, with what was found drawn in)."""
        scores: dict[str, float] = defaultdict(float)
        for face in result.faces:
            # Large faces show more; a sure label shows more than a doubtful one.
            score = face.confidence * (face.box.size / result.height) ** 0.25
            scores[face.label] = max(scores[face.label], score)
        for label, score in scores.items():
            self._offer(self._by_label[label], seconds, score, len(result.faces), annotated)
        if self._count % self._stride == 0:
            self._spread.append(_Moment(seconds, 0.0, len(result.faces), _tile(annotated)))
            if len(self._spread) > 2 * TILES:
                self._spread = self._spread[::2]
                self._stride *= 2
        self._count += 1

    def sheet(self) -> NDArray[np.uint8] | None:
        """The chosen moments in the order of time, as one BGR picture; None without any frame."""
        chosen = sorted(self._choose(), key=lambda moment: moment.seconds)
        if not chosen:
            return None
        columns = min(len(chosen), 3 if len(chosen) > 4 else 2)
        height, width = chosen[0].tile.shape[:2]
        rows = -(-len(chosen) // columns)
        size = rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP
        sheet = np.full((*size, 3), 24, np.uint8)
        for number, moment in enumerate(chosen):
            y = _GAP + (number // columns) * (height + _GAP)
            x = _GAP + (number % columns) * (width + _GAP)
            tile = fitted(moment.tile, width, height).copy()
            _write_time(tile, moment.seconds)
            sheet[y : y + height, x : x + width] = tile
        return sheet

    def _offer(
        self,
        kept: list[_Moment],
        seconds: float,
        score: float,
        faces: int,
        annotated: NDArray[np.uint8],
    ) -> None:
        """Keeps a moment if it beats the one near it in time, or the worst of all."""
        near = [moment for moment in kept if abs(moment.seconds - seconds) < _APART]
        if any(moment.score >= score for moment in near):
            return
        rest = [moment for moment in kept if moment not in near]
        if len(rest) >= _KEPT and min(moment.score for moment in rest) >= score:
            return
        rest.append(_Moment(seconds, score, faces, _tile(annotated)))
        kept[:] = sorted(rest, key=lambda moment: -moment.score)[:_KEPT]

    def _choose(self) -> list[_Moment]:
        """The best of each label, then others, each time the farthest in time from those chosen."""
        known = {k: v for k, v in self._by_label.items() if k != UNKNOWN_LABEL and v}
        best = sorted((moments[0] for moments in known.values()), key=lambda m: -m.score)
        with_faces = [m for moments in self._by_label.values() for m in moments]
        with_faces += [m for m in self._spread if m.faces]
        crowd = max(with_faces, key=lambda m: m.faces, default=None)
        chosen: list[_Moment] = []
        first = best if crowd is None else [*best[: TILES - 1], crowd, *best[TILES - 1 :]]
        for moment in [*first, *_farthest(with_faces, first), *_farthest(self._spread, first)]:
            if len(chosen) == TILES:
                break
            if all(abs(moment.seconds - other.seconds) >= 0.3 for other in chosen):
                chosen.append(moment)
        return chosen


def _farthest(moments: list[_Moment], start: list[_Moment]) -> Iterator[_Moment]:
    """Orders moments: each time the one farthest in time from all before it."""
    taken, left = [moment.seconds for moment in start], list(moments)
    while left:
        distances = [min((abs(m.seconds - t) for t in taken), default=0.0) for m in left]
        moment = left.pop(int(np.argmax(distances)))
        taken.append(moment.seconds)
        yield moment


def _tile(annotated: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = annotated.shape[:2]
    return fitted(annotated, _TILE_WIDTH, max(1, round(height * _TILE_WIDTH / width))).copy()


def _write_time(tile: NDArray[np.uint8], seconds: float) -> None:
    place = (8, tile.shape[0] - 10)
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(
            tile,
            f"{seconds:.1f} s",
            place,
            cv2.FONT_HERSHEY_SIMPLEX,
            0.55,
            color,
            thickness,
            cv2.LINE_AA,
        )
