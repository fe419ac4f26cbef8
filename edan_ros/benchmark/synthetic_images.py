"""Synthetic images with a known number of faces, composed from the demo's photographs."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.sources.scene import load_photographs

#: Name -> width and height.
RESOLUTIONS = {"vga": (640, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
#: Number of faces -> columns and rows in which they are arranged.
GRIDS = {1: (1, 1), 2: (2, 1), 4: (2, 2), 8: (4, 2)}

#: Heads in the two photographs: centre and side of a square around each.
_HEADS = ((222, 128, 200), (256, 205, 300))
#: Height of a head's square as a fraction of its cell in the image.
_FILL = 0.85
#: Amplitude of its motion as a fraction of the cell.
_SWING = 0.04


def moving_faces(resolution: str, faces: int, count: int) -> list[NDArray[np.uint8]]:
    """Return a loop of BGR images in which faces move slightly.

    Args:
        resolution: one of RESOLUTIONS.
        faces: number of faces, one of GRIDS.
        count: number of images.

    Raises:
        SourceError: if the photographs are not installed.
    """
    width, height = RESOLUTIONS[resolution]
    columns, rows = GRIDS[faces]
    heads = [_head(p, *place) for p, place in zip(load_photographs(), _HEADS, strict=True)]
    background = _background(width, height)
    cell = width / columns, height / rows
    side = _FILL * min(cell)
    images = []
    for number in range(count):
        image = background.copy()
        for face in range(faces):
            angle = 2.0 * math.pi * (number / count + face / faces)
            x = (face % columns + 0.5 + _SWING * math.cos(angle)) * cell[0]
            y = (face // columns + 0.5 + _SWING * math.sin(angle)) * cell[1]
            _paste(image, heads[face % 2], x, y, side)
        images.append(image)
    return images


def _background(width: int, height: int) -> NDArray[np.uint8]:
    """Return a plain wall, lit from the upper left, with sensor noise."""
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
    """Draw a head of height ``side`` centred at (x, y) with subpixel accuracy."""
    scale = side / head.shape[0]
    left, top = x - 0.5 * scale * head.shape[1], y - 0.5 * side
    x0, y0 = math.ceil(left), math.ceil(top)
    width, rows = int(scale * head.shape[1]) - 1, int(side) - 1
    matrix = np.array([[scale, 0.0, left - x0], [0.0, scale, top - y0]])
    image[y0 : y0 + rows, x0 : x0 + width] = cv2.warpAffine(
        head, matrix, (width, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
