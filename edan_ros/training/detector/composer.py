"""Training canvases of the detector, composed for each sample in each epoch.

A background, one photograph or several small images on it, and then what cameras and scenes do to
faces: image borders, occluders, darkness, blur, noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edan_ros.training.detector.canvas import (
    SMALLEST_FACE,
    Canvas,
    Region,
    inside_shares,
    placement_matrix,
    warp,
)
from edan_ros.training.detector.distractors import draw_distractors, shade
from edan_ros.training.detector.sources import SourceImage
from edan_ros.training.detector.targets import assign_targets
from edan_ros.training.emotion.augment import Augmentation, degrade


@dataclass(frozen=True)
class Composition:
    """Settings of composed canvases. Face sizes are means of width and height in pixels.

    Attributes:
        scene: probability that a canvas starts with a photograph whose face has a size in
            ``scene_face``; others start with background.
        scenes: how often the photographs of scenes and mosaics come from which data set.
        mosaic: probability of 2 to ``tiles`` photographs with faces of ``tile_face``, beside and
            over each other.
        pasted: largest number of small images with faces of ``pasted_face`` on top; ``beside`` on
            canvases with a scene.
        roll_deg: standard deviation of the roll; a share ``turned`` of rolls is uniform up to
            ``widest_roll_deg``.
        mirror: probability of mirror images.
        shares: how often a pasted image comes from which data set.
        empty: share of pasted images without a face.
        hard: share of pasted images without a face that show a region which the detector that the
            run starts from takes for a face.
        plain: probability of a uniform or graded background.
        background_image_prob: share of backgrounds and of pasted images without a face that come
            from images without people, if there are any.
        distractor_prob: probability of lines, discs, spots and words.
        occluder_prob: share of faces that are partly covered.
        dark: probability of a sixth to a half of the light, with the noise of a high gain.
        side_light: probability of a shadow across one face, or of a bright scene behind it.
        smallest: smaller faces are ignored.
    """

    scene: float = 0.55
    scene_face: tuple[float, float] = (28.0, 380.0)
    scenes: dict[str, float] = field(default_factory=lambda: {"landmarks68": 1.0})
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
    hard: float = 0.0
    plain: float = 0.0
    background_image_prob: float = 0.2
    distractor_prob: float = 0.2
    occluder_prob: float = 0.15
    dark: float = 0.0
    side_light: float = 0.0
    smallest: float = SMALLEST_FACE


class Composer:
    """Composes canvases of ``size`` pixels a side from source images by data set.

    The set ``landmarks68`` also provides backgrounds, and so does ``background_images``, which has
    no faces, if there is one.
    """

    def __init__(
        self, images: dict[str, list[SourceImage]], size: int, options: Composition
    ) -> None:
        self.images, self.size, self.options = images, size, options
        self._photographs = images["landmarks68"]
        self._background_images = images.get("background_images", [])
        self._hard = [
            (image, box) for group in images.values() for image in group for box in image.hard
        ]
        self._pasted, self._scenes = (
            {name: share for name, share in shares.items() if images.get(name)}
            for shares in (options.shares, options.scenes)
        )

    def __call__(self, rng: np.random.Generator) -> Canvas:
        """Return a canvas without the degradations of a camera."""
        canvas = Canvas(self.size, self.options.smallest)
        if rng.random() < self.options.plain:
            canvas.pixels[:] = shade((self.size, self.size), rng)
        else:
            self._background(canvas, rng)
        if rng.random() < self.options.distractor_prob:
            draw_distractors(canvas.pixels, rng)
        if self.options.mosaic and rng.random() < self.options.mosaic:
            for _ in range(rng.integers(2, self.options.tiles + 1)):
                self._scene(canvas, rng, self.options.tile_face)
        if rng.random() < self.options.scene:
            self._scene(canvas, rng, self.options.scene_face)
            count = rng.integers(0, self.options.beside + 1)
        else:
            count = rng.integers(0, self.options.pasted + 1)
        for _ in range(count):
            self._paste(canvas, rng)
        for box in canvas.boxes[~canvas.ignore]:
            if rng.random() < self.options.occluder_prob:
                self._occlude(canvas, box, rng)
        if self.options.side_light and rng.random() < self.options.side_light:
            canvas.pixels = _light_one_side(canvas.pixels, canvas.boxes, rng)
        if rng.random() < self.options.dark:
            canvas.pixels = _darken(canvas.pixels, rng)
        return canvas

    def _choose(self, shares: dict[str, float], rng: np.random.Generator) -> SourceImage:
        """Return an image of one of the data sets, which have these shares."""
        name = next(iter(shares))
        if len(shares) > 1:
            weights = np.array(list(shares.values()))
            name = list(shares)[rng.choice(len(shares), p=weights / weights.sum())]
        return self.images[name][rng.integers(len(self.images[name]))]

    def _empty_source(self, rng: np.random.Generator) -> SourceImage:
        """Return an image from which a region without a face is cut."""
        if self._background_images and rng.random() < self.options.background_image_prob:
            return self._background_images[rng.integers(len(self._background_images))]
        return self._photographs[rng.integers(len(self._photographs))]

    def _roll(self, rng: np.random.Generator) -> float:
        if rng.random() < self.options.turned:
            degrees = rng.uniform(-1.0, 1.0) * self.options.widest_roll_deg
        else:
            degrees = rng.normal(0.0, self.options.roll_deg)
        return float(np.deg2rad(degrees))

    def _background(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """Fill the canvas with one, two or four regions of images without a face."""
        split = rng.integers(self.size // 4, 3 * self.size // 4, 2)
        columns = [0, int(split[0]), self.size] if rng.random() < 0.6 else [0, self.size]
        rows = [0, int(split[1]), self.size] if rng.random() < 0.6 else [0, self.size]
        for x0, x1 in pairwise(columns):
            for y0, y1 in pairwise(rows):
                self._fill((x0, y0, x1, y1), canvas, rng)

    def _fill(self, region: Region, canvas: Canvas, rng: np.random.Generator) -> None:
        """Fill a region from an image without a face, or uniformly if none is found."""
        x0, y0, x1, y1 = region
        for _ in range(8):
            image = self._empty_source(rng)
            height, width = image.levels[0].shape
            cover = max((y1 - y0) / height, (x1 - x0) / width)
            scale = max(cover * np.exp(rng.uniform(0.1, 1.4)), 0.35)
            half = 0.5 * np.array([x1 - x0, y1 - y0]) / scale
            middle = rng.uniform(half, np.maximum([width, height] - half, half + 1e-3))
            target = np.array([0.5 * (x0 + x1), 0.5 * (y0 + y1)])
            matrix = placement_matrix(middle, target, scale, 0.0, mirror=rng.random() < 0.5)
            if not _shows_face(image, matrix, region):
                canvas.paste(image, matrix, region)
                return
        canvas.pixels[y0:y1, x0:x1] = rng.integers(0, 256)

    def _scene(self, canvas: Canvas, rng: np.random.Generator, sizes: tuple[float, float]) -> None:
        """Paste a photograph with one of its faces anywhere, up to half outside."""
        image = self._choose(self._scenes, rng)
        face = image.outlines[rng.integers(len(image.outlines))]
        extent = face.max(axis=0) - face.min(axis=0)
        size = _log_uniform(sizes, rng)
        scale = size / float(extent.mean())
        margin = min(0.2 * size, 0.5 * self.size)
        target = rng.uniform(margin, self.size - margin, 2)
        roll = self._roll(rng)
        middle = 0.5 * (face.max(axis=0) + face.min(axis=0))
        mirror = rng.random() < self.options.mirror
        matrix = placement_matrix(middle, target, scale, roll, mirror=mirror)
        region = _extent(image, matrix, self.size)
        mask = None
        if rng.random() < 0.7:  # the background stays beyond the photograph's border
            white = replace(image, levels=[np.full_like(image.levels[0], 255)])
            mask = warp(white, matrix, region, fill=0).astype(np.float32) / 255.0
        canvas.paste(image, matrix, region, mask)

    def _paste(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """Paste a small image with or without a face where it covers no other face."""
        size = _log_uniform(self.options.pasted_face, rng)
        empty = rng.random() < self.options.empty
        image, origin, scale = self._choose_paste(size, empty, rng)
        reach = rng.uniform(0.8, 2.0, 2) if image.framed else np.array([0.7, 0.75])
        half = np.maximum(reach * (1.5 if empty else 1.0) * size, 4.0)
        target = rng.uniform(0, self.size, 2)
        x0, y0 = np.clip(np.floor(target - half), 0, self.size - 8).astype(int)
        x1, y1 = np.clip(np.ceil(target + half), 8, self.size).astype(int)
        region = (int(x0), int(y0), int(x1), int(y1))
        if np.any(inside_shares(canvas.boxes, region) > 0.08):
            return
        mirror = rng.random() < self.options.mirror
        matrix = placement_matrix(origin, target, scale, self._roll(rng), mirror=mirror)
        if empty and _shows_face(image, matrix, region):
            return
        shape = (region[3] - region[1], region[2] - region[0])
        soft = not image.framed or rng.random() < 0.4
        canvas.paste(image, matrix, region, _soft_mask(shape, rng) if soft else None)

    def _choose_paste(
        self, size: float, empty: bool, rng: np.random.Generator
    ) -> tuple[SourceImage, NDArray[np.floating], float]:
        """Return an image, the place in it to paste, and the scale for faces of ``size``."""
        if empty and self._hard and rng.random() < self.options.hard:
            image, (x, y, width, height) = self._hard[rng.integers(len(self._hard))]
            scale = size / (0.5 * (width + height)) * np.exp(rng.uniform(-0.2, 0.2))
            return image, np.array([x + 0.5 * width, y + 0.5 * height]), float(scale)
        if empty:
            image = self._empty_source(rng)
            side = max(image.levels[0].shape)
            scale = size * np.exp(rng.uniform(0.7, 2.5)) / side
            return image, rng.uniform(0, image.levels[0].shape[::-1]), float(scale)
        image = self._choose(self._pasted, rng)
        face = image.outlines[rng.integers(len(image.outlines))]
        low, high = face.min(axis=0), face.max(axis=0)
        return image, 0.5 * (low + high), size / float((high - low).mean())

    def _occlude(self, canvas: Canvas, box: NDArray[np.float32], rng: np.random.Generator) -> None:
        """Cover up to half of a face: from a side, from below, over the eyes."""
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
            other = self._photographs[rng.integers(len(self._photographs))].levels[0]
            top = rng.integers(0, max(other.shape[0] - 48, 1))
            left = rng.integers(0, max(other.shape[1] - 48, 1))
            texture = other[top : top + 48, left : left + 48]
            size = (x1 - x0, y1 - y0)
            patch = np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_AREA), np.float32)
        below = canvas.pixels[y0:y1, x0:x1]
        mask = _soft_mask(patch.shape, rng) if rng.random() < 0.4 else 1.0
        canvas.pixels[y0:y1, x0:x1] = below + mask * (patch - below)


def _log_uniform(limits: Sequence[float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def _shows_face(image: SourceImage, matrix: NDArray[np.float64], region: Region) -> bool:
    probe = Canvas(0)
    probe.add_faces(image, matrix, region)
    return len(probe.boxes) > 0


def _extent(image: SourceImage, matrix: NDArray[np.float64], size: int) -> Region:
    """Return the region of the canvas that an image covers."""
    height, width = image.levels[0].shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    corners = corners @ matrix[:, :2].T + matrix[:, 2]
    x0, y0 = np.clip(np.floor(corners.min(axis=0)), 0, size - 1).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)), [x0 + 1, y0 + 1], size).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _soft_mask(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return an opacity (h, w) that falls to 0 at an irregular outline inside the rectangle."""
    height, width = shape[:2]
    y = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :]
    power = rng.uniform(2.0, 5.0)
    radius = (np.abs(x) ** power + np.abs(y) ** power) ** (1 / power)
    bumps = cv2.resize(rng.uniform(-0.12, 0.12, (4, 4)).astype(np.float32), (width, height))
    edge = rng.uniform(0.03, 0.25)
    return np.clip((1.0 - radius + bumps) / edge, 0.0, 1.0).astype(np.float32)


