"""A training picture in the making: sources are laid on it, and what they show is kept track of."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.training.detector.sources import Picture

#: Faces (mean of width and height, pixels) below this are neither wanted nor wrong, unless a
#: canvas says otherwise.
SMALLEST_FACE = 9.0
#: Of a face at the border this part must be inside to be wanted, and less than that is neither
#: wanted nor wrong down to the second number, below which nothing should be found.
INSIDE, BARELY_INSIDE = 0.5, 0.2
#: A face of which more than this is covered is neither wanted nor wrong.
COVERED = 0.6
#: The five points in a mirrored picture.
MIRRORED_POINTS = [1, 0, 2, 4, 3]


class Canvas:
    """A square grey picture (size, size) uint8 with its faces.

    boxes: (k, 4) x, y, width, height. points: (k, 5, 2). wanted: (k,) whether a detector should
    find it; where not, finding it is not wrong either. All in pixels of the canvas.
    """

    def __init__(self, size: int, smallest: float = SMALLEST_FACE) -> None:
        self.size, self.smallest = size, smallest
        self.pixels = np.zeros((size, size), np.uint8)
        self.boxes = np.empty((0, 4), np.float32)
        self.points = np.empty((0, 5, 2), np.float32)
        self.wanted = np.empty(0, bool)

    def lay(
        self,
        picture: Picture,
        matrix: NDArray[np.float64],
        region: tuple[int, int, int, int],
        mask: NDArray[np.float32] | None = None,
        *,
        fill: int | None = None,
    ) -> None:
        """Lay a picture on ``region`` (x0, y0, x1, y1), moved by ``matrix``.

        matrix: (2, 3) pixels of the picture -> of the canvas. mask: (y1 - y0, x1 - x0) opacity,
        or None for 1. fill: the grey level beyond the picture's border, which is repeated
        without. Faces that were there before and are covered stop being wanted.
        """
        x0, y0, x1, y1 = region
        patch = warp(picture, matrix, region, fill)
        below = self.pixels[y0:y1, x0:x1]
        if mask is None:
            self.pixels[y0:y1, x0:x1] = patch
        else:
            self.pixels[y0:y1, x0:x1] = below + mask * (patch.astype(np.float32) - below)
        self._cover(region)
        self.add_faces(picture, matrix, region)

    def _cover(self, region: tuple[int, int, int, int]) -> None:
        hidden = shared_area(self.boxes, region) / np.maximum(area(self.boxes), 1e-6)
        self.wanted &= hidden < 1.0 - COVERED
        keep = hidden < 0.95
        self.boxes, self.points = self.boxes[keep], self.points[keep]
        self.wanted = self.wanted[keep]

    def add_faces(
        self, picture: Picture, matrix: NDArray[np.float64], region: tuple[int, int, int, int]
    ) -> None:
        """Note the faces of a picture that ``matrix`` moves into a region of the canvas."""
        linear, shift = matrix[:, :2].T, matrix[:, 2]
        outlines = picture.outlines @ linear + shift
        low = outlines.min(axis=1)
        boxes = np.concatenate([low, outlines.max(axis=1) - low], axis=1)
        points = picture.points @ linear + shift
        if np.linalg.det(linear) < 0:
            points = points[:, MIRRORED_POINTS]
        if len(picture.unsure):
            corners = picture.unsure[:, None, :2] + picture.unsure[:, None, 2:] * CORNERS
            corners = corners @ linear + shift
            low = corners.min(axis=1)
            unsure = np.concatenate([low, corners.max(axis=1) - low], axis=1)
            boxes = np.concatenate([boxes, unsure])
            points = np.concatenate([points, np.zeros((len(unsure), 5, 2))])
        inside = shared_area(boxes, region) / np.maximum(area(boxes), 1e-6)
        large = boxes[:, 2:].mean(axis=1) >= self.smallest
        sure = np.arange(len(boxes)) < len(outlines)
        keep = inside >= BARELY_INSIDE
        self.boxes = np.concatenate([self.boxes, boxes[keep]]).astype(np.float32)
        self.points = np.concatenate([self.points, points[keep]]).astype(np.float32)
        wanted = (inside >= INSIDE) & large & sure
        self.wanted = np.concatenate([self.wanted, wanted[keep]])


CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def area(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    """(n,) area of (n, 4) boxes."""
    return boxes[:, 2] * boxes[:, 3]


def shared_area(
    boxes: NDArray[np.floating], region: tuple[int, int, int, int]
) -> NDArray[np.floating]:
    """(n,) area that (n, 4) boxes x, y, width, height share with a region x0, y0, x1, y1."""
    low = np.maximum(boxes[:, :2], region[:2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], region[2:])
    return np.prod(np.maximum(high - low, 0.0), axis=1)


def warp(
    picture: Picture,
    matrix: NDArray[np.float64],
    region: tuple[int, int, int, int],
    fill: int | None = None,
) -> NDArray[np.uint8]:
    """The picture as it appears in a region of the canvas, from the halving of about its scale."""
    x0, y0, x1, y1 = region
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    level = min(max(int(-math.log2(max(scale, 1e-6)) + 0.3), 0), len(picture.levels) - 1)
    local = matrix.copy()
    # Pixel u of a halving covers the pixels around 2^level u + (2^level - 1) / 2.
    local[:, 2] += local[:, :2].sum(axis=1) * (0.5 * (2**level - 1)) - (x0, y0)
    local[:, :2] *= 2**level
    return cv2.warpAffine(
        picture.levels[level],
        local,
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if fill is None else cv2.BORDER_CONSTANT,
        borderValue=fill or 0,
    )


def placing(
    origin: NDArray[np.floating],
    target: NDArray[np.floating],
    scale: float,
    roll: float,
    *,
    mirror: bool,
) -> NDArray[np.float64]:
    """(2, 3) matrix that turns and scales about ``origin`` and moves it to ``target``."""
    c, s = scale * math.cos(roll), scale * math.sin(roll)
    linear = np.array([[c, -s], [s, c]])
    if mirror:
        linear[:, 0] *= -1
    return np.column_stack([linear, np.asarray(target, np.float64) - linear @ origin])
