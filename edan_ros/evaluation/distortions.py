"""Distortions of face images with known landmarks, as a camera on a robot produces them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box

#: Grey levels of a mask and of sunglasses.
MASK, GLASSES = 190, 25


@dataclass(frozen=True)
class FaceImage:
    """A (h, w) uint8 grey image and the (68, 2) landmarks of its face in pixels."""

    pixels: NDArray[np.uint8]
    landmarks: NDArray[np.float64]

    @property
    def face_size(self) -> float:
        """Mean of width and height of the landmarks' tight box in pixels."""
        return Box.from_landmarks(self.landmarks).size


#: Image and random numbers -> the distorted image; None where the distortion does not apply.
Distortion = Callable[[FaceImage, np.random.Generator], FaceImage | None]


def unchanged() -> Distortion:
    """Return the distortion that changes nothing."""
    return lambda image, _: image


def rotated(degrees: float) -> Distortion:
    """Rotate about the middle of the face, to a random side."""

    def distort(image: FaceImage, rng: np.random.Generator) -> FaceImage:
        height, width = image.pixels.shape
        center = Box.from_landmarks(image.landmarks).center
        angle = degrees if rng.random() < 0.5 else -degrees
        matrix = cv2.getRotationMatrix2D(center, angle, 1.0)
        pixels = cv2.warpAffine(
            image.pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        landmarks = image.landmarks @ matrix[:, :2].T + matrix[:, 2]
        return FaceImage(np.asarray(pixels, np.uint8), landmarks)

    return distort


def downscaled(face_size: float) -> Distortion:
    """Shrink the image to a face size in pixels; does not apply to smaller faces."""

    def distort(image: FaceImage, _: np.random.Generator) -> FaceImage | None:
        factor = face_size / image.face_size
        if factor > 1.0:
            return None
        pixels = cv2.resize(image.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return FaceImage(np.asarray(pixels, np.uint8), (image.landmarks + 0.5) * factor - 0.5)

    return distort


def blurred(fraction: float) -> Distortion:
    """Blur by a Gaussian whose standard deviation is a fraction of the face size."""

    def distort(image: FaceImage, _: np.random.Generator) -> FaceImage:
        pixels = cv2.GaussianBlur(image.pixels, (0, 0), fraction * image.face_size)
        return FaceImage(np.asarray(pixels, np.uint8), image.landmarks)

    return distort


def noisy(deviation: float) -> Distortion:
    """Add Gaussian noise with a standard deviation in grey levels."""

    def distort(image: FaceImage, rng: np.random.Generator) -> FaceImage:
        noise = rng.normal(0.0, deviation, image.pixels.shape)
        pixels = np.clip(image.pixels + noise, 0, 255).astype(np.uint8)
        return FaceImage(pixels, image.landmarks)

    return distort


def exposed(stops: float) -> Distortion:
    """Change the exposure by stops on a linear scale (gamma 2.2), clipped and rounded."""
    levels = 255.0 * np.minimum((np.arange(256) / 255.0) * 2.0 ** (stops / 2.2), 1.0)
    table = np.round(levels).astype(np.uint8)
    return lambda image, _: FaceImage(table[image.pixels], image.landmarks)


def compressed(quality: int) -> Distortion:
    """Compress as JPEG of a quality from 1 to 100."""

    def distort(image: FaceImage, _: np.random.Generator) -> FaceImage:
        data = cv2.imencode(".jpg", image.pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        return FaceImage(np.asarray(pixels, np.uint8), image.landmarks)

    return distort


def masked() -> Distortion:
    """Cover mouth and chin with a mask, from the bridge of the nose down."""

    def distort(image: FaceImage, _: np.random.Generator) -> FaceImage:
        outline = image.landmarks[[*range(2, 15), 29]]
        return FaceImage(_filled(image.pixels, [outline], MASK), image.landmarks)

    return distort


def sunglasses() -> Distortion:
    """Cover both eyes with dark glasses."""

    def distort(image: FaceImage, _: np.random.Generator) -> FaceImage:
        landmarks = image.landmarks
        eyes = (landmarks[36:42], landmarks[42:48])
        lenses = [eye.mean(axis=0) + 0.95 * np.ptp(eye[:, 0]) * _lens() for eye in eyes]
        pixels = _filled(image.pixels, lenses, GLASSES)
        start, end = (tuple(round(float(v)) for v in landmarks[i]) for i in (39, 42))
        thickness = max(int(0.03 * image.face_size), 1)
        bridged = cv2.line(pixels, start, end, GLASSES, thickness)
        return FaceImage(np.asarray(bridged, np.uint8), landmarks)

    return distort


def _lens() -> NDArray[np.float32]:
    """Return the (24, 2) outline of a lens for an eye of width 1."""
    angles = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    return np.column_stack([np.cos(angles), 0.8 * np.sin(angles)]).astype(np.float32)


def _filled(
    pixels: NDArray[np.uint8], outlines: Sequence[NDArray[np.floating]], level: int
) -> NDArray[np.uint8]:
    filled = pixels.copy()
    polygons = [np.round(outline * 16).astype(np.int32) for outline in outlines]
    cv2.fillPoly(filled, polygons, level, lineType=cv2.LINE_AA, shift=4)
    return filled


def asymmetry(landmarks: NDArray[np.floating]) -> float:
    """Return how far a head is turned sideways, from 0 (frontal), from (68, 2) landmarks.

    |a - b| / (a + b) of the distances a and b of the nose tip (30) from the two ends of the
    outline (0, 16), along the line between them.
    """
    across = landmarks[16] - landmarks[0]
    part = float((landmarks[30] - landmarks[0]) @ across / (across @ across))
    return abs(2.0 * part - 1.0)
