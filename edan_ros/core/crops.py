"""The square region around a face that is the input of the model, in training and at run time.

A crop is the square around the mean shape after a least-squares similarity fit to the 68
landmarks, enlarged by ``geometry.CROP_SCALE``. For a detection the same mean shape is fitted to
its five points, or else to its box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE, similarity
from edan_ros.core.images import Image

#: Bilinear sampling would skip pixels above this reduction, so the region is averaged first.
MAX_DIRECT_REDUCTION = 2.0


@dataclass(slots=True)
class Crop:
    """A rotated square in an image.

    Attributes:
        center: (2,) x and y in image pixels, pixel centres at integers.
        side: in image pixels.
        roll: rotation in radians, positive clockwise on the screen.
    """

    center: NDArray[np.float64]
    side: float
    roll: float

    @staticmethod
    def from_landmarks(landmarks: NDArray[np.floating]) -> Crop:
        """Return the crop of a face with (68, 2) landmarks in image pixels.

        Raises ValueError if a landmark is not finite or all of them coincide.
        """
        return _fitted(MEAN_SHAPE, landmarks)

    @staticmethod
    def from_many(landmarks: NDArray[np.floating]) -> list[Crop | None]:
        """Return the crops of (n, 68, 2) landmarks; None where ``from_landmarks`` would raise."""
        matrix, centers = similarity(MEAN_SHAPE, landmarks)
        sides = CROP_SCALE * np.hypot(matrix[:, 0, 0], matrix[:, 0, 1])
        rolls = np.arctan2(matrix[:, 0, 1], matrix[:, 0, 0])
        good = np.isfinite(landmarks).all(axis=(1, 2)) & (sides > 0.0)
        return [
            Crop(centers[i], float(sides[i]), float(rolls[i])) if good[i] else None
            for i in range(len(landmarks))
        ]

    @staticmethod
    def from_five_points(points: NDArray[np.floating]) -> Crop:
        """Return the crop of a mean face fitted to points as in ``Detection.points``, (5, 2).

        Raises ValueError if a point is not finite or all of them coincide.
        """
        return _fitted(five_points(MEAN_SHAPE), points)

    @staticmethod
    def from_box(box: Box, roll: float = 0.0) -> Crop:
        """Return the crop of a mean face that fills a box.

        Args:
            box: tight box of the 68 landmarks.
            roll: in-plane rotation of the face in radians, positive clockwise on the screen.

        Raises:
            ValueError: if the box is empty.
        """
        if not (box.width > 0.0 and box.height > 0.0):
            raise ValueError(f"an empty box of {box.width} x {box.height} pixels has no crop")
        shape = MEAN_SHAPE @ _rotation(-roll)
        low, high = shape.min(axis=0), shape.max(axis=0)
        scale = box.size / float((high - low).mean())
        center = np.asarray(box.center) - scale * 0.5 * (low + high)
        return Crop(center, CROP_SCALE * scale, float(roll))

    def matrix(self, size: int, origin: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float64]:
        """Return the (2, 3) affine map from image pixels to those of a ``size`` x ``size`` crop.

        Pixel centres are at integers on both sides: the square covers -0.5 to size - 0.5.

        Args:
            size: pixels per side of the crop.
            origin: position in the image of the pixel from which the image pixels count.
        """
        scale, middle = size / self.side, 0.5 * (size - 1)
        c, s = scale * math.cos(self.roll), scale * math.sin(self.roll)
        x, y = self.center.tolist()
        x, y = x - origin[0], y - origin[1]
        return np.array([[c, s, middle - x * c - y * s], [-s, c, middle + x * s - y * c]])

    def to_crop(self, points: NDArray[np.floating], size: int) -> NDArray[np.float64]:
        """Map (n, 2) points in image pixels to pixels of a ``size`` x ``size`` crop."""
        linear = _rotation(self.roll) * (size / self.side)
        return np.asarray((points - self.center) @ linear + 0.5 * (size - 1))

    def to_image(self, points: NDArray[np.floating], size: int) -> NDArray[np.float64]:
        """Map (n, 2) points in pixels of a ``size`` x ``size`` crop to image pixels."""
        return np.asarray(Crop.all_to_image([self], points[None], size)[0])

    @staticmethod
    def all_to_image(
        crops: Sequence[Crop], points: NDArray[np.floating], size: int
    ) -> NDArray[np.float64]:
        """Map (n, k, 2) points in pixels of n ``size`` x ``size`` crops to image pixels."""
        places = np.array([(c.roll, c.side, *c.center.tolist()) for c in crops], np.float64)
        # As complex numbers, a similarity is a product and a sum.
        turn = np.exp(1j * places[:, :1]) * (places[:, 1:2] / size)
        center = places[:, 2:].view(np.complex128)
        inside = np.ascontiguousarray(points, np.float64).view(np.complex128)[..., 0]
        middle = 0.5 * (size - 1) * (1.0 + 1.0j)
        mapped = (inside - middle) * turn + center
        return np.asarray(mapped[..., None].view(np.float64))

    def reduced(self, reduction: int) -> Crop:
        """Return the same square in an image shrunk by the factor ``reduction``."""
        if reduction == 1:
            return self
        center = (self.center - 0.5 * (reduction - 1)) / reduction
        return Crop(center, self.side / reduction, self.roll)

    def corners(self) -> NDArray[np.float64]:
        """Return the (4, 2) corners in image pixels, clockwise from the top left."""
        square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
        return (square * self.side) @ _rotation(-self.roll) + self.center


def five_points(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (5, 2) eye centres, nose tip and mouth corners of (68, 2) landmarks.

    In the order of ``Detection.points``.
    """
    eyes = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    return np.array([*eyes, landmarks[30], landmarks[48], landmarks[54]], np.float64)


