"""Augmentation: crops as a detector and a camera would have given them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop, extract
from edan_ros.core.geometry import MIRROR_PERMUTATION
from edan_ros.core.images import Image
from edan_ros.training.emotion.occluders import add_occluder
from edan_ros.training.emotion.smile_warp import warp_smile


@dataclass(frozen=True)
class Augmentation:
    """Ranges of crop jitter, and the probability of each degradation.

    The defaults cover the spread of the boxes of YuNet and of the Haar cascade, the rotation that
    remains when a detector does not give the roll, and cameras from good to poor.

    Attributes:
        shift: largest shift of the crop, as a share of its side.
        scale: largest factor on the crop's side.
        roll_deg: standard deviation of the roll in degrees.
        wide_roll_deg: largest roll of the share ``wide_roll_share`` of crops.
        mirror: probability of a mirror image.
        low_resolution: probability of a reduction to at least ``smallest_px`` pixels.
        light: probability of a change of exposure and contrast.
        blur: probability of a blur.
        unsharp: probability of an unsharp mask.
        equalise: probability of local histogram equalisation.
        noise: probability of noise.
        jpeg: probability of JPEG artefacts.
        erase: probability of an erased rectangle.
        background_crop_prob: probability that a crop misses its face, for the presence head.
        occluder_prob: probability of a mask or glasses, for faces with landmarks.
        slight_smile: probability of the warp of ``smile_warp.py``, for neutral and happy faces.
    """

    shift: float = 0.10
    scale: float = 1.22
    roll_deg: float = 12.0
    wide_roll_deg: float = 45.0
    wide_roll_share: float = 0.12
    mirror: float = 0.5
    low_resolution: float = 0.2
    smallest_px: int = 14
    light: float = 0.7
    blur: float = 0.15
    unsharp: float = 0.0
    equalise: float = 0.0
    noise: float = 0.2
    jpeg: float = 0.15
    erase: float = 0.2
    background_crop_prob: float = 0.04
    occluder_prob: float = 0.0
    slight_smile: float = 0.0


@dataclass
class AugmentedFace:
    """An augmented crop.

    Attributes:
        pixels: (S, S) uint8.
        landmarks: (68, 2) float32 pixels of the crop; NaN where unknown.
        emotion: (7,) float32 target distribution; NaN where unknown.
        has_face: whether the crop shows the face.
    """

    pixels: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    emotion: NDArray[np.float32]
    has_face: bool


def augment(
    image: NDArray[np.uint8],
    crop: Crop,
    landmarks: NDArray[np.float32],
    emotion: NDArray[np.float32],
    size: int,
    rng: np.random.Generator,
    options: Augmentation,
    *,
    has_face: bool = True,
) -> AugmentedFace:
    """Return a jittered crop of ``size`` pixels a side with the degradations of a camera.

    Args:
        image: (h, w) grey.
        crop: of the face.
        landmarks: (68, 2) pixels of the image; NaN where unknown.
        emotion: (7,) target distribution; NaN where unknown.
        size: side of the crop in pixels.
        rng: source of all that is random.
        options: ranges and probabilities.
        has_face: False for a crop of the background.
    """
    if has_face and rng.random() < options.background_crop_prob:
        crop, has_face = _miss(crop, rng), False
        landmarks, emotion = np.full_like(landmarks, np.nan), np.full_like(emotion, np.nan)
    else:
        crop = jitter(crop, rng, options)
    pixels = extract(Image(image, "mono"), [crop], size)[0, 0].astype(np.uint8)
    landmarks = crop.to_crop(landmarks, size).astype(np.float32)
    if rng.random() < options.mirror:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        landmarks = landmarks[MIRROR_PERMUTATION]
        landmarks[:, 0] = size - 1 - landmarks[:, 0]
    if options.slight_smile and rng.random() < options.slight_smile:
        pixels, landmarks, emotion = warp_smile(pixels, landmarks, emotion, rng)
    occluded = options.occluder_prob > 0.0 and rng.random() < options.occluder_prob
    if occluded and np.isfinite(landmarks).all():
        pixels = add_occluder(pixels, landmarks, rng)
    return AugmentedFace(degrade(pixels, rng, options), landmarks, emotion, has_face)


def jitter(crop: Crop, rng: np.random.Generator, options: Augmentation) -> Crop:
    """Return the crop shifted, scaled and rotated at random."""
    limit = options.shift
    center = crop.center + rng.normal(0.0, limit / 2, 2).clip(-limit, limit) * crop.side
    side = crop.side * np.exp(rng.uniform(-1.0, 1.0) * np.log(options.scale))
    if rng.random() < options.wide_roll_share:
        roll = rng.uniform(-1, 1) * options.wide_roll_deg
    else:
        roll = rng.normal(0.0, options.roll_deg)
    return Crop(center, float(side), float(crop.roll + np.deg2rad(roll)))


def _miss(crop: Crop, rng: np.random.Generator) -> Crop:
    """Return a crop beside its face, of a small part of it, or of far more than it."""
    kind = rng.integers(3)
    center, side = crop.center.copy(), crop.side
    if kind == 0:
        angle = rng.uniform(0.0, 2 * np.pi)
        reach = rng.uniform(0.55, 0.9)
        center += reach * side * np.array([np.cos(angle), np.sin(angle)])
    elif kind == 1:
        side *= rng.uniform(0.15, 0.4)
        center += rng.uniform(-0.3, 0.3, 2) * crop.side
    else:
        side *= rng.uniform(2.4, 5.0)
        center += rng.uniform(-0.3, 0.3, 2) * side
    return Crop(center, float(side), float(crop.roll + rng.normal(0.0, 0.3)))


def degrade(
    pixels: NDArray[np.uint8], rng: np.random.Generator, options: Augmentation
) -> NDArray[np.uint8]:
    """Return a crop (S, S) uint8 with changes of resolution, focus, light, noise and the like."""
    size = pixels.shape[0]
    if rng.random() < options.low_resolution:
        small = int(
            rng.integers(options.smallest_px, max(options.smallest_px + 1, int(0.75 * size)))
        )
        reduced = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
        pixels = _uint8(cv2.resize(reduced, (size, size), interpolation=cv2.INTER_LINEAR))
    if rng.random() < options.blur:
        pixels = _blur(pixels, rng)
    if options.unsharp and rng.random() < options.unsharp:
        pixels = _unsharp(pixels, rng)
    if options.equalise and rng.random() < options.equalise:
        pixels = _equalise(pixels, rng)
    if rng.random() < options.light:
        pixels = _light(pixels, rng)
    if rng.random() < options.noise:
        pixels = _noise(pixels, rng)
    if rng.random() < options.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 80))]
        encoded = cv2.imencode(".jpg", pixels, quality)[1]
        pixels = _uint8(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))
    if rng.random() < options.erase:
        pixels = _erase(pixels, rng)
    return pixels


def _uint8(pixels: Any) -> NDArray[np.uint8]:
    return np.asarray(pixels, np.uint8)


def _blur(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur as out of focus, or by motion in a random direction."""
    if rng.random() < 0.5:
        return _uint8(cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.6, 1.8))))
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    middle = (length - 1) / 2
    for r in np.linspace(-middle, middle, 2 * length):
        kernel[round(middle + r * np.sin(angle)), round(middle + r * np.cos(angle))] = 1.0
    return _uint8(cv2.filter2D(pixels, -1, kernel / kernel.sum()))


