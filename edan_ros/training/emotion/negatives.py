"""Crops of the background, for the presence head: what a tracker crops when a face has left."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import areas, bounding_boxes, intersections
from edan_ros.core.crops import Crop
from edan_ros.datasets import DataError
from edan_ros.datasets.archives import photographs
from edan_ros.training.emotion.samples import TrainingSet, face_region, make_training_set

#: Largest share of a crop's or of a face's area that a background crop may share with a face.
MAX_OVERLAP = 0.2
#: Score of YuNet from which a box is avoided as a face.
FACE_SCORE = 0.25


def background_crops(
    folder: Path, detector: Path, *, held_out: bool, seed: int, crops_per_image: int
) -> TrainingSet:
    """Return crops beside the faces of landmarks68: background, clothes, hands, hair.

    Args:
        folder: of landmarks68.
        detector: YuNet's ONNX file; photographs hold more faces than the one annotated.
        held_out: whether to use the held-out tenth of the photographs.
        seed: of the random crops.
        crops_per_image: crops tried per photograph; those that overlap a face are left out.

    Raises:
        DataError: without YuNet's file.
    """
    if not detector.is_file():
        raise DataError(f"there is no file {detector}: background crops need YuNet to avoid faces")
    yunet = cv2.FaceDetectorYN.create(str(detector), "", (320, 320), FACE_SCORE, 0.3)
    rng = np.random.default_rng(seed)
    images, crops = [], []
    for image, landmarks in photographs(folder, held_out=held_out):
        faces = _face_boxes(yunet, image, landmarks)
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        for _ in range(crops_per_image):
            crop = _random_crop(rng, faces, gray.shape)
            if not _overlaps(crop, faces):
                region, local = face_region(gray, crop)
                images.append(region)
                crops.append(local)
    return make_training_set(images, crops=crops, face=False)


def _face_boxes(
    yunet: cv2.FaceDetectorYN, image: NDArray[np.uint8], landmarks: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(n, 4) boxes of the annotated face and of all detected ones."""
    # YuNet misses very small faces: small photographs are enlarged.
    scale = 640.0 / max(image.shape[:2])
    enlarged = cv2.resize(image, None, fx=scale, fy=scale)
    yunet.setInputSize((enlarged.shape[1], enlarged.shape[0]))
    found = yunet.detect(enlarged)[1]
    annotated = bounding_boxes(landmarks[None].astype(np.float64))
    detected = np.empty((0, 4)) if found is None else found[:, :4] / scale
    return np.concatenate([annotated, detected])


def _random_crop(
    rng: np.random.Generator, faces: NDArray[np.float64], shape: tuple[int, ...]
) -> Crop:
    """Return a crop anywhere in the image, in half of the cases near a face and of its size."""
    height, width = shape
    if rng.random() < 0.5:
        face = faces[rng.integers(len(faces))]
        size = face[2:].max()
        side = size * np.exp(rng.uniform(np.log(0.5), np.log(1.8)))
        angle = rng.uniform(0, 2 * np.pi)
        reach = rng.uniform(0.5, 1.0) * (size + side)
        center = face[:2] + face[2:] / 2 + reach * np.array([np.cos(angle), np.sin(angle)])
        center = np.clip(center, 0.3 * side, np.maximum([width, height] - 0.3 * side, 0.3 * side))
    else:
        side = min(width, height) * np.exp(rng.uniform(np.log(0.1), np.log(0.9)))
        center = rng.uniform([0.3 * side] * 2, np.maximum([width, height] - 0.3 * side, 0.4 * side))
    return Crop(center, float(side), float(rng.normal(0, 0.3)))


def _overlaps(crop: Crop, faces: NDArray[np.float64]) -> bool:
    square = np.array([*(crop.center - crop.side / 2), crop.side, crop.side])
    shared = intersections(square[None], faces)[0]
    return bool(np.any(shared > MAX_OVERLAP * np.minimum(areas(faces), crop.side**2)))
