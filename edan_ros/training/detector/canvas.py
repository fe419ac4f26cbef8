"""A training image in the making: source images are pasted on it, and their faces tracked."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import areas, bounding_boxes, intersections
from edan_ros.training.detector.sources import SourceImage

#: Smaller faces (mean of width and height, pixels) are ignored, unless a canvas has another limit.
SMALLEST_FACE = 9.0
#: Share of a face inside the border from which it is a target, and from which it is ignored; below,
#: it is background.
INSIDE, BARELY_INSIDE = 0.5, 0.2
#: Share of a face that may be covered before it is ignored, and before it is background.
COVERED, HIDDEN = 0.4, 0.95
#: Order of the five points in a mirror image.
MIRRORED_POINTS = [1, 0, 2, 4, 3]

#: x0, y0, x1, y1 in whole pixels.
Region = tuple[int, int, int, int]


class Canvas:
    """A square grey image with its faces, all in pixels of the canvas.

    Attributes:
        pixels: (size, size) uint8.
        boxes: (k, 4) x, y, width, height.
        points: (k, 5, 2).
        ignore: (k,) whether a detector may or may not find the face, as ignore regions in COCO.
    """

    def __init__(self, size: int, smallest: float = SMALLEST_FACE) -> None:
        self.size, self.smallest = size, smallest
        self.pixels = np.zeros((size, size), np.uint8)
        self.boxes = np.empty((0, 4), np.float32)
        self.points = np.empty((0, 5, 2), np.float32)
        self.ignore = np.empty(0, bool)

    def paste(
        self,
        image: SourceImage,
        matrix: NDArray[np.float64],
        region: Region,
        mask: NDArray[np.float32] | None = None,
        *,
        fill: int | None = None,
    ) -> None:
        """Paste an image on a region of the canvas; faces that it covers may become ignored.

        Args:
            image: what to paste.
            matrix: (2, 3), maps pixels of the image to those of the canvas.
            region: on the canvas.
            mask: (y1 - y0, x1 - x0) opacity; opaque without.
            fill: grey level beyond the image's border, which is repeated without.
        """
        x0, y0, x1, y1 = region
        patch = warp(image, matrix, region, fill)
        below = self.pixels[y0:y1, x0:x1]
        if mask is None:
            self.pixels[y0:y1, x0:x1] = patch
        else:
            self.pixels[y0:y1, x0:x1] = below + mask * (patch.astype(np.float32) - below)
        self._occlude(region)
        self.add_faces(image, matrix, region)

    def _occlude(self, region: Region) -> None:
        covered = inside_shares(self.boxes, region)
        self.ignore |= covered >= COVERED
        keep = covered < HIDDEN
        self.boxes, self.points = self.boxes[keep], self.points[keep]
        self.ignore = self.ignore[keep]

    def add_faces(self, image: SourceImage, matrix: NDArray[np.float64], region: Region) -> None:
        """Add the faces of an image that ``matrix`` maps into a region of the canvas."""
        linear, shift = matrix[:, :2].T, matrix[:, 2]
        boxes = bounding_boxes(image.outlines @ linear + shift)
        points = image.points @ linear + shift
        if np.linalg.det(linear) < 0:
            points = points[:, MIRRORED_POINTS]
        corners = image.ignore[:, None, :2] + image.ignore[:, None, 2:] * _CORNERS
        boxes = np.concatenate([boxes, bounding_boxes(corners @ linear + shift)])
        points = np.concatenate([points, np.zeros((len(image.ignore), 5, 2))])
        inside = inside_shares(boxes, region)
        small = boxes[:, 2:].mean(axis=1) < self.smallest
        unsure = np.arange(len(boxes)) >= len(image.outlines)
        keep = inside >= BARELY_INSIDE
        ignore = (inside < INSIDE) | small | unsure
        self.boxes = np.concatenate([self.boxes, boxes[keep]]).astype(np.float32)
        self.points = np.concatenate([self.points, points[keep]]).astype(np.float32)
        self.ignore = np.concatenate([self.ignore, ignore[keep]])


_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def inside_shares(boxes: NDArray[np.floating], region: Region) -> NDArray[np.floating]:
    """Return the (n,) shares of (n, 4) boxes that lie inside a region."""
    x0, y0, x1, y1 = region
    box = np.array([[x0, y0, x1 - x0, y1 - y0]], np.float64)
    return np.asarray(intersections(boxes, box)[:, 0] / np.maximum(areas(boxes), 1e-6))


def warp(
    image: SourceImage,
    matrix: NDArray[np.float64],
    region: Region,
    fill: int | None = None,
) -> NDArray[np.uint8]:
    """Return an image as it appears in a region of the canvas, from the level of its scale."""
    x0, y0, x1, y1 = region
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    level = min(max(int(-math.log2(max(scale, 1e-6)) + 0.3), 0), len(image.levels) - 1)
    local = matrix.copy()
    # Pixel u of a level covers the pixels around 2^level u + (2^level - 1) / 2 of the image.
    local[:, 2] += local[:, :2].sum(axis=1) * (0.5 * (2**level - 1)) - (x0, y0)
    local[:, :2] *= 2**level
    warped = cv2.warpAffine(
        image.levels[level],
        local,
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if fill is None else cv2.BORDER_CONSTANT,
        borderValue=fill or 0,
    )
    return np.asarray(warped, np.uint8)


def placement_matrix(
    origin: NDArray[np.floating],
    target: NDArray[np.floating],
    scale: float,
    roll: float,
    *,
    mirror: bool,
) -> NDArray[np.float64]:
    """Return the (2, 3) matrix that scales and rotates about ``origin`` and moves it to ``target``.

    ``roll`` is in radians.
    """
    c, s = scale * math.cos(roll), scale * math.sin(roll)
    linear = np.array([[c, -s], [s, c]])
    if mirror:
        linear[:, 0] *= -1
    return np.column_stack([linear, np.asarray(target, np.float64) - linear @ origin])