def _fitted(shape: NDArray[np.floating], points: NDArray[np.floating]) -> Crop:
    """Return the crop after a fit of ``shape``, points of the mean face, to image points."""
    if not np.all(np.isfinite(points)):
        raise ValueError("a crop needs finite points")
    matrix, center = similarity(shape, points)
    side = CROP_SCALE * float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if side <= 0.0:
        raise ValueError("points that coincide have no crop")
    return Crop(center, side, float(np.arctan2(matrix[0, 1], matrix[0, 0])))


def _rotation(roll: float) -> NDArray[np.float64]:
    """Return (2, 2) such that ``points @ matrix`` rotates row vectors by -roll."""
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, -s], [s, c]])


def extract(image: Image, crops: Sequence[Crop], size: int) -> NDArray[np.float32]:
    """Return crops of an image as (n, 1, size, size) float32 grey levels, 0 to 255.

    Each crop is one warp from the source; outside the image its border is repeated. Crops more
    than twice as large as ``size`` are averaged first, against aliasing.
    """
    out = np.empty((len(crops), 1, size, size), np.float32)
    for i, crop in enumerate(crops):
        out[i, 0] = _extract_one(image, crop, size)
    return out


def _extract_one(image: Image, crop: Crop, size: int) -> NDArray[np.uint8]:
    crop = crop.reduced(image.reduction)
    region = _region(crop, *image.pixels.shape[1::-1])
    return sample(image, region, crop.matrix(size, region[:2]), (size, size), crop.side / size)


def sample(
    image: Image,
    region: tuple[int, int, int, int],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    shrinkage: float,
) -> NDArray[np.uint8]:
    """Return the (h, w) grey levels of a crop; outside the region its border is repeated.

    Args:
        image: the image.
        region: x0, y0, x1, y1 of the part of ``image.pixels`` that the crop samples.
        matrix: (2, 3) affine map from pixels of the region to those of the crop; it is changed.
        size: height and width of the crop.
        shrinkage: pixels of the region per pixel of the crop; above MAX_DIRECT_REDUCTION they
            are averaged first.
    """
    x0, y0, x1, y1 = region
    gray = image.gray(region)
    reduction = min(int(shrinkage), x1 - x0, y1 - y0)
    if shrinkage > MAX_DIRECT_REDUCTION and reduction > 1:
        width, height = (x1 - x0) // reduction, (y1 - y0) // reduction
        whole = gray[: height * reduction, : width * reduction]
        gray = np.asarray(
            cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        # Pixel u of the small region has its centre at reduction * u + (reduction - 1) / 2.
        matrix[:, 2] += matrix[:, :2].sum(axis=1) * (0.5 * (reduction - 1))
        matrix[:, :2] *= reduction
    warped = cv2.warpAffine(
        gray, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def _region(crop: Crop, width: int, height: int) -> tuple[int, int, int, int]:
    """Return the region (x0, y0, x1, y1) that the crop samples, at least one pixel."""
    margin = 2.0
    x, y = crop.center.tolist()
    # Half the side of the upright square around the rotated one.
    reach = 0.5 * crop.side * (abs(math.cos(crop.roll)) + abs(math.sin(crop.roll))) + margin
    x0 = min(max(math.floor(x - reach), 0), width - 1)
    y0 = min(max(math.floor(y - reach), 0), height - 1)
    x1 = min(max(math.ceil(x + reach) + 1, x0 + 1), width)
    y1 = min(max(math.ceil(y + reach) + 1, y0 + 1), height)
    return x0, y0, x1, y1
