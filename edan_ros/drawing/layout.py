"""Where labels, bars and panels go: inside the image, over no face and over none of each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from edan_ros.core.boxes import Box

#: Height of the forehead above the frame of a face, in parts of the frame's height.
_FOREHEAD = 0.35

_Corners = tuple[float, float, float, float]


class Layout:
    """The free space of an image.

    Args:
        width, height: of the image in pixels.
        frames: the rectangles drawn around faces. No place overlaps one; foreheads are avoided
            where there is room elsewhere.
    """

    def __init__(self, width: int, height: int, frames: Sequence[Box]) -> None:
        self._width, self._height = width, height
        # As corners x0, y0, x1, y1: many pairs are compared for every image of a video.
        self._taken = [_corners(_outwards(frame)) for frame in frames]
        self._foreheads = [_corners(_forehead(frame)) for frame in frames]

    def take(self, candidates: Iterable[tuple[Box, ...]]) -> tuple[Box, ...] | None:
        """Occupy and return the first candidate whose boxes are all free; None without any."""
        candidates = list(candidates)
        for avoided in ([*self._taken, *self._foreheads], self._taken):
            for boxes in candidates:
                if all(self._is_free(box, avoided) for box in boxes):
                    self._taken += map(_corners, boxes)
                    return boxes
        return None

    def _is_free(self, box: Box, avoided: Sequence[_Corners]) -> bool:
        x0, y0, x1, y1 = _corners(box)
        if x0 < 0 or y0 < 0 or x1 > self._width or y1 > self._height or x0 >= x1:
            return False
        return not any(x0 < c and a < x1 and y0 < d and b < y1 for a, b, c, d in avoided)

    def label_places(
        self, frame: Box, width: int, height: int, gap: int, bar: int
    ) -> Iterator[tuple[Box, ...]]:
        """Yield places of a label with a bar below it, at the frame of a face.

        Args:
            frame: the rectangle drawn around the face.
            width, height: of the label in pixels.
            gap: pixels between frame, label and bar.
            bar: height of the bar in pixels, which is as wide as the frame; 0 for no bar.
        """
        face = _outwards(frame)
        right, bottom = face.x + face.width, face.y + face.height
        aligned = (face.x, right - width, face.x + (face.width - width) // 2)
        columns = [min(max(x, 0), max(self._width - width, 0)) for x in aligned]
        strip = gap + bar if bar else 0

        def with_bar(x: float, y: float, bar_y: float) -> tuple[Box, ...]:
            label = Box(x, y, width, height)
            return (label, self._bar(face, bar_y, bar)) if bar else (label,)

        for x in columns:
            yield with_bar(x, bottom + gap, bottom + 2 * gap + height)
        for x in (right + gap, face.x - gap - width):
            for y in (max(face.y, 0), min(bottom, self._height) - height):
                yield with_bar(x, y, bottom + gap)
                yield with_bar(x, y, face.y - gap - bar)
        for x in columns:
            yield with_bar(x, face.y - gap - strip - height, face.y - gap - bar)

    def bar_places(self, frame: Box, gap: int, bar: int) -> Iterator[tuple[Box, ...]]:
        """Yield places of a bar without a label."""
        face = _outwards(frame)
        for y in (face.y + face.height + gap, face.y - gap - bar):
            yield (self._bar(face, y, bar),)

    def _bar(self, face: Box, y: float, height: int) -> Box:
        x0, x1 = max(face.x, 0), min(face.x + face.width, self._width)
        return Box(x0, y, x1 - x0, height)

    def panel_places(
        self, frame: Box, width: int, height: int, gap: int
    ) -> Iterator[tuple[Box, ...]]:
        """Yield places of a panel beside, below or above a face."""
        face = _outwards(frame)
        y = min(max(face.y, 0), max(self._height - height, 0))
        yield (Box(face.x + face.width + gap, y, width, height),)
        yield (Box(face.x - gap - width, y, width, height),)
        x = min(max(face.x, 0), max(self._width - width, 0))
        yield (Box(x, face.y + face.height + gap, width, height),)
        yield (Box(x, face.y - gap - height, width, height),)


def _outwards(box: Box) -> Box:
    """Return the smallest box in whole pixels that contains another."""
    x, y = math.floor(box.x), math.floor(box.y)
    return Box(x, y, math.ceil(box.x + box.width) - x + 1, math.ceil(box.y + box.height) - y + 1)


def _forehead(frame: Box) -> Box:
    height = _FOREHEAD * frame.height
    return Box(frame.x, frame.y - height, frame.width, height)


def _corners(box: Box) -> _Corners:
    return box.x, box.y, box.x + box.width, box.y + box.height
