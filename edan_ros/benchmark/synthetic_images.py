"""Images with a known number of faces, made from the photographs that the demo carries."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.sources.scene import load_photographs

#: Name -> width and height.
RESOLUTIONS = {"vga": (640, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
#: Numbers of faces -> columns and rows that they stand in.
GRIDS = {1: (1, 1), 2: (2, 1), 4: (2, 2), 8: (4, 2)}

#: Where the heads are in the two photographs: middle and side of a square around each.
_HEADS = ((222, 128, 200), (256, 205, 300))
#: Height of a head's square in parts of its place in the picture.
_PART = 0.85
#: How far it swings to each side, in parts of its place.
_SWING = 0.04


def moving_faces(resolution: str, faces: int, count: int) -> list[NDArray[np.uint8]]:
    """``count`` BGR images in which ``faces`` people swing a little; the last leads to the first.

    resolution: one of RESOLUTIONS. faces: one of GRIDS. Raises SourceError where the photographs
    are not installed.
    """
    width, height = RESOLUTIONS[resolution]
    columns, rows = GRIDS[faces]
    heads = [_head(p, *place) for p, place in zip(load_photographs(), _HEADS, strict=True)]
    wall = _wall(width, height)
    cell = width / columns, height / rows
    side = _PART * min(cell)
    images = []
    for number in range(count):
        image = wall.copy()
        for face in range(faces):
            angle = 2.0 * math.pi * (number / count + face / faces)
            x = (face % columns + 0.5 + _SWING * math.cos(angle)) * cell[0]
            y = (face // columns + 0.5 + _SWING * math.sin(angle)) * cell[1]
            _paste(image, heads[face % 2], x, y, side)
        images.append(image)
    return images


def _wall(width: int, height: int) -> NDArray[np.uint8]:
    """A plain wall, lit from the upper left, with the noise of a sensor."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 190.0 - 40.0 * x / width - 30.0 * y / height
    noise = np.random.default_rng(0).normal(0.0, 2.5, (height, width, 3))
    return np.asarray(np.clip(light[..., None] + noise, 0, 255), np.uint8)


def _head(photograph: NDArray[np.uint8], x: int, y: int, side: int) -> NDArray[np.uint8]:
    half = side // 2
    return photograph[max(y - half, 0) : y + half, max(x - half, 0) : x + half]


def _paste(
    image: NDArray[np.uint8], head: NDArray[np.uint8], x: float, y: float, side: float
) -> None:
    """Puts a head of this height around (x, y), to a fraction of a pixel."""
    scale = side / head.shape[0]
    left, top = x - 0.5 * scale * head.shape[1], y - 0.5 * side
    x0, y0 = math.ceil(left), math.ceil(top)
    width, rows = int(scale * head.shape[1]) - 1, int(side) - 1
    matrix = np.array([[scale, 0.0, left - x0], [0.0, scale, top - y0]])
    image[y0 : y0 + rows, x0 : x0 + width] = cv2.warpAffine(
        head, matrix, (width, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
