"""Geometry of the 68 landmarks: mean shape, similarity fits, normalising distances.

Landmarks are arrays of shape (68, 2): x (right) and y (down) in pixels, in iBUG 68 order
(Sagonas et al., "300 Faces in-the-Wild Challenge", 2013): outline 0-16, brows 17-26, nose 27-35,
eyes 36-47, mouth 48-67.
"""

from __future__ import annotations

from importlib import resources

import numpy as np
from numpy.typing import NDArray

NUM_LANDMARKS = 68

#: Side of the square crop given to a network, in units of the face size (see MEAN_SHAPE).
CROP_SCALE = 1.3

REGIONS: dict[str, tuple[int, ...]] = {
    "jaw": tuple(range(17)),
    "brows": tuple(range(17, 27)),
    "nose": tuple(range(27, 36)),
    "eyes": tuple(range(36, 48)),
    "mouth": tuple(range(48, 68)),
}

#: Lines along the landmarks: first and last landmark, and whether the line is closed.
OUTLINES: tuple[tuple[int, int, bool], ...] = (
    *((0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False)),
    *((36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True)),
)

#: Subsets of the 68 landmarks for the landmark loss, as varied by the authors of EmotionalDAN: 51
#: omits the outline, 42 also the nose, 32 keeps only eyes and mouth.
SUBSETS: dict[int, tuple[int, ...]] = {
    68: tuple(range(68)),
    51: tuple(range(17, 68)),
    42: tuple(range(17, 27)) + tuple(range(36, 68)),
    32: tuple(range(36, 68)),
}


def _load_mean_shape() -> NDArray[np.float64]:
    with resources.files(__package__).joinpath("mean_shape.csv").open("r", encoding="utf-8") as f:
        return np.loadtxt(f, delimiter=",")


def _mirror_permutation() -> NDArray[np.intp]:
    pairs = [(i, 16 - i) for i in range(8)]
    pairs += [(17 + i, 26 - i) for i in range(5)]
    pairs += [(31, 35), (32, 34)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58)]
    pairs += [(60, 64), (61, 63), (65, 67)]
    order = np.arange(NUM_LANDMARKS)
    for a, b in pairs:
        order[a], order[b] = b, a
    return order


#: (68, 2) mean face. Its tight bounding box is centred on the origin, and its face size, the mean
#: of the box's width and height, is 1.
MEAN_SHAPE: NDArray[np.float64] = _load_mean_shape()

#: (68,) index of the landmark that replaces each landmark in a mirrored image.
MIRROR_PERMUTATION: NDArray[np.intp] = _mirror_permutation()


def similarity(
    source: NDArray[np.floating], target: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a similarity, without reflection, by least squares (Procrustes).

    Args:
        source: (n, 2) points, n >= 2, or as many sets of them as in ``target``, (..., n, 2).
        target: (..., n, 2) points.

    Returns:
        A (..., 2, 2) and t (..., 2), for row vectors: ``source @ A + t`` approximates ``target``.
        The scale is ``hypot(A[0, 0], A[0, 1])``, the rotation in radians, from x towards y,
        ``arctan2(A[0, 1], A[0, 0])``.

    Raises:
        ValueError: if all points of a source coincide, because no scale is then defined.
    """
    src = np.asarray(source, dtype=np.float64)
    dst = np.asarray(target, dtype=np.float64)
    src_mean, dst_mean = src.mean(axis=-2), dst.mean(axis=-2)
    p, q = src - src_mean[..., None, :], dst - dst_mean[..., None, :]
    norm = (p * p).sum(axis=(-2, -1))
    if (norm <= 1e-12).any():
        raise ValueError("a similarity needs at least two distinct source points")
    a = (p * q).sum(axis=(-2, -1)) / norm
    b = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(axis=-1) / norm
    matrix = np.empty((*np.shape(a), 2, 2))
    matrix[..., 0, 0] = matrix[..., 1, 1] = a
    matrix[..., 0, 1], matrix[..., 1, 0] = b, -b
    return matrix, dst_mean - (src_mean[..., None, :] @ matrix)[..., 0, :]


def outer_eye_distance(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the distance of the outer eye corners (36 and 45), in the unit of the landmarks.

    (..., 68, 2) -> (...). The normalisation of 300-W (Sagonas et al. 2013).
    """
    d = np.asarray(landmarks[..., 36, :], np.float64) - landmarks[..., 45, :]
    return np.asarray(np.hypot(d[..., 0], d[..., 1]))


def pupil_distance(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the distance of the eye centres (means of 36-41, 42-47), in the landmarks' unit.

    (..., 68, 2) -> (...). Normalises the EmotionalDAN loss (Tautkute et al. 2018, section 2).
    """
    right = np.asarray(landmarks[..., 36:42, :], np.float64).mean(axis=-2)
    left = np.asarray(landmarks[..., 42:48, :], np.float64).mean(axis=-2)
    d = right - left
    return np.asarray(np.hypot(d[..., 0], d[..., 1]))
