"""Select the most informative images of a run and lay them out on one sheet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import UNKNOWN_LABEL
from edan_ros.core.faces import Face, FrameResult
from edan_ros.drawing.colours import LIGHT
from edan_ros.drawing.text import draw_text, text_width
from edan_ros.recording.video import fitted

TILES = 6
_TILE_WIDTH = 560
_GAP = 6
#: Largest number of shots kept per label, and the least seconds between two of them.
_KEPT, _APART = 3, 0.7
#: Part of the best score from which faces count as clearly visible.
_CLEAR = 0.4


@dataclass(slots=True, eq=False)
class _Shot:
    """An image of the run. score: how well it shows one face, or the worst of its faces."""

    seconds: float
    score: float
    faces: int
    tile: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0, 3), np.uint8))

    @property
    def crowded(self) -> tuple[int, float]:
        """Sort key by the number of faces."""
        return self.faces, self.score


class ContactSheet:
    """Collects annotated frames, in bounded memory, for a contact sheet of the best."""

    def __init__(self) -> None:
        self._by_label: dict[str, list[_Shot]] = defaultdict(list)
        self._crowd: _Shot | None = None  # with the most faces
        self._spread: list[_Shot] = []  # every n-th frame
        self._stride, self._count = 1, 0

    def add(self, seconds: float, annotated: NDArray[np.uint8], result: FrameResult) -> None:
        """Add a frame (BGR, with the results drawn in)."""
        scores: dict[str, float] = defaultdict(float)
        for face in result.faces:
            scores[face.label] = max(scores[face.label], _score(face, result))
        least = min((_score(face, result) for face in result.faces), default=0.0)
        shot = _Shot(seconds, least, len(result.faces))
        kept = [
            best
            for label, score in scores.items()
            if _offer(self._by_label[label], best := replace(shot, score=score))
        ]
        if shot.faces and (self._crowd is None or shot.crowded > self._crowd.crowded):
            self._crowd = shot
            kept.append(shot)
        if self._count % self._stride == 0:
            self._spread.append(shot)
            kept.append(shot)
            if len(self._spread) > 2 * TILES:
                self._spread = self._spread[::2]
                self._stride *= 2
        self._count += 1
        if kept:  # making tiles of all images would take most of the time
            tile = _tile(annotated)
            for one in kept:
                one.tile = tile

    def sheet(self) -> NDArray[np.uint8] | None:
        """Return the selected shots in order as one BGR image; None without any frame."""
        best = self._choose()
        if not best:
            return None
        # Five would leave a tile of the sheet empty.
        chosen = sorted(best[:4] if len(best) == 5 else best, key=lambda shot: shot.seconds)
        columns = 2 if len(chosen) == 4 else min(len(chosen), 3)
        height, width = chosen[0].tile.shape[:2]
        rows = len(chosen) // columns
        size = rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP
        sheet = np.full((*size, 3), 24, np.uint8)
        for number, shot in enumerate(chosen):
            y = _GAP + (number // columns) * (height + _GAP)
            x = _GAP + (number % columns) * (width + _GAP)
            tile = fitted(shot.tile, width, height).copy()
            _write_time(tile, shot.seconds)
            sheet[y : y + height, x : x + width] = tile
        return sheet

    def _choose(self) -> list[_Shot]:
        """Return the best of each label, then others far in time from those, clear ones first."""
        known = {k: v for k, v in self._by_label.items() if k != UNKNOWN_LABEL and v}
        best = sorted((shots[0] for shots in known.values()), key=lambda m: -m.score)
        with_faces = [m for shots in self._by_label.values() for m in shots]
        with_faces += [m for m in self._spread if m.faces]
        crowd = [] if self._crowd is None else [self._crowd]
        first = [*best[: TILES - 1], *crowd, *best[TILES - 1 :]]
        top = max((shot.score for shot in with_faces), default=0.0)
        clear = [shot for shot in with_faces if shot.score >= _CLEAR * top]
        chosen: list[_Shot] = []
        for shot in [
            *first,
            *_farthest(clear, first),
            *_farthest(with_faces, first),
            *_farthest(self._spread, first),
        ]:
            if len(chosen) == TILES:
                break
            if all(abs(shot.seconds - other.seconds) >= 0.3 for other in chosen):
                chosen.append(shot)
        return chosen


def _score(face: Face, result: FrameResult) -> float:
    """Return how well a face is shown: large, complete ones with a confident label score more."""
    visible = face.box.clipped(result.width, result.height).area / max(face.box.area, 1.0)
    x, y = face.landmarks.T
    inside = np.mean((x >= 0) & (x < result.width) & (y >= 0) & (y < result.height))
    size = face.box.size / result.height
    return float(face.confidence * size**0.25 * min(visible, inside) ** 2)


def _offer(kept: list[_Shot], shot: _Shot) -> bool:
    """Keep a shot if it beats those near it in time, or the worst of all; return whether."""
    near = [other for other in kept if abs(other.seconds - shot.seconds) < _APART]
    if any(other.score >= shot.score for other in near):
        return False
    rest = [other for other in kept if other not in near]
    kept[:] = sorted([*rest, shot], key=lambda other: -other.score)[:_KEPT]
    return shot in kept


def _farthest(shots: list[_Shot], start: list[_Shot]) -> Iterator[_Shot]:
    """Yield shots, each the farthest in time from all before it."""
    taken, left = [shot.seconds for shot in start], list(shots)
    while left:
        distances = [min((abs(m.seconds - t) for t in taken), default=0.0) for m in left]
        shot = left.pop(int(np.argmax(distances)))
        taken.append(shot.seconds)
        yield shot


def _tile(annotated: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = annotated.shape[:2]
    return fitted(annotated, _TILE_WIDTH, max(1, round(height * _TILE_WIDTH / width))).copy()


def _write_time(tile: NDArray[np.uint8], seconds: float) -> None:
    text, top = f"{seconds:.1f} s", tile.shape[0] - 26
    tile[top - 7 : top + 18, 6 : 22 + text_width(text, 11)] //= 4
    draw_text(tile, text, 14, top, LIGHT, size=11)
