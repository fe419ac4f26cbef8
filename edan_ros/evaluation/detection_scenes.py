"""Scenes for ``edan evaluate detector``: photographs, small faces, and images without people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.detectors import Detector
from edan_ros.core.faces import Box
from edan_ros.core.images import Image
from edan_ros.evaluation.detection import Scene

#: Longest side of the photographs, pixels.
LONGEST_SIDE = 640
#: Grey of what lies beyond a photograph on a larger picture.
BEYOND = 110

Photograph = tuple[NDArray[np.uint8], NDArray[np.floating]]


def resized(photograph: Photograph, factor: float) -> Photograph:
    """A (BGR picture, (68, 2) landmarks) enlarged or reduced."""
    pixels, landmarks = photograph
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=way)
    return np.asarray(small, np.uint8), (landmarks + 0.5) * factor - 0.5


def photograph_scenes(photographs: list[Photograph], teacher: Detector) -> list[Scene]:
    """Each photograph at LONGEST_SIDE; the faces that ``teacher`` finds beside may be found."""
    scenes = []
    for photograph in photographs:
        pixels, landmarks = resized(photograph, LONGEST_SIDE / max(photograph[0].shape[:2]))
        image = Image(pixels, "bgr")
        others = tuple(d.box for d in teacher.detect(image))
        scenes.append(Scene(image, (Box.from_landmarks(landmarks),), others))
    return scenes


def small_face_scenes(
    photographs: list[Photograph],
    teacher: Detector,
    face: float,
    *,
    shape: tuple[int, int] = (480, 640),
    seed: int = 0,
) -> list[Scene]:
    """Each photograph reduced until its face has the size ``face``, somewhere on a grey picture.

    face: mean of the box's width and height, pixels. What ``teacher`` finds in the photograph at
    its own size may be found.
    """
    rng = np.random.default_rng(seed)
    scenes = []
    for photograph in photographs:
        factor = face / Box.from_landmarks(photograph[1]).size
        pixels, landmarks = resized(photograph, factor)
        pixels = pixels[: shape[0], : shape[1]]
        height, width = pixels.shape[:2]
        y, x = rng.integers(0, shape[0] - height + 1), rng.integers(0, shape[1] - width + 1)
        canvas = np.full((*shape, 3), BEYOND, np.uint8)
        canvas[y : y + height, x : x + width] = pixels
        others = tuple(
            Box(
                d.box.x * factor + x,
                d.box.y * factor + y,
                d.box.width * factor,
                d.box.height * factor,
            )
            for d in teacher.detect(Image(photograph[0], "bgr"))
        )
        own = Box.from_landmarks(landmarks + np.array([x, y]))
        scenes.append(Scene(Image(canvas, "bgr"), (own,), others))
    return scenes


def turned_scenes(photographs: list[Photograph], teacher: Detector, degrees: float) -> list[Scene]:
    """Each photograph at LONGEST_SIDE, turned about its middle by ``degrees``."""
    scenes = []
    for photograph in photographs:
        pixels, landmarks = resized(photograph, LONGEST_SIDE / max(photograph[0].shape[:2]))
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D((0.5 * (width - 1), 0.5 * (height - 1)), degrees, 1.0)
        image = Image(np.asarray(cv2.warpAffine(pixels, matrix, (width, height)), np.uint8), "bgr")
        moved = landmarks @ matrix[:, :2].T + matrix[:, 2]
        others = tuple(d.box for d in teacher.detect(image))
        scenes.append(Scene(image, (Box.from_landmarks(moved),), others))
    return scenes


def darkened(scenes: list[Scene], gain: float, noise: float, seed: int = 0) -> list[Scene]:
    """The scenes as a camera short of light gives them: ``gain`` times the grey level, and
    normal noise of standard deviation ``noise``."""
    rng = np.random.default_rng(seed)
    dark = []
    for scene in scenes:
        pixels = scene.image.pixels * gain + rng.normal(0.0, noise, scene.image.pixels.shape)
        image = Image(np.clip(pixels, 0, 255).astype(np.uint8), scene.image.order)
        dark.append(Scene(image, scene.faces, scene.others))
    return dark


def half_covered(scenes: list[Scene]) -> list[Scene]:
    """The scenes with the lower half of every face that must be found under an even grey."""
    covered = []
    for scene in scenes:
        pixels = scene.image.pixels.copy()
        for box in scene.faces:
            x0, x1 = (max(int(v), 0) for v in (box.x - 0.05 * box.width, box.x + 1.05 * box.width))
            y0, y1 = (max(int(v), 0) for v in (box.y + 0.5 * box.height, box.y + 1.1 * box.height))
            pixels[y0:y1, x0:x1] = BEYOND
        covered.append(Scene(Image(pixels, scene.image.order), scene.faces, scene.others))
    return covered


def sized_scenes(photographs: list[Photograph], width: int, height: int) -> list[Scene]:
    """The photographs stretched to one size, for times alone: no face is named."""
    return [
        Scene(Image(np.asarray(cv2.resize(pixels, (width, height)), np.uint8), "bgr"))
        for pixels, _ in photographs
    ]


def empty_scenes(files: list[Path]) -> Iterator[Scene]:
    """Every frame of the videos and every picture among ``files``, all without people."""
    for file in files:
        capture = cv2.VideoCapture(str(file))
        while True:
            more, pixels = capture.read()
            if not more:
                break
            yield Scene(Image(np.asarray(pixels, np.uint8), "bgr"))
        capture.release()
