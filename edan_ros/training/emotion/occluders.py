"""Occluders, drawn on training crops by their landmarks.

Masks and scarves over mouth and chin, sunglasses and glasses over the eyes, in many shapes and
shades. The labels stay: emotion and landmarks of a partly occluded face are still defined.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: iBUG landmarks: the points of the outline that a mask may start from, and the nose bridge.
_FIRST_OF_OUTLINE, _NOSE = (0, 1, 2, 3, 4), (27, 28, 29, 30)
_EYES = (slice(36, 42), slice(42, 48))


def add_occluder(
    pixels: NDArray[np.uint8], landmarks: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the crop (S, S) with a mask or glasses over the face.

    ``landmarks`` are (68, 2) pixels of the crop.
    """
    draw = _mask if rng.random() < 0.5 else _glasses
    return draw(pixels, landmarks, rng)


def _mask(
    pixels: NDArray[np.uint8], landmarks: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw a mask from the nose, or from below it, to the chin or beyond."""
    start = int(rng.choice(_FIRST_OF_OUTLINE))
    outline = landmarks[start : 17 - start].copy()
    size = float(np.ptp(landmarks[:, 1]))
    outline += rng.normal(0.0, 0.02 * size, outline.shape)
    outline += (outline - landmarks[33]) * rng.uniform(-0.05, 0.3)
    top = landmarks[int(rng.choice(_NOSE))] if rng.random() < 0.8 else landmarks[33]
    polygon = np.vstack([outline, top])
    cover = np.zeros(pixels.shape, np.uint8)
    _fill(cover, polygon, 255)
    return _blend(pixels, cover, _cloth(pixels.shape, rng), rng.uniform(0.9, 1.0))


def _cloth(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return an even grey level, in most cases with folds."""
    level = rng.uniform(0.0, 255.0)
    if rng.random() < 0.3:
        return np.full(shape, level, np.float32)
    coarse = rng.normal(0.0, rng.uniform(5.0, 40.0), (int(rng.integers(2, 9)), 3))
    folds = cv2.resize(coarse.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(level + folds, 0.0, 255.0), np.float32)


def _glasses(
    pixels: NDArray[np.uint8], landmarks: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw two lenses, in most cases dark, otherwise a frame alone, and a bridge."""
    middles = [landmarks[eye].mean(axis=0) for eye in _EYES]
    across = middles[1] - middles[0]
    distance = float(np.hypot(*across))
    roll = np.arctan2(across[1], across[0])
    half = distance * np.array([rng.uniform(0.26, 0.48), rng.uniform(0.2, 0.42)])
    lens = _lens(half, rng.uniform(2.0, 6.0), roll)
    shift = rng.normal(0.0, 0.04 * distance, 2)
    outlines = [lens + middle + shift for middle in middles]
    cover = np.zeros(pixels.shape, np.uint8)
    dark = rng.random() < 0.75
    thick = max(round(distance * rng.uniform(0.02, 0.1)), 1)
    for outline in outlines:
        if dark:
            _fill(cover, outline, 255)
        else:
            cv2.polylines(cover, [_fixed(outline)], True, 255, thick, cv2.LINE_AA, 4)
    bridge = np.array([middles[0] + shift + 0.5 * half * across / distance, middles[1] + shift])
    cv2.polylines(cover, [_fixed(bridge)], False, 255, thick, cv2.LINE_AA, 4)
    shade = np.full(pixels.shape, rng.uniform(0.0, 110.0), np.float32)
    return _blend(pixels, cover, shade, rng.uniform(0.7, 1.0))


def _lens(half: NDArray[np.floating], power: float, roll: float) -> NDArray[np.float64]:
    """Return a (24, 2) outline around 0 between an ellipse (power 2) and a rectangle."""
    angle = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    unit = np.column_stack([np.cos(angle), np.sin(angle)])
    points = np.sign(unit) * np.abs(unit) ** (2.0 / power) * half
    c, s = np.cos(roll), np.sin(roll)
    return np.asarray(points @ np.array([[c, s], [-s, c]]))


def _fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Convert to sixteenths of pixels, for OpenCV's shift 4."""
    return np.round(points * 16.0).astype(np.int32)


def _fill(cover: NDArray[np.uint8], polygon: NDArray[np.floating], level: int) -> None:
    cv2.fillPoly(cover, [_fixed(polygon)], level, lineType=cv2.LINE_AA, shift=4)


def _blend(
    pixels: NDArray[np.uint8],
    cover: NDArray[np.uint8],
    paint: NDArray[np.float32],
    opacity: float,
) -> NDArray[np.uint8]:
    alpha = cover.astype(np.float32) * np.float32(opacity / 255.0)
    return np.asarray(pixels + alpha * (paint - pixels), np.float32).astype(np.uint8)
