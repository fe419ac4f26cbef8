"""Scenes for ``edan evaluate detector``: photographs and what is done to them, and no people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.images import Image
from edan_ros.detection.detectors import Detector
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
    """Each photograph at LONGEST_SIDE; the faces that ``teacher`` finds beside may be found.

    A photograph that comes with several faces is one scene.
    """
    faces: dict[bytes, list[NDArray[np.floating]]] = {}
    pictures: dict[bytes, NDArray[np.uint8]] = {}
    for pixels, landmarks in photographs:
        key = pixels.tobytes()
        pictures[key] = pixels
        faces.setdefault(key, []).append(landmarks)
    scenes = []
    for key, pixels in pictures.items():
        large = [resized((pixels, f), LONGEST_SIDE / max(pixels.shape[:2])) for f in faces[key]]
        image = Image(large[0][0], "bgr")
        others = tuple(d.box for d in teacher.detect(image))
        own = tuple(Box.from_landmarks(landmarks) for _, landmarks in large)
        scenes.append(Scene(image, own, others))
    return scenes


def sized_face_scenes(
    photographs: list[Photograph],
    teacher: Detector,
    face: float,
    *,
    shape: tuple[int, int] = (480, 640),
    seed: int = 0,
) -> list[Scene]:
    """Each photograph scaled until its face has the size ``face``, somewhere on a grey picture.

    face: mean of the box's width and height, pixels. What ``teacher`` finds in the photograph at
    its own size may be found. A photograph that is larger than the picture is cut around the face.
    """
    rng = np.random.default_rng(seed)
    scenes = []
    for photograph in photographs:
        factor = face / Box.from_landmarks(photograph[1]).size
        pixels, landmarks = resized(photograph, factor)
        center = Box.from_landmarks(landmarks).center
        room, middle = np.array(shape[::-1]), np.array(center)
        size = np.array(pixels.shape[1::-1])
        start = np.clip(middle - room / 2, 0, np.maximum(size - room, 0)).astype(int)
        pixels = pixels[start[1] : start[1] + room[1], start[0] : start[0] + room[0]]
        height, width = pixels.shape[:2]
        y, x = rng.integers(0, shape[0] - height + 1), rng.integers(0, shape[1] - width + 1)
        canvas = np.full((*shape, 3), BEYOND, np.uint8)
        canvas[y : y + height, x : x + width] = pixels
        left, top = int(x - start[0]), int(y - start[1])
        others = tuple(
            Box(
                d.box.x * factor + left,
                d.box.y * factor + top,
                d.box.width * factor,
                d.box.height * factor,
            )
            for d in teacher.detect(Image(photograph[0], "bgr"))
        )
        own = Box.from_landmarks(landmarks + np.array([left, top]))
        scenes.append(Scene(Image(canvas, "bgr"), (own,), others))
    return scenes


def asymmetry(landmarks: NDArray[np.floating]) -> float:
    """How far a head is turned, 0 (straight) to 1 (profile), from (68, 2) landmarks.

    The nose tip's distances from the two ends of the outline at the ears: their difference in
    parts of their sum.
    """
    right, left = (float(np.hypot(*(landmarks[30] - landmarks[i]))) for i in (1, 15))
    return abs(left - right) / max(left + right, 1e-9)


def turned_away(photographs: list[Photograph], low: float, high: float) -> list[Photograph]:
    """The photographs of heads whose :func:`asymmetry` is from ``low`` to below ``high``."""
    return [p for p in photographs if low <= asymmetry(p[1]) < high]


def turned_scenes(photographs: list[Photograph], teacher: Detector, degrees: float) -> list[Scene]:
    """Each photograph at LONGEST_SIDE, turned about its face's middle by ``degrees``."""
    scenes = []
    for photograph in photographs:
        pixels, landmarks = resized(photograph, LONGEST_SIDE / max(photograph[0].shape[:2]))
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D(Box.from_landmarks(landmarks).center, degrees, 1.0)
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


#: What of a face's box is hidden: left, top, right, bottom in its widths and heights.
COVERS = {
    "lower half": (-0.05, 0.5, 1.05, 1.1),
    "eyes and brows": (-0.05, -0.1, 1.05, 0.35),
    "left half": (-0.1, -0.1, 0.5, 1.1),
}


def covered(scenes: list[Scene], part: tuple[float, float, float, float]) -> list[Scene]:
    """The scenes with a part of every face that must be found, one of COVERS, under even grey."""
    hidden = []
    for scene in scenes:
        pixels = scene.image.pixels.copy()
        for box in scene.faces:
            x0, x1 = (max(int(box.x + part[i] * box.width), 0) for i in (0, 2))
            y0, y1 = (max(int(box.y + part[i] * box.height), 0) for i in (1, 3))
            pixels[y0:y1, x0:x1] = BEYOND
        hidden.append(Scene(Image(pixels, scene.image.order), scene.faces, scene.others))
    return hidden


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
