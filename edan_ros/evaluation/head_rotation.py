"""Photographs of a face as if the head had another yaw and pitch.

A generic head gives every pixel near the face a depth; the pixels move as the head rotates, nearer
ones hide farther ones, and the movement fades out around the head (as in Zhu et al., "Face
Alignment Across Large Poses: A 3D Solution", 2016, section 5, where a fitted model gives the
depth). Hidden parts of the face do not appear: rotate further to the side that is in front.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial.transform import Rotation

from edan_ros.core.boxes import Box
from edan_ros.core.geometry import MEAN_SHAPE, MIRROR_PERMUTATION

#: Landmarks of the right half of the face, and how far they are in front of the outer eye corners
#: in units of MEAN_SHAPE: those of ``core/head_pose.py``, and between them a smooth surface.
_RIGHT_HALF = (
    *range(9),
    *range(17, 22),
    *range(27, 34),
    *range(36, 42),
    *(48, 49, 50, 51, 57, 58, 59, 60, 61, 62, 66, 67),
)
_FORWARD = (
    *(-0.34, -0.34, -0.33, -0.30, -0.25, -0.19, -0.11, -0.06, -0.03),
    *(-0.08, 0.0, 0.05, 0.09, 0.11),
    *(0.16, 0.21, 0.26, 0.31, 0.16, 0.18, 0.20),
    *(0.0, 0.03, 0.05, 0.045, 0.04, 0.03),
    *(-0.01, 0.06, 0.10, 0.12, 0.10, 0.08, 0.04, 0.0, 0.08, 0.09, 0.08, 0.07),
)
#: Points of forehead, temples, ears, hair, neck and shoulders, mirrored where x is not 0: x, y and
#: how far in front, in the same units.
_HEAD = (
    *((0.0, -0.72, 0.07), (0.28, -0.68, -0.03), (0.0, -1.03, -0.28), (0.34, -0.93, -0.34)),
    *((0.51, -0.52, -0.34), (0.55, -0.2, -0.6), (0.48, 0.48, -0.55), (0.0, 0.76, -0.3)),
    *((0.38, 0.83, -0.5), (1.1, 0.6, -0.6), (1.2, -0.3, -0.65), (0.8, -1.1, -0.65)),
)
#: Landmarks that the head is fitted to: the outline depends on the view, apart from the chin.
_FITTED = [8, *range(17, 68)]
#: Axis of rotation, in the same units: between the ears.
_PIVOT = np.array([0.0, 0.1, 0.6])
#: Distances from the middle of the face, in face sizes, between which the movement fades out.
_FADE = (0.95, 2.1)
#: Cells per face size of the grid on which the movement is computed, and points per cell.
_CELLS, _POINTS = 40, 2.5


class HeadAngles(NamedTuple):
    """Angles of a head in degrees.

    Attributes:
        yaw: positive when the face turns to the right of the image.
        pitch: positive when it bows.
        roll: positive clockwise on the screen.
    """

    yaw: float
    pitch: float
    roll: float


class _Fit(NamedTuple):
    rotation: Rotation
    scale: float
    shift: NDArray[np.float64]


def _generic_head() -> NDArray[np.float64]:
    """Return (68 + k, 3) points: x right, y down, z away from the camera; the landmarks first."""
    forward = np.zeros(len(MEAN_SHAPE))
    forward[MIRROR_PERMUTATION[list(_RIGHT_HALF)]] = forward[list(_RIGHT_HALF)] = _FORWARD
    head = np.array(_HEAD)
    mirrored = head[head[:, 0] > 0.0] * (-1.0, 1.0, 1.0)
    points = np.vstack([np.column_stack([MEAN_SHAPE, forward]), head, mirrored])
    return points * (1.0, 1.0, -1.0)


_GENERIC_HEAD = _generic_head()


def _fit(landmarks: NDArray[np.floating]) -> _Fit:
    """Fit the generic head to (68, 2) landmarks under scaled orthography."""
    shape, points = _GENERIC_HEAD[_FITTED], np.asarray(landmarks, np.float64)[_FITTED]
    middle, shift = shape.mean(axis=0), points.mean(axis=0)
    affine = np.linalg.lstsq(shape - middle, points - shift, rcond=None)[0].T
    u, gains, v = np.linalg.svd(affine, full_matrices=False)
    rows, scale = u @ v, float(gains.mean())
    rotation = Rotation.from_matrix(np.vstack([rows, np.cross(rows[0], rows[1])]))
    return _Fit(rotation, scale, shift - scale * rotation.apply(middle)[:2])


def head_angles(landmarks: NDArray[np.floating]) -> HeadAngles:
    """Estimate the angles of a head from (68, 2) landmarks."""
    roll, yaw, pitch = _fit(landmarks).rotation.as_euler("ZYX", degrees=True)
    return HeadAngles(-float(yaw), float(pitch), float(roll))


def rotate_head(
    pixels: NDArray[np.uint8], landmarks: NDArray[np.floating], yaw: float, pitch: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return an image and its landmarks with the head at another yaw and pitch.

    Args:
        pixels: (h, w) or (h, w, 3).
        landmarks: (68, 2) pixels.
        yaw, pitch: of the result in degrees, as in :class:`HeadAngles`; the roll is kept.
    """
    fit = _fit(landmarks)
    roll = float(fit.rotation.as_euler("ZYX")[0])
    target = Rotation.from_euler("ZYX", [roll, -np.deg2rad(yaw), np.deg2rad(pitch)])
    turn = target * fit.rotation.inv()
    known = fit.scale * fit.rotation.apply(_GENERIC_HEAD)
    places = known[:, :2] + fit.shift
    places[: len(landmarks)] = landmarks
    pivot = fit.scale * fit.rotation.apply(_PIVOT) + (*fit.shift, 0.0)

    def rotated(points: NDArray[np.floating], depth: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(turn.apply(np.column_stack([points, depth]) - pivot) + pivot)

    box = Box.from_landmarks(landmarks)
    reach = _FADE[1] * box.size
    size = np.array(pixels.shape[1::-1])
    x0, y0 = np.clip(np.floor(np.array(box.center) - reach), 0, size - 1).astype(int)
    x1, y1 = np.clip(np.ceil(np.array(box.center) + reach), (x0 + 1, y0 + 1), size).astype(int)
    # The grid starts at the first pixel of the window, and its last cells may reach beyond it.
    cell = box.size / _CELLS
    columns, rows = (int(np.ceil(extent / cell)) + 1 for extent in (x1 - x0, y1 - y0))
    y, x = np.mgrid[:rows, :columns] * cell
    grid = np.column_stack([x.ravel() + x0, y.ravel() + y0])
    away = (grid**2).sum(axis=1)[:, None] + (places**2).sum(axis=1) - 2.0 * grid @ places.T
    weights = 1.0 / (away + (0.04 * box.size) ** 2) ** 2
    moved = rotated(grid, weights @ known[:, 2] / weights.sum(axis=1))
    radius = np.hypot(*(grid - box.center).T) / box.size
    fade = np.clip((_FADE[1] - radius) / (_FADE[1] - _FADE[0]), 0.0, 1.0)
    fade = (fade * fade * (3.0 - 2.0 * fade))[:, None]
    # Where the movement fades out, the depth becomes that of the background.
    still = np.column_stack([grid, np.full(len(grid), known[:, 2].max())])
    moved = (still + fade * (moved - still) - (x0, y0, 0.0)) / (cell, cell, 1.0)
    source = _invert(moved.reshape(rows, columns, 3)) * np.float32(cell)
    v, u = np.mgrid[: y1 - y0, : x1 - x0].astype(np.float32) / np.float32(cell)
    maps = cv2.split(cv2.remap(source, u, v, cv2.INTER_LINEAR))
    window = pixels[y0:y1, x0:x1]
    image = pixels.copy()
    image[y0:y1, x0:x1] = cv2.remap(
        window, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    points = rotated(np.asarray(landmarks), known[: len(landmarks), 2])[:, :2]
    return image, points.astype(np.float32)


def _invert(moved: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return where in a grid the nearest point that moved to each place of it comes from.

    Args:
        moved: (h, w, 3) place x, y in cells and depth of each point of the grid after the movement.

    Returns:
        (h, w, 2) x, y in cells before it.
    """
    height, width = moved.shape[:2]
    rows = np.arange(0.0, height - 1, 1.0 / _POINTS).astype(np.float32)
    columns = np.arange(0.0, width - 1, 1.0 / _POINTS).astype(np.float32)
    x, y = np.meshgrid(columns, rows)
    dense = cv2.remap(moved.astype(np.float32), x, y, cv2.INTER_LINEAR).reshape(-1, 3)
    order = np.argsort(-dense[:, 2], kind="stable")  # the nearest last: it stays
    to = np.round(dense[order, :2]).astype(int)
    inside = ((to >= 0) & (to < (width, height))).all(axis=1)
    source = np.full((height, width, 2), np.nan, np.float32)
    source[to[inside, 1], to[inside, 0]] = np.column_stack([x.ravel(), y.ravel()])[order][inside]
    nearest = distance_transform_edt(
        np.isnan(source[..., 0]), return_distances=False, return_indices=True
    )
    filled = source[nearest[0], nearest[1]]
    return np.dstack([cv2.medianBlur(np.ascontiguousarray(filled[..., i]), 3) for i in (0, 1)])
