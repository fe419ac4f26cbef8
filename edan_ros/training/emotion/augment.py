"""Turn a training picture into a crop as a detector and a camera would have given it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop, extract
from edan_ros.core.geometry import MIRROR_PERMUTATION
from edan_ros.core.images import Image
from edan_ros.training.emotion.occluders import wear
from edan_ros.training.emotion.samples import Samples


@dataclass(frozen=True)
class Augmentation:
    """How far crops and grey levels are moved. Shifts are parts of the crop's side.

    worn: share of the faces with landmarks that wear a mask or glasses.

    The defaults cover the spread of YuNet's and the Haar cascade's boxes around the true ones,
    the rotation that remains when a detector does not tell the roll, and cameras from good to
    poor.
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
    miss: float = 0.04
    worn: float = 0.0


@dataclass
class Example:
    """One augmented crop: (S, S) uint8, landmarks (68, 2) in its pixels, and what is true of it."""

    crop: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    emotion: NDArray[np.float32]
    face: float
    trust: float
    log_prior: NDArray[np.float32]


def render(
    samples: Samples, index: int, size: int, rng: np.random.Generator, how: Augmentation
) -> Example:
    """The sample cut out with a jittered crop, its grey levels changed as a camera would.

    With probability ``how.miss`` the crop is moved off its face far enough to be a negative:
    so the presence head learns when a track has lost its face.
    """
    face = float(samples.faces[index])
    crop = samples.crops[index]
    emotion, points = samples.emotions[index], samples.landmarks[index]
    if face and rng.random() < how.miss:
        crop, face = _missed(crop, rng), 0.0
        emotion, points = np.full_like(emotion, np.nan), np.full_like(points, np.nan)
    else:
        crop = jitter(crop, rng, how)
    pixels = extract(Image(samples.images[index], "mono"), [crop], size)[0, 0].astype(np.uint8)
    landmarks = crop.to_crop(points, size).astype(np.float32)
    if rng.random() < how.mirror:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        landmarks = landmarks[MIRROR_PERMUTATION]
        landmarks[:, 0] = size - 1 - landmarks[:, 0]
    if how.worn and rng.random() < how.worn and np.isfinite(landmarks).all():
        pixels = wear(pixels, landmarks, rng)
    pixels = degrade(pixels, rng, how)
    trust, log_prior = float(samples.trust[index]), samples.log_prior[index]
    return Example(pixels, landmarks, emotion, face, trust, log_prior)


def jitter(crop: Crop, rng: np.random.Generator, how: Augmentation) -> Crop:
    """The crop moved, scaled and turned at random."""
    center = crop.center + rng.normal(0.0, how.shift / 2, 2).clip(-how.shift, how.shift) * crop.side
    side = crop.side * np.exp(rng.uniform(-1.0, 1.0) * np.log(how.scale))
    wide = rng.random() < how.wide_roll_share
    roll = rng.uniform(-1, 1) * how.wide_roll_deg if wide else rng.normal(0.0, how.roll_deg)
    return Crop(center, float(side), float(crop.roll + np.deg2rad(roll)))


def _missed(crop: Crop, rng: np.random.Generator) -> Crop:
    """A crop beside, far inside or far around its face."""
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
    pixels: NDArray[np.uint8], rng: np.random.Generator, how: Augmentation
) -> NDArray[np.uint8]:
    """Resolution, focus, light, noise, compression and occlusion of a crop (S, S) uint8."""
    size = pixels.shape[0]
    if rng.random() < how.low_resolution:
        small = int(rng.integers(how.smallest_px, max(how.smallest_px + 1, int(0.75 * size))))
        pixels = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < how.blur:
        pixels = _blur(pixels, rng)
    if how.unsharp and rng.random() < how.unsharp:
        pixels = _unsharp(pixels, rng)
    if how.equalise and rng.random() < how.equalise:
        pixels = _equalise(pixels, rng)
    if rng.random() < how.light:
        pixels = _light(pixels, rng)
    if rng.random() < how.noise:
        pixels = _noise(pixels, rng)
    if rng.random() < how.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 80))]
        pixels = cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_GRAYSCALE)
    if rng.random() < how.erase:
        pixels = _erase(pixels, rng)
    return pixels


def _blur(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    if rng.random() < 0.5:
        return cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.6, 1.8)))
    length = int(rng.integers(3, 8))  # motion blur along a random direction
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    middle = (length - 1) / 2
    for r in np.linspace(-middle, middle, 2 * length):
        kernel[round(middle + r * np.sin(angle)), round(middle + r * np.cos(angle))] = 1.0
    return cv2.filter2D(pixels, -1, kernel / kernel.sum())


def _unsharp(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Sharpen by an unsharp mask, as cameras do and as enlarged 48-pixel faces are not."""
    soft = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.7, 2.0)))
    amount = float(rng.uniform(0.3, 1.8))
    return cv2.addWeighted(pixels, 1.0 + amount, soft, -amount, 0.0)


def _equalise(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blend with local histogram equalisation (CLAHE), for flat and for studio light."""
    clip, tiles = float(rng.uniform(1.0, 4.0)), int(rng.integers(1, 5))
    equal = cv2.createCLAHE(clip, (tiles, tiles)).apply(pixels)
    share = float(rng.uniform(0.3, 1.0))
    return cv2.addWeighted(equal, share, pixels, 1.0 - share, 0.0)


def _noise(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Noise of the sensor, up to twice as coarse as the crop: a small face was enlarged with it."""
    size = pixels.shape[0]
    side = int(rng.integers(size // 2, size + 1))
    noise = rng.standard_normal((side, side), np.float32) * rng.uniform(2.0, 30.0)
    grain = cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


def _light(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Exposure, contrast and gamma; in a third of the cases light from one side."""
    x = pixels.astype(np.float32) / 255.0
    gamma = np.exp(rng.uniform(-0.7, 0.7))
    x = x**gamma * np.exp(rng.uniform(-0.9, 0.4)) + rng.uniform(-0.12, 0.12)
    if rng.random() < 0.33:
        size = pixels.shape[0]
        axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
        slope = np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]
        x *= 1.0 - depth / (1.0 + np.exp(-3.0 * slope))
    return (np.clip(x, 0.0, 1.0) * 255.0).astype(np.uint8)


def _erase(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    size = pixels.shape[0]
    h, w = rng.integers(size // 8, size // 2, 2)
    y, x = rng.integers(0, size - h), rng.integers(0, size - w)
    pixels = pixels.copy()
    if rng.random() < 0.5:
        pixels[y : y + h, x : x + w] = rng.integers(0, 256)
    else:
        pixels[y : y + h, x : x + w] = rng.integers(0, 256, (h, w), dtype=np.uint8)
    return pixels