def _unsharp(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Sharpen by an unsharp mask, as cameras do and as enlarged 48-pixel faces are not."""
    soft = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.7, 2.0)))
    amount = float(rng.uniform(0.3, 1.8))
    return _uint8(cv2.addWeighted(pixels, 1.0 + amount, soft, -amount, 0.0))


def _equalise(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blend with local histogram equalisation (CLAHE), for flat and for studio light."""
    clip, tiles = float(rng.uniform(1.0, 4.0)), int(rng.integers(1, 5))
    equal = cv2.createCLAHE(clip, (tiles, tiles)).apply(pixels)
    share = float(rng.uniform(0.3, 1.0))
    return _uint8(cv2.addWeighted(equal, share, pixels, 1.0 - share, 0.0))


def _noise(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add sensor noise, up to twice as coarse as the crop: that of small faces is enlarged too."""
    size = pixels.shape[0]
    side = int(rng.integers(size // 2, size + 1))
    noise = rng.standard_normal((side, side), np.float32) * rng.uniform(2.0, 30.0)
    grain = cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR)
    return _uint8(np.clip(pixels + grain, 0, 255))


def _light(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change exposure, contrast and gamma; light a third of the crops from one side."""
    x = pixels.astype(np.float32) / 255.0
    gamma = np.exp(rng.uniform(-0.7, 0.7))
    x = x**gamma * np.exp(rng.uniform(-0.9, 0.4)) + rng.uniform(-0.12, 0.12)
    if rng.random() < 0.33:
        size = pixels.shape[0]
        axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
        slope = np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]
        x *= 1.0 - depth / (1.0 + np.exp(-3.0 * slope))
    return _uint8(np.clip(x, 0.0, 1.0) * 255.0)


def _erase(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Fill a rectangle with one grey level or with noise."""
    size = pixels.shape[0]
    h, w = rng.integers(size // 8, size // 2, 2)
    y, x = rng.integers(0, size - h), rng.integers(0, size - w)
    pixels = pixels.copy()
    if rng.random() < 0.5:
        pixels[y : y + h, x : x + w] = rng.integers(0, 256)
    else:
        pixels[y : y + h, x : x + w] = rng.integers(0, 256, (h, w), dtype=np.uint8)
    return pixels
