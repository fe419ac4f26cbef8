"""Five people who cross, in images composed of two photographs, with ground truth.

Heads are cut out of the photographs of the demo and moved in front of a wall; those in front
occlude those behind. Nothing is downloaded. Every call gives the same images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from edan_ros.core.boxes import Box
from edan_ros.core.images import Image
from edan_ros.pipeline.pipeline import Pipeline

SIZE = (640, 360)
RATE = 12.5
SECONDS = 10.0
#: Visible share of a face from which it must be found.
MIN_VISIBLE = 0.6


@dataclass(frozen=True)
class Walker:
    """A head and its path.

    pixels, opacity: (h, w). box: tight box of the landmarks in them. path: (n, 3) of seconds and
    x, y of the centre of the face in pixels.
    """

    pixels: np.ndarray
    opacity: np.ndarray
    box: Box
    path: np.ndarray

    def position(self, time: float) -> tuple[float, float]:
        """Return x and y of the centre of the face, on the path with the bobbing of a walk."""
        seconds, x, y = self.path.T
        bob = 2.5 * np.sin(2.0 * np.pi * time / 0.6 + x[0])
        return float(np.interp(time, seconds, x)), float(np.interp(time, seconds, y) + bob)


def head(
    image: Image, pipeline: Pipeline, size: float, *, mirrored: bool
) -> tuple[np.ndarray, np.ndarray, Box]:
    """Return pixels, opacity and box of the only head in a photograph, the face scaled to a size
    in pixels."""
    (face,) = pipeline.analyze(image).faces
    box = face.box
    half = np.array([0.8, 1.05]) * box.size
    center = np.array(box.center) - (0.0, 0.15 * box.size)
    x0, y0 = np.maximum(np.floor(center - half), 0).astype(int)
    x1, y1 = np.ceil(center + half).astype(int)
    pixels = image.gray((x0, y0, x1, y1)).astype(np.float32)
    rows, columns = np.mgrid[y0 : y0 + pixels.shape[0], x0 : x0 + pixels.shape[1]]
    radius = np.hypot((columns - center[0]) / half[0], (rows - center[1]) / half[1])
    opacity = np.clip((1.0 - radius) / 0.06, 0.0, 1.0).astype(np.float32)
    scale = size / box.size
    pixels, opacity = (
        cv2.resize(p, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for p in (pixels, opacity)
    )
    left, width = (box.x - x0) * scale, box.width * scale
    if mirrored:
        pixels, opacity = pixels[:, ::-1], opacity[:, ::-1]
        left = pixels.shape[1] - left - width
    return pixels, opacity, Box(left, (box.y - y0) * scale, width, box.height * scale)


def walkers(photographs: tuple[Image, Image], pipeline: Pipeline) -> list[Walker]:
    """Return five people, farthest first: two pairs who walk towards each other and back, and one
    who crosses them all."""
    first, second = photographs
    kinds = [
        (second, 52.0, True, [(0, 60, 110), (4.2, 420, 110), (5, 420, 110), (9.5, 70, 112)]),
        (first, 56.0, True, [(0, 560, 118), (5, 130, 116), (5.6, 130, 116), (10, 500, 118)]),
        (
            second,
            60.0,
            False,
            [(0, 330, 262), (1, 330, 262), (4.5, 590, 262), (8.6, 190, 262), (10, 60, 262)],
        ),
        (first, 62.0, False, [(0, 580, 270), (4.2, 190, 268), (6, 190, 268), (10, 570, 270)]),
        (
            second,
            66.0,
            True,
            [
                (0, 60, 275),
                (3.9, 395, 275),
                (5.5, 520, 112),
                (7.6, 520, 112),
                (9, 500, 268),
                (10, 420, 268),
            ],
        ),
    ]
    return [
        Walker(*head(image, pipeline, size, mirrored=mirrored), np.array(path, float))
        for image, size, mirrored, path in kinds
    ]


@dataclass(frozen=True)
class CrowdFrame:
    """An image, its time in seconds, and by person the boxes of visible and of hidden faces."""

    image: Image
    time: float
    visible: dict[int, Box]
    hidden: dict[int, Box]


def crowd_frames(crowd: list[Walker]) -> Iterator[CrowdFrame]:
    """Yield the images of a crowd, with camera noise, and their ground truth."""
    noise = np.random.default_rng(1)
    wall = _wall()
    for number in range(int(SECONDS * RATE)):
        time = number / RATE
        canvas, owner = wall.copy(), np.full(SIZE[::-1], -1)
        boxes = [_draw(person, index, time, canvas, owner) for index, person in enumerate(crowd)]
        canvas += noise.normal(0.0, 2.0, canvas.shape).astype(np.float32)
        image = Image(np.clip(canvas, 0, 255).astype(np.uint8), "mono")
        visible = {i: b for i, b in enumerate(boxes) if _share(b, owner == i) >= MIN_VISIBLE}
        hidden = {i: b for i, b in enumerate(boxes) if i not in visible}
        yield CrowdFrame(image, time, visible, hidden)


def _wall() -> np.ndarray:
    """Return a plain wall with some grain."""
    rng = np.random.default_rng(0)
    grain = cv2.GaussianBlur(rng.normal(0.0, 30.0, SIZE[::-1]).astype(np.float32), (0, 0), 2.5)
    return grain + np.linspace(150.0, 190.0, SIZE[0], dtype=np.float32)


def _draw(person: Walker, index: int, time: float, canvas: np.ndarray, owner: np.ndarray) -> Box:
    """Draw a person with subpixel accuracy and return the box of the face."""
    x, y = person.position(time)
    left, top = x - person.box.center[0], y - person.box.center[1]
    x0, y0 = int(np.floor(left)), int(np.floor(top))
    height, width = (n + 1 for n in person.pixels.shape)
    move = np.array([[1.0, 0.0, left - x0], [0.0, 1.0, top - y0]])
    pixels, opacity = (
        cv2.warpAffine(np.ascontiguousarray(p), move, (width, height))
        for p in (person.pixels, person.opacity)
    )
    below = canvas[y0 : y0 + height, x0 : x0 + width]
    below += opacity * (pixels - below)
    owner[y0 : y0 + height, x0 : x0 + width][opacity > 0.5] = index
    return Box(person.box.x + left, person.box.y + top, person.box.width, person.box.height)


def _share(box: Box, mask: np.ndarray) -> float:
    """Return the share of a box that a mask covers."""
    rows = slice(round(box.y), round(box.y + box.height))
    columns = slice(round(box.x), round(box.x + box.width))
    return float(mask[rows, columns].mean())
