"""The one definition of the square that is cut around a face and given to the network.

Training and run time share it: a crop is where the mean shape lies after a least-squares
similarity fit to the 68 landmarks, enlarged by ``geometry.CROP_SCALE``. A crop made from a
detection fits the same mean shape to what the detector gives: five points, or the box alone.
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

#: Bilinear sampling skips pixels beyond this reduction, so the region is averaged first.
MAX_DIRECT_REDUCTION = 2.0


@dataclass(slots=True)
class Crop:
    """A rotated square of an image.

    center: (2,) x and y in image pixels (pixel centres at integers). side: image pixels.
    roll: radians, from x (right) towards y (down): positive is clockwise on the screen.
    """

    center: NDArray[np.float64]
    side: float
    roll: float

    @staticmethod
    def from_landmarks(landmarks: NDArray[np.floating]) -> Crop:
        """The crop of a face with these (68, 2) landmarks in image pixels.

        Raises ValueError when a landmark is not finite or all of them coincide.
        """
        return _fitted(MEAN_SHAPE, landmarks)

    @staticmethod
    def from_many(landmarks: NDArray[np.floating]) -> list[Crop | None]:
        """The crops of (n, 68, 2) landmarks at once; None where there can be none."""
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

        Raises ValueError when a point is not finite or all of them coincide.
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

    def matrix(self, size: int) -> NDArray[np.float64]:
        """(2, 3) affine map of image pixels to the pixels of a ``size`` x ``size`` crop.

        Pixel centres are at integers on both sides: the square covers -0.5 to size - 0.5.
        """
        linear = _rotation(self.roll) * (size / self.side)
        offset = 0.5 * (size - 1) - self.center @ linear
        return np.column_stack([linear.T, offset])

    def to_crop(self, points: NDArray[np.floating], size: int) -> NDArray[np.float64]:
        """(n, 2) points in image pixels -> (n, 2) points in pixels of the crop."""
        linear = _rotation(self.roll) * (size / self.side)
        return (points - self.center) @ linear + 0.5 * (size - 1)

    def to_image(self, points: NDArray[np.floating], size: int) -> NDArray[np.float64]:
        """(n, 2) points in pixels of the crop -> (n, 2) points in image pixels."""
        linear = _rotation(-self.roll) * (self.side / size)
        return (points - 0.5 * (size - 1)) @ linear + self.center

    def reduced(self, reduction: int) -> Crop:
        """The same square in pixels that each stand for ``reduction`` rows and columns."""
        if reduction == 1:
            return self
        center = (self.center - 0.5 * (reduction - 1)) / reduction
        return Crop(center, self.side / reduction, self.roll)

    def corners(self) -> NDArray[np.float64]:
        """(4, 2) corners in image pixels, clockwise on the screen from the top left."""
        square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
        return (square * self.side) @ _rotation(-self.roll) + self.center


def five_points(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """(68, 2) -> (5, 2): eye centres, nose tip, mouth corners, as in ``Detection.points``."""
    eyes = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    return np.array([*eyes, landmarks[30], landmarks[48], landmarks[54]], np.float64)


def _fitted(shape: NDArray[np.floating], points: NDArray[np.floating]) -> Crop:
    """The crop of the mean face whose points ``shape`` are laid on ``points`` of the image."""
    if not np.all(np.isfinite(points)):
        raise ValueError("points must be finite numbers to make a crop")
    matrix, center = similarity(shape, points)
    side = CROP_SCALE * float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if side <= 0.0:
        raise ValueError("points that coincide make no crop")
    return Crop(center, side, float(np.arctan2(matrix[0, 1], matrix[0, 0])))


def _rotation(roll: float) -> NDArray[np.float64]:
    """(2, 2), for row vectors: ``points @ _rotation(r)`` turns them by -r."""
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, -s], [s, c]])


def extract(image: Image, crops: Sequence[Crop], size: int) -> NDArray[np.float32]:
    """Cut the crops out of an image: (n, 1, size, size) float32 grey, 0 to 255.

    One warp a crop straight from the source; what lies outside the image repeats its border.
    Crops more than twice as large as ``size`` are averaged down first, against aliasing.
    """
    out = np.empty((len(crops), 1, size, size), np.float32)
    for i, crop in enumerate(crops):
        out[i, 0] = _extract_one(image, crop, size)
    return out


def _extract_one(image: Image, crop: Crop, size: int) -> NDArray[np.uint8]:
    crop = crop.reduced(image.reduction)
    height, width = image.pixels.shape[:2]
    x0, y0, x1, y1 = _region(crop, width, height)
    gray = image.gray((x0, y0, x1, y1))
    matrix = crop.matrix(size)
    matrix[:, 2] += matrix[:, :2] @ (x0, y0)
    reduction = min(int(crop.side / size), x1 - x0, y1 - y0)
    if crop.side > MAX_DIRECT_REDUCTION * size and reduction > 1:
        width, height = (x1 - x0) // reduction, (y1 - y0) // reduction
        whole = gray[: height * reduction, : width * reduction]
        gray = np.asarray(
            cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        # Pixel u of the small region has its centre at reduction * u + (reduction - 1) / 2.
        matrix[:, 2] += matrix[:, :2].sum(axis=1) * (0.5 * (reduction - 1))
        matrix[:, :2] *= reduction
    warped = cv2.warpAffine(
        gray, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def _region(crop: Crop, width: int, height: int) -> tuple[int, int, int, int]:
    """The pixels (x0, y0, x1, y1; ends excluded) that the crop reads, at least one pixel."""
    margin = 2.0
    x, y = crop.center
    # Half the side of the upright square around the turned one.
    reach = 0.5 * crop.side * (abs(math.cos(crop.roll)) + abs(math.sin(crop.roll))) + margin
    x0 = min(max(math.floor(x - reach), 0), width - 1)
    y0 = min(max(math.floor(y - reach), 0), height - 1)
    x1 = min(max(math.ceil(x + reach) + 1, x0 + 1), width)
    y1 = min(max(math.ceil(y + reach) + 1, y0 + 1), height)
    return x0, y0, x1, y1
