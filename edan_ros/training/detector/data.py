"""Training pictures for the face detector, composed anew for every draw.

A background, one photograph or several small ones on it, and then what cameras and scenes do to
faces: borders, covers, darkness, blur, noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edan_ros.training.detector.canvas import (
    SMALLEST_FACE,
    Canvas,
    area,
    placing,
    shared_area,
    warp,
)
from edan_ros.training.detector.clutter import draw_clutter, shade
from edan_ros.training.detector.sources import Picture
from edan_ros.training.detector.targets import assign_targets
from edan_ros.training.emotion.augment import Augmentation, degrade


@dataclass(frozen=True)
class Composition:
    """What is drawn how often. Sizes are means of a box's width and height in pixels.

    scene: share of canvases that begin with a photograph of a face of the sizes
    ``scene_face``; the others begin with background. mosaic: share of canvases with two to
    ``tiles`` photographs of faces of the sizes ``tile_face``, beside and over each other. pasted:
    at most so many small pictures of faces of the sizes ``pasted_face`` on top, at most ``beside``
    where there is such a photograph. turned: share of rolls drawn evenly up to ``widest_roll_deg``;
    the others are normal with ``roll_deg``. shares: how often a pasted picture comes from which
    set. empty: share of pasted pictures without a face. plain: share of canvases with an even or
    evenly graded background. nobody: share of backgrounds and of pasted empty pictures that come
    from pictures without people, where there are any. shapes: share of canvases with lines, discs,
    spots and words. covered: share of faces that something is laid over. dark: share of canvases
    with a sixth to a half of the light and the noise of a camera that amplifies it. smallest: faces
    below are neither wanted nor wrong.
    """

    scene: float = 0.55
    scene_face: tuple[float, float] = (28.0, 380.0)
    mosaic: float = 0.0
    tiles: int = 8
    tile_face: tuple[float, float] = (12.0, 48.0)
    pasted: int = 9
    beside: int = 2
    pasted_face: tuple[float, float] = (9.5, 90.0)
    roll_deg: float = 10.0
    turned: float = 0.25
    widest_roll_deg: float = 50.0
    mirror: float = 0.5
    shares: dict[str, float] = field(
        default_factory=lambda: {"landmarks68": 0.45, "muxspace": 0.4, "fer2013": 0.15}
    )
    empty: float = 0.3
    plain: float = 0.0
    nobody: float = 0.2
    shapes: float = 0.2
    covered: float = 0.15
    dark: float = 0.0
    smallest: float = SMALLEST_FACE


class Composer:
    """Composes canvases from pictures by set.

    The set ``landmarks68`` also gives backgrounds, and so does the set ``nobody`` where there is
    one: pictures without people.
    """

    def __init__(self, pictures: dict[str, list[Picture]], size: int, how: Composition) -> None:
        self.pictures, self.size, self.how = pictures, size, how
        self.photographs = pictures["landmarks68"]
        self.nobody = pictures.get("nobody", [])
        self.names = [name for name in how.shares if pictures.get(name)]
        shares = np.array([how.shares[name] for name in self.names])
        self.shares = shares / shares.sum()

    def __call__(self, rng: np.random.Generator) -> Canvas:
        """One canvas, before the camera's part."""
        canvas = Canvas(self.size, self.how.smallest)
        if rng.random() < self.how.plain:
            canvas.pixels[:] = shade((self.size, self.size), rng)
        else:
            self._background(canvas, rng)
        if rng.random() < self.how.shapes:
            draw_clutter(canvas.pixels, rng)
        if self.how.mosaic and rng.random() < self.how.mosaic:
            for _ in range(rng.integers(2, self.how.tiles + 1)):
                self._scene(canvas, rng, self.how.tile_face)
        if rng.random() < self.how.scene:
            self._scene(canvas, rng, self.how.scene_face)
            count = rng.integers(0, self.how.beside + 1)
        else:
            count = rng.integers(0, self.how.pasted + 1)
        for _ in range(count):
            self._paste(canvas, rng)
        for box in canvas.boxes[canvas.wanted]:
            if rng.random() < self.how.covered:
                self._cover(canvas, box, rng)
        if rng.random() < self.how.dark:
            canvas.pixels = _darkened(canvas.pixels, rng)
        return canvas

    def _empty_source(self, rng: np.random.Generator) -> Picture:
        """A photograph or a picture without people to take something without a face from."""
        if self.nobody and rng.random() < self.how.nobody:
            return self.nobody[rng.integers(len(self.nobody))]
        return self.photographs[rng.integers(len(self.photographs))]

    def _whole(self) -> tuple[int, int, int, int]:
        return (0, 0, self.size, self.size)

    def _roll(self, rng: np.random.Generator) -> float:
        if rng.random() < self.how.turned:
            degrees = rng.uniform(-1.0, 1.0) * self.how.widest_roll_deg
        else:
            degrees = rng.normal(0.0, self.how.roll_deg)
        return float(np.deg2rad(degrees))

    def _background(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """One, two or four parts of photographs where no face is."""
        split = rng.integers(self.size // 4, 3 * self.size // 4, 2)
        columns = [0, int(split[0]), self.size] if rng.random() < 0.6 else [0, self.size]
        rows = [0, int(split[1]), self.size] if rng.random() < 0.6 else [0, self.size]
        for x0, x1 in pairwise(columns):
            for y0, y1 in pairwise(rows):
                self._part((x0, y0, x1, y1), canvas, rng)

    def _part(
        self, region: tuple[int, int, int, int], canvas: Canvas, rng: np.random.Generator
    ) -> None:
        """A part of a photograph without a face, or an even grey where none is found."""
        x0, y0, x1, y1 = region
        for _ in range(8):
            picture = self._empty_source(rng)
            height, width = picture.levels[0].shape
            cover = max((y1 - y0) / height, (x1 - x0) / width)
            scale = max(cover * np.exp(rng.uniform(0.1, 1.4)), 0.35)
            half = 0.5 * np.array([x1 - x0, y1 - y0]) / scale
            middle = rng.uniform(half, np.maximum([width, height] - half, half + 1e-3))
            target = np.array([0.5 * (x0 + x1), 0.5 * (y0 + y1)])
            matrix = placing(middle, target, scale, 0.0, mirror=rng.random() < 0.5)
            if not _shows_face(picture, matrix, region):
                canvas.lay(picture, matrix, region)
                return
        canvas.pixels[y0:y1, x0:x1] = rng.integers(0, 256)

    def _scene(self, canvas: Canvas, rng: np.random.Generator, sizes: tuple[float, float]) -> None:
        """A whole photograph with one of its faces anywhere, down to half outside."""
        picture = self.photographs[rng.integers(len(self.photographs))]
        face = picture.outlines[rng.integers(len(picture.outlines))]
        extent = face.max(axis=0) - face.min(axis=0)
        size = _log_uniform(sizes, rng)
        scale = size / float(extent.mean())
        margin = min(0.2 * size, 0.5 * self.size)
        target = rng.uniform(margin, self.size - margin, 2)
        roll = self._roll(rng)
        middle = 0.5 * (face.max(axis=0) + face.min(axis=0))
        mirror = rng.random() < self.how.mirror
        matrix = placing(middle, target, scale, roll, mirror=mirror)
        region = _extent(picture, matrix, self.size)
        beyond = None
        if rng.random() < 0.7:  # the background shows beyond the photograph
            white = Picture([np.full_like(picture.levels[0], 255)], *_NOTHING)
            beyond = _warped_mask(white, matrix, region)
        canvas.lay(picture, matrix, region, beyond)

    def _paste(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """A small picture of a face, or of none, where it covers no other face."""
        size = _log_uniform(self.how.pasted_face, rng)
        empty = rng.random() < self.how.empty
        picture, origin, scale = self._cutting(size, empty, rng)
        reach = rng.uniform(0.8, 2.0, 2) if picture.framed else np.array([0.7, 0.75])
        half = np.maximum(reach * (1.5 if empty else 1.0) * size, 4.0)
        target = rng.uniform(0, self.size, 2)
        x0, y0 = np.clip(np.floor(target - half), 0, self.size - 8).astype(int)
        x1, y1 = np.clip(np.ceil(target + half), 8, self.size).astype(int)
        region = (int(x0), int(y0), int(x1), int(y1))
        if np.any(shared_area(canvas.boxes, region) > 0.08 * area(canvas.boxes)):
            return
        mirror = rng.random() < self.how.mirror
        matrix = placing(origin, target, scale, self._roll(rng), mirror=mirror)
        if empty and _shows_face(picture, matrix, region):
            return
        shape = (region[3] - region[1], region[2] - region[0])
        soft = not picture.framed or rng.random() < 0.4
        canvas.lay(picture, matrix, region, _soft_mask(shape, rng) if soft else None)

    def _cutting(
        self, size: float, empty: bool, rng: np.random.Generator
    ) -> tuple[Picture, NDArray[np.floating], float]:
        """A picture, the place in it to cut out, and the scale that gives faces of ``size``."""
        if empty:
            picture = self._empty_source(rng)
            side = max(picture.levels[0].shape)
            scale = size * np.exp(rng.uniform(0.7, 2.5)) / side
            return picture, rng.uniform(0, picture.levels[0].shape[::-1]), float(scale)
        name = self.names[rng.choice(len(self.names), p=self.shares)]
        picture = self.pictures[name][rng.integers(len(self.pictures[name]))]
        face = picture.outlines[rng.integers(len(picture.outlines))]
        low, high = face.min(axis=0), face.max(axis=0)
        return picture, 0.5 * (low + high), size / float((high - low).mean())

    def _cover(self, canvas: Canvas, box: NDArray[np.float32], rng: np.random.Generator) -> None:
        """Lay something over up to half of a face: from a side, from below, over the eyes."""
        x, y, width, height = box
        part = rng.uniform(0.2, 0.55)
        side = rng.integers(5)
        if side < 2:  # mouth and chin: a mask, a scarf, a hand
            x0, y0, x1, y1 = x, y + height * (1 - part), x + width, y + 1.1 * height
        elif side == 2:  # brow and eyes: a cap, glasses
            x0, y0, x1, y1 = x, y - 0.1 * height, x + width, y + height * min(part, 0.35)
        elif side == 3:
            x0, y0, x1, y1 = x - 0.1 * width, y, x + width * part, y + height
        else:
            x0, y0, x1, y1 = x + width * (1 - part), y, x + 1.1 * width, y + height
        x0, y0 = (int(np.clip(v, 0, self.size - 1)) for v in (x0, y0))
        x1, y1 = (int(np.clip(v, low + 1, self.size)) for v, low in ((x1, x0), (y1, y0)))
        patch = np.full((y1 - y0, x1 - x0), rng.integers(0, 256), np.float32)
        if rng.random() < 0.6:
            other = self.photographs[rng.integers(len(self.photographs))].levels[0]
            top = rng.integers(0, max(other.shape[0] - 48, 1))
            left = rng.integers(0, max(other.shape[1] - 48, 1))
            texture = other[top : top + 48, left : left + 48]
            patch = cv2.resize(texture, patch.shape[::-1], interpolation=cv2.INTER_AREA)
        below = canvas.pixels[y0:y1, x0:x1]
        mask = _soft_mask(patch.shape, rng) if rng.random() < 0.4 else 1.0
        canvas.pixels[y0:y1, x0:x1] = below + mask * (patch.astype(np.float32) - below)


_NOTHING = (np.empty((0, 68, 2)), np.empty((0, 5, 2)), np.empty((0, 4)))


def _log_uniform(limits: Sequence[float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def _shows_face(
    picture: Picture, matrix: NDArray[np.float64], region: tuple[int, int, int, int]
) -> bool:
    probe = Canvas(0)
    probe.add_faces(picture, matrix, region)
    return len(probe.boxes) > 0


def _extent(picture: Picture, matrix: NDArray[np.float64], size: int) -> tuple[int, int, int, int]:
    """The region of the canvas that a picture reaches."""
    height, width = picture.levels[0].shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    corners = corners @ matrix[:, :2].T + matrix[:, 2]
    x0, y0 = np.clip(np.floor(corners.min(axis=0)), 0, size - 1).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)), [x0 + 1, y0 + 1], size).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _warped_mask(
    white: Picture, matrix: NDArray[np.float64], region: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    return warp(white, matrix, region, fill=0).astype(np.float32) / 255.0


def _soft_mask(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Opacity (h, w) that falls to 0 at an irregular outline inside the rectangle."""
    height, width = shape[:2]
    y = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :]
    power = rng.uniform(2.0, 5.0)
    radius = (np.abs(x) ** power + np.abs(y) ** power) ** (1 / power)
    bumps = cv2.resize(rng.uniform(-0.12, 0.12, (4, 4)).astype(np.float32), (width, height))
    edge = rng.uniform(0.03, 0.25)
    return np.clip((1.0 - radius + bumps) / edge, 0.0, 1.0).astype(np.float32)


def _darkened(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    noise = rng.standard_normal(pixels.shape, np.float32) * rng.uniform(0.5, 4.0)
    dark = pixels * np.float32(_log_uniform((0.15, 0.6), rng)) + noise
    return np.clip(dark, 0, 255).astype(np.uint8)


class DetectorData(Dataset):
    """One epoch's draws. Item i is the same for a seed, an epoch and i, whoever computes it."""

    def __init__(
        self, composer: Composer, camera: Augmentation, count: int, seed: int, epoch: int
    ) -> None:
        self.composer, self.camera, self.count = composer, camera, count
        self.key = (seed, epoch)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> dict[str, Any]:
        rng = np.random.default_rng((*self.key, i))
        canvas = self.composer(rng)
        pixels = degrade(canvas.pixels, rng, self.camera)
        targets = assign_targets(canvas.boxes, canvas.points, canvas.wanted, self.composer.size)
        return {"image": pixels, **targets}
