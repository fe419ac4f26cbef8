"""Scenes for the evaluation of detectors: photographs, distortions of them, and empty places."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.images import Image
from edan_ros.detection.base import Detector
from edan_ros.evaluation.detection import DetectionScene
from edan_ros.evaluation.head_rotation import head_angles, rotate_head
from edan_ros.sources import create_source

#: Longest side of the photographs in pixels.
LONGEST_SIDE = 640
#: Grey level around a photograph on a larger canvas, and of occluders.
BACKGROUND = 110

#: Yaw in degrees up to which a photograph shows both sides of a face, so that it can be rotated.
MAX_INITIAL_YAW = 20.0

#: BGR image and the (68, 2) landmarks of one face in pixels.
Photograph: TypeAlias = "tuple[NDArray[np.uint8], NDArray[np.floating]]"


def resize(photograph: Photograph, factor: float) -> Photograph:
    """Return a photograph enlarged or shrunk by a factor."""
    pixels, landmarks = photograph
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=method)
    return np.asarray(resized, np.uint8), (landmarks + 0.5) * factor - 0.5


def _to_longest_side(photograph: Photograph) -> Photograph:
    return resize(photograph, LONGEST_SIDE / max(photograph[0].shape[:2]))


def photograph_scenes(photographs: Sequence[Photograph], teacher: Detector) -> list[DetectionScene]:
    """Return each photograph at LONGEST_SIDE; further faces that ``teacher`` finds are ignored.

    A photograph that occurs with several faces becomes one scene.
    """
    faces: dict[bytes, list[Photograph]] = {}
    for pixels, landmarks in photographs:
        faces.setdefault(pixels.tobytes(), []).append((pixels, landmarks))
    scenes = []
    for group in faces.values():
        resized = [_to_longest_side(photograph) for photograph in group]
        boxes = tuple(Box.from_landmarks(landmarks) for _, landmarks in resized)
        scenes.append(_scene(resized[0][0], boxes, teacher))
    return scenes


def _scene(pixels: NDArray[np.uint8], faces: tuple[Box, ...], teacher: Detector) -> DetectionScene:
    image = Image(pixels, "bgr")
    return DetectionScene(image, faces, tuple(d.box for d in teacher.detect(image)))


def face_size_scenes(
    photographs: Sequence[Photograph],
    teacher: Detector,
    face_size: float,
    *,
    shape: tuple[int, int] = (480, 640),
    seed: int = 0,
) -> list[DetectionScene]:
    """Return each photograph, scaled to a face size, at a random place on a grey canvas.

    Args:
        photographs: those larger than the canvas are cropped around the face.
        teacher: its detections in the photograph at its own size are ignored.
        face_size: mean of the box's width and height in pixels.
        shape: height and width of the canvas.
        seed: of the places.
    """
    rng = np.random.default_rng(seed)
    scenes = []
    for photograph in photographs:
        factor = face_size / Box.from_landmarks(photograph[1]).size
        pixels, landmarks = resize(photograph, factor)
        canvas_size, center = np.array(shape[::-1]), np.array(Box.from_landmarks(landmarks).center)
        excess = np.maximum(np.array(pixels.shape[1::-1]) - canvas_size, 0)
        start = np.clip(center - canvas_size / 2, 0, excess).astype(int)
        pixels = pixels[start[1] : start[1] + shape[0], start[0] : start[0] + shape[1]]
        height, width = pixels.shape[:2]
        y, x = rng.integers(0, shape[0] - height + 1), rng.integers(0, shape[1] - width + 1)
        canvas = np.full((*shape, 3), BACKGROUND, np.uint8)
        canvas[y : y + height, x : x + width] = pixels
        left, top = int(x - start[0]), int(y - start[1])
        boxes = [d.box for d in teacher.detect(Image(photograph[0], "bgr"))]
        ignore = tuple(
            Box(b.x * factor + left, b.y * factor + top, b.width * factor, b.height * factor)
            for b in boxes
        )
        face = Box.from_landmarks(landmarks + np.array([left, top]))
        scenes.append(DetectionScene(Image(canvas, "bgr"), (face,), ignore))
    return scenes


def rotated_scenes(
    photographs: Sequence[Photograph], teacher: Detector, degrees: float
) -> list[DetectionScene]:
    """Return each photograph at LONGEST_SIDE, rotated about the middle of its face."""
    scenes = []
    for photograph in photographs:
        pixels, landmarks = _to_longest_side(photograph)
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D(Box.from_landmarks(landmarks).center, degrees, 1.0)
        rotated = np.asarray(cv2.warpAffine(pixels, matrix, (width, height)), np.uint8)
        face = Box.from_landmarks(landmarks @ matrix[:, :2].T + matrix[:, 2])
        scenes.append(_scene(rotated, (face,), teacher))
    return scenes


def head_rotation_scenes(
    photographs: Sequence[Photograph],
    teacher: Detector,
    *,
    yaw: float | None = None,
    pitch: float | None = None,
) -> list[DetectionScene]:
    """Return the photographs up to MAX_INITIAL_YAW with the head at another yaw or pitch.

    Args:
        photographs: shown at LONGEST_SIDE.
        teacher: its detections in the rotated image are ignored.
        yaw: degrees, further to the side to which a head is turned already; unchanged without.
        pitch: degrees, positive down; unchanged without.
    """
    scenes = []
    for photograph in map(_to_longest_side, photographs):
        angles = head_angles(photograph[1])
        if abs(angles.yaw) > MAX_INITIAL_YAW:
            continue
        pixels, landmarks = rotate_head(
            *photograph,
            angles.yaw if yaw is None else math.copysign(yaw, angles.yaw),
            angles.pitch if pitch is None else pitch,
        )
        scenes.append(_scene(pixels, (Box.from_landmarks(landmarks),), teacher))
    return scenes


def darken(
    scenes: Sequence[DetectionScene], gain: float, noise: float, seed: int = 0
) -> list[DetectionScene]:
    """Return the scenes in low light.

    gain: factor on the grey levels. noise: standard deviation of Gaussian noise in grey levels.
    """
    rng = np.random.default_rng(seed)
    dark = []
    for scene in scenes:
        pixels = scene.image.pixels * gain + rng.normal(0.0, noise, scene.image.pixels.shape)
        image = Image(np.clip(pixels, 0, 255).astype(np.uint8), scene.image.order)
        dark.append(replace(scene, image=image))
    return dark


#: Occluded part of a face: left, top, right, bottom in widths and heights of its box.
OCCLUSIONS = {
    "lower half": (-0.05, 0.5, 1.05, 1.1),
    "eyes and brows": (-0.05, -0.1, 1.05, 0.35),
    "left half": (-0.1, -0.1, 0.5, 1.1),
}


def occlude(
    scenes: Sequence[DetectionScene], part: tuple[float, float, float, float]
) -> list[DetectionScene]:
    """Return the scenes with a part of every face, one of OCCLUSIONS, under even grey."""
    occluded = []
    for scene in scenes:
        pixels = scene.image.pixels.copy()
        for box in scene.faces:
            x0, x1 = (max(int(box.x + part[i] * box.width), 0) for i in (0, 2))
            y0, y1 = (max(int(box.y + part[i] * box.height), 0) for i in (1, 3))
            pixels[y0:y1, x0:x1] = BACKGROUND
        occluded.append(replace(scene, image=Image(pixels, scene.image.order)))
    return occluded


def timing_scenes(
    photographs: Sequence[Photograph], width: int, height: int
) -> list[DetectionScene]:
    """Return the photographs stretched to one size, without boxes."""
    return [
        DetectionScene(Image(np.asarray(cv2.resize(pixels, (width, height)), np.uint8), "bgr"))
        for pixels, _ in photographs
    ]


def empty_scenes(files: Sequence[Path]) -> Iterator[DetectionScene]:
    """Yield every frame of videos and images without people.

    Raises SourceError for a file that is missing or cannot be decoded.
    """
    for file in files:
        for frame in create_source(str(file)).frames():
            yield DetectionScene(frame.image)
