"""The crops of both eyes that are the input of the eye network, and the directions of its gaze.

All crops of a face share one scale and one rotation, so that a foreshortened or closed eye keeps
its height. The left eye is mirrored: in every crop the outer corner is on the left.

The view frame of a face is that of its gaze: f points from the eyes to the camera, l to the
person's left along the line of the outer eye corners, u upwards. Gaze and head angles in it are
0 towards the camera; yaw is positive towards the person's left, pitch upwards. For the mirrored
left eye, yaw changes its sign.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import sample
from edan_ros.core.faces import CameraModel
from edan_ros.core.head_pose import normalised
from edan_ros.core.images import Image

#: Height and width of a crop in pixels.
EYE_SIZE = (32, 48)
#: Pixels of a crop between the corners of the wider eye.
CORNER_DISTANCE = 32.0
#: Sign of yaw in the crops of the right and the left eye.
YAW_SIGNS: NDArray[np.float32] = np.array([1.0, -1.0], np.float32)

_OUTER, _INNER = [36, 45], [39, 42]


@dataclass(slots=True)
class EyePlaces:
    """Where the eyes of n faces are.

    Attributes:
        centers: (n, 2, 2) midpoints of the corners of the right and left eye, in image pixels.
        widths: (n, 2) distances of the corners in image pixels.
        rolls: (n,) rotations of the line of the outer corners, radians clockwise on the screen.
    """

    centers: NDArray[np.float64]
    widths: NDArray[np.float64]
    rolls: NDArray[np.float64]

    @staticmethod
    def from_landmarks(landmarks: NDArray[np.floating]) -> EyePlaces:
        """Return the places for (n, 68, 2) landmarks in image pixels."""
        points = np.asarray(landmarks, np.float64)
        outer, inner = points[:, _OUTER], points[:, _INNER]
        difference = inner - outer
        line = outer[:, 1] - outer[:, 0]
        return EyePlaces(
            0.5 * (outer + inner),
            np.hypot(difference[..., 0], difference[..., 1]),
            np.arctan2(line[:, 1], line[:, 0]),
        )

    def reduced(self, reduction: int) -> EyePlaces:
        """Return the same places in an image shrunk by the factor ``reduction``."""
        if reduction == 1:
            return self
        centers = (self.centers - 0.5 * (reduction - 1)) / reduction
        return EyePlaces(centers, self.widths / reduction, self.rolls)

    def matrices(self, size: tuple[int, int] = EYE_SIZE) -> NDArray[np.float64]:
        """Return the (n, 2, 2, 3) affine maps from image pixels to pixels of the crops.

        Pixel centres are at integers on both sides.

        Args:
            size: height and width of a crop; a larger one shows more around the eye.
        """
        scale = CORNER_DISTANCE / np.maximum(self.widths.max(axis=1), 1e-6)
        c, s = scale * np.cos(self.rolls), scale * np.sin(self.rolls)
        maps = np.empty((len(c), 2, 2, 3))
        maps[..., 0, 0], maps[..., 0, 1] = np.stack([c, -c], 1), np.stack([s, -s], 1)
        maps[..., 1, 0], maps[..., 1, 1] = -s[:, None], c[:, None]
        middle = 0.5 * (size[1] - 1), 0.5 * (size[0] - 1)
        maps[..., 2] = middle - (maps[..., :2] @ self.centers[..., None])[..., 0]
        return maps


def extract_eyes(
    image: Image, places: EyePlaces, size: tuple[int, int] = EYE_SIZE
) -> NDArray[np.uint8]:
    """Return the crops of the eyes of n faces, (n, 2, h, w) grey levels; right eye first.

    Outside the image its border is repeated.
    """
    crops = np.empty((len(places.rolls), 2, *size), np.uint8)
    places = places.reduced(image.reduction)
    maps = places.matrices(size)
    height, width = image.pixels.shape[:2]
    for face, (roll, widths) in enumerate(
        zip(places.rolls.tolist(), places.widths.tolist(), strict=True)
    ):
        shrinkage = max(*widths, 1e-6) / CORNER_DISTANCE
        # Half the sides of the upright box around the rotated crop, and two pixels of margin.
        c, s = 0.5 * shrinkage * abs(math.cos(roll)), 0.5 * shrinkage * abs(math.sin(roll))
        across, down = size[1] * c + size[0] * s + 2.0, size[1] * s + size[0] * c + 2.0
        for eye, (x, y) in enumerate(places.centers[face].tolist()):
            x0 = min(max(math.floor(x - across), 0), width - 1)
            y0 = min(max(math.floor(y - down), 0), height - 1)
            x1 = min(max(math.ceil(x + across) + 1, x0 + 1), width)
            y1 = min(max(math.ceil(y + down) + 1, y0 + 1), height)
            matrix = maps[face, eye]
            matrix[:, 2] += matrix[:, 0] * x0 + matrix[:, 1] * y0
            crops[face, eye] = sample(image, (x0, y0, x1, y1), matrix, size, shrinkage)
    return crops


def view_frames(places: EyePlaces, camera: CameraModel) -> NDArray[np.float64]:
    """Return the (n, 3, 3) axes f, l, u (rows) of the view frames in the camera optical frame."""
    middle = normalised(places.centers.mean(axis=1)[:, None], camera)[:, 0]
    frames = [
        _view_frame(x, y, roll)
        for (x, y), roll in zip(middle.tolist(), places.rolls.tolist(), strict=True)
    ]
    return np.array(frames).reshape(-1, 3, 3)


def _view_frame(x: float, y: float, roll: float) -> list[tuple[float, float, float]]:
    """Return the axes for eyes at x, y on the plane z = 1; in plain numbers, as it is faster."""
    far = math.sqrt(x * x + y * y + 1.0)
    f = -x / far, -y / far, -1.0 / far
    c, s = math.cos(roll), math.sin(roll)
    along = c * f[0] + s * f[1]
    across = math.sqrt(1.0 - along * along)
    left = (c - along * f[0]) / across, (s - along * f[1]) / across, -along * f[2] / across
    up = (
        f[1] * left[2] - f[2] * left[1],
        f[2] * left[0] - f[0] * left[2],
        f[0] * left[1] - f[1] * left[0],
    )
    return [f, left, up]


def angles_of(vector: NDArray[np.floating]) -> tuple[float, float]:
    """Return yaw and pitch in radians of a vector (forward, left, up)."""
    forward, left, up = (float(v) for v in vector)
    return math.atan2(left, forward), math.atan2(up, math.hypot(forward, left))


def vector_of(yaw: float, pitch: float) -> NDArray[np.float64]:
    """Return the unit vector (forward, left, up) of yaw and pitch in radians."""
    flat = math.cos(pitch)
    return np.array([flat * math.cos(yaw), flat * math.sin(yaw), math.sin(pitch)])
