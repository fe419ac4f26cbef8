"""The interface of face detectors, and what they share.

Each detector maps its boxes to this project's definition, the tight box of the 68 landmarks, by a
linear map measured on photographs with manually placed landmarks. All of them search a copy of
the image no larger than ``max_side``, which bounds their cost at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image


class DetectorError(RuntimeError):
    """A detector cannot be created. The message gives the cause and the remedy."""


class Detector(Protocol):
    """Finds faces in an image."""

    name: str
    #: Whether to run on every image because that costs nothing, not only when detection is due.
    every_image: bool

    def detect(self, image: Image) -> list[Detection]:
        """Return the faces found, best score first; none in an image too small to hold one."""
        ...


@dataclass(frozen=True, slots=True)
class BoxMap:
    """Maps a detector's box to the tight box of the landmarks.

    Attributes:
        dx, dy: shift of the centre, in widths and heights of the detector's box.
        width, height: factors on its size.
    """

    dx: float
    dy: float
    width: float
    height: float

    def __call__(self, box: Box) -> Box:
        """Return the tight box of the landmarks for a box of the detector."""
        x, y = box.center
        width, height = box.width * self.width, box.height * self.height
        x, y = x + box.width * self.dx, y + box.height * self.dy
        return Box(x - 0.5 * width, y - 0.5 * height, width, height)


#: For boxes as in WIDER FACE, forehead to chin: medians over 1207 annotated faces of landmarks68
#: (HELEN and AFW photographs, longest side 416) that YuNet found.
WIDER_FACE_BOX = BoxMap(dx=0.0, dy=0.119, width=1.036, height=0.760)
IDENTITY_BOX = BoxMap(dx=0.0, dy=0.0, width=1.0, height=1.0)


def shrink(image: Image, max_side: int) -> tuple[Image, float]:
    """Shrink an image to at most ``max_side`` pixels a side.

    Rows and columns are skipped first where more than two in three would be averaged, so that the
    cost does not grow with the image.

    Returns:
        The image, and the number of original pixels per pixel of it along each side.
    """
    longest = max(image.width, image.height)
    if longest <= max_side:
        return image, 1.0
    scale = longest / max_side
    stride = max(int(scale / 2), 1)
    first = stride // 2  # centre of the skipped pixels
    pixels = image.pixels[first::stride, first::stride] if stride > 1 else image.pixels
    size = max(round(image.width / scale), 1), max(round(image.height / scale), 1)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return Image(np.asarray(small, np.uint8), image.order), scale


def to_full_size(row: NDArray[Any], scale: float) -> Box:
    """Return the box in the full image of x, y, width, height in one that ``shrink`` made.

    x and y count from the corner of the small image; those of the result, as everywhere, from the
    centre of the first pixel.
    """
    x, y, width, height = (float(v) for v in row)
    return Box(x * scale - 0.5, y * scale - 0.5, width * scale, height * scale)


def pad(pixels: NDArray[np.uint8], width: int, height: int, level: int) -> NDArray[np.uint8]:
    """Extend an image on the right and below to a size in pixels, with one grey level."""
    below, right = height - pixels.shape[0], width - pixels.shape[1]
    if not (below or right):
        return pixels
    padded = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=[level] * 3)
    return np.asarray(padded, np.uint8)


def best_first(detections: list[Detection], min_face: float) -> list[Detection]:
    """Return the detections of at least ``min_face`` pixels, best score first."""
    large = [d for d in detections if d.box.size >= min_face]
    return sorted(large, key=lambda d: d.score, reverse=True)
