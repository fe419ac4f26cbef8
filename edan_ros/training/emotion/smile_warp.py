"""Augmentation of slight expressions: a warp between a neutral mouth and a slight smile."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS

_NEUTRAL, _HAPPY = EMOTIONS.index("neutral"), EMOTIONS.index("happy")
#: Share of the target distribution from which a face is clearly neutral or happy.
_CLEAR = 0.7
#: Landmarks of the corners of the mouth and the outer corners of the eyes.
_MOUTH_CORNERS, _EYE_CORNERS = [48, 54], [36, 45]
#: Range of the shift of a mouth corner outwards, and up, in widths of the mouth: posed smiles
#: with a closed mouth.
_SHIFT = (0.05, 0.14)
#: Standard deviation of the shift around a mouth corner and around a cheek, in widths of the mouth.
_CORNER_REACH, _CHEEK_REACH = 0.28, 0.35
#: Narrower mouths, in pixels, are left as they are.
_MIN_WIDTH = 3.0


def warp_smile(
    pixels: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    emotion: NDArray[np.float32],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Turn a neutral face into a slight smile, and a happy face into a slighter one.

    A smooth warp moves the corners of the mouth outwards and up and lifts the cheeks, with a random
    strength. A neutral face gets the label happy in proportion to it. A happy face is warped the
    other way and keeps its label. Faces with other labels or without landmarks do not change.

    Args:
        pixels: (S, S) crop.
        landmarks: (68, 2) in pixels of the crop; NaN where unknown.
        emotion: (7,) target distribution; NaN where unknown.
        rng: source of all that is random.

    Returns:
        Crop, landmarks and target distribution after the warp.
    """
    unchanged = pixels, landmarks, emotion
    if not (np.isfinite(landmarks).all() and np.isfinite(emotion).all()):
        return unchanged
    neutral = bool(emotion[_NEUTRAL] >= _CLEAR)
    if not neutral and emotion[_HAPPY] < _CLEAR:
        return unchanged
    strength = float(rng.uniform(0.2, 1.0))
    corners = landmarks[_MOUTH_CORNERS].astype(np.float64)
    across = corners[1] - corners[0]
    width = float(np.hypot(*across))
    if width < _MIN_WIDTH:
        return unchanged
    across /= width
    up = np.array([across[1], -across[0]])
    outward, rise = rng.uniform(*_SHIFT, 2) * (strength * width * (1.0 if neutral else -0.6))
    cheeks = 0.5 * (corners + landmarks[_EYE_CORNERS])
    centers = np.vstack([corners, cheeks])
    lift = 0.4 * rise * up
    moves = np.array([rise * up - outward * across, rise * up + outward * across, lift, lift])
    reaches = width * np.array([_CORNER_REACH, _CORNER_REACH, _CHEEK_REACH, _CHEEK_REACH])

    def shift(points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the shifts of (..., 2) points."""
        squares = ((points[..., None, :] - centers) ** 2).sum(axis=-1)
        return np.asarray(np.exp(-0.5 * squares / reaches**2) @ moves)

    size = pixels.shape[0]
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float64)
    source = (grid - shift(grid)).astype(np.float32)
    warped = cv2.remap(
        pixels, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    target = emotion
    if neutral:
        share = min(0.1 + 0.9 * strength, 0.9)
        target = (emotion * (1.0 - share)).astype(np.float32)
        target[_HAPPY] += np.float32(share)
    moved = (landmarks + shift(landmarks)).astype(np.float32)
    return np.asarray(warped, np.uint8), moved, target