def _darken(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    noise = rng.standard_normal(pixels.shape, np.float32) * rng.uniform(0.5, 4.0)
    dark = pixels * np.float32(_log_uniform((0.15, 0.6), rng)) + noise
    return np.clip(dark, 0, 255).astype(np.uint8)


def _light_one_side(
    pixels: NDArray[np.uint8], boxes: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Shade one side of a face of the canvas and beyond, or the face in front of a bright scene."""
    height, width = pixels.shape
    box = boxes[rng.integers(len(boxes))] if len(boxes) else np.array([0, 0, width, height])
    size = float(box[2:].mean())
    x = (np.arange(width, dtype=np.float32) - box[0] - 0.5 * box[2])[None, :] / size
    y = (np.arange(height, dtype=np.float32) - box[1] - 0.5 * box[3])[:, None] / size
    if rng.random() < 0.7:
        angle = rng.uniform(0.0, 2 * np.pi)
        away = np.cos(angle) * x + np.sin(angle) * y + rng.uniform(-0.35, 0.35)
    else:
        away = np.hypot(x, y) - rng.uniform(0.7, 1.2)
    share = 1.0 / (1.0 + np.exp(np.clip(-away / rng.uniform(0.03, 0.3), -50.0, 50.0)))
    dark, bright = _log_uniform((0.15, 0.6), rng), rng.uniform(0.8, 1.6)
    gain = (dark + (bright - dark) * share).astype(np.float32)
    return np.asarray(np.clip(pixels * gain, 0, 255), np.uint8)


class DetectorData(Dataset[dict[str, Any]]):
    """The ``count`` samples of one epoch.

    Sample i depends on the seed, the epoch and i alone, not on the process that computes it.
    """

    def __init__(
        self, composer: Composer, camera: Augmentation, count: int, seed: int, epoch: int
    ) -> None:
        self.composer, self.camera, self.count = composer, camera, count
        self.key = (seed, epoch)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> dict[str, Any]:
        """Return sample i: image (size, size) uint8 and the targets of ``assign_targets``."""
        rng = np.random.default_rng((*self.key, i))
        canvas = self.composer(rng)
        pixels = degrade(canvas.pixels, rng, self.camera)
        targets = assign_targets(canvas.boxes, canvas.points, canvas.ignore, self.composer.size)
        return {"image": pixels, **targets}
