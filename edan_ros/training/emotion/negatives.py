"""Crops without a face, for the presence head: what a tracker meets when the face has gone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.datasets import DataError
from edan_ros.datasets.archives import photographs
from edan_ros.training.emotion.samples import Samples, make_samples, surroundings

#: A negative may share at most this part of its own or of a face's area with a face.
MAX_OVERLAP = 0.2
#: Every box that the detector is this sure of counts as a face that must be avoided.
FACE_SCORE = 0.25


def background(folder: Path, detector: Path, *, held_out: bool, seed: int, each: int) -> Samples:
    """Squares beside the faces of landmarks68: background, clothes, hands, hair, backs of heads.

    ``detector`` is YuNet's ONNX file: photographs hold more faces than the one annotated.
    ``each`` squares of a photograph are tried; those that touch a face are left out.
    """
    if not detector.is_file():
        raise DataError(f"negatives need YuNet's file to avoid unlabelled faces: no {detector}")
    yunet = cv2.FaceDetectorYN.create(str(detector), "", (320, 320), FACE_SCORE, 0.3)
    rng = np.random.default_rng(seed)
    images, crops = [], []
    for image, points in photographs(folder, held_out=held_out):
        faces = _faces(yunet, image, points)
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        for _ in range(each):
            crop = _random_crop(rng, faces, gray.shape)
            if not _touches(crop, faces):
                patch, local = surroundings(gray, crop)
                images.append(patch)
                crops.append(local)
    return make_samples(images, crops=crops, face=False)


def _faces(yunet, image: NDArray, points: NDArray) -> NDArray[np.float64]:
    """(n, 4) boxes x0, y0, x1, y1 of the annotated face and of all detected ones."""
    height, width = image.shape[:2]
    # YuNet wants faces of a certain size: small photographs are enlarged for it.
    scale = 640.0 / max(width, height)
    big = cv2.resize(image, None, fx=scale, fy=scale)
    yunet.setInputSize((big.shape[1], big.shape[0]))
    found = yunet.detect(big)[1]
    boxes = [np.concatenate([points.min(axis=0), points.max(axis=0)])]
    if found is not None:
        for x, y, w, h in found[:, :4] / scale:
            boxes.append(np.array([x, y, x + w, y + h]))
    return np.array(boxes)


def _random_crop(
    rng: np.random.Generator, faces: NDArray[np.float64], shape: tuple[int, ...]
) -> Crop:
    """Anywhere in the picture, or, half of the time, close to a face and of its size."""
    height, width = shape
    if rng.random() < 0.5:
        x0, y0, x1, y1 = faces[rng.integers(len(faces))]
        size = max(x1 - x0, y1 - y0)
        side = size * np.exp(rng.uniform(np.log(0.5), np.log(1.8)))
        angle = rng.uniform(0, 2 * np.pi)
        reach = rng.uniform(0.5, 1.0) * (size + side)
        center = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        center = center + reach * np.array([np.cos(angle), np.sin(angle)])
        center = np.clip(center, 0.3 * side, np.maximum([width, height] - 0.3 * side, 0.3 * side))
    else:
        side = min(width, height) * np.exp(rng.uniform(np.log(0.1), np.log(0.9)))
        center = rng.uniform([0.3 * side] * 2, np.maximum([width, height] - 0.3 * side, 0.4 * side))
    return Crop(center, float(side), float(rng.normal(0, 0.3)))


def _touches(crop: Crop, faces: NDArray[np.float64]) -> bool:
    low, high = crop.center - crop.side / 2, crop.center + crop.side / 2
    overlap = np.minimum(high, faces[:, 2:]) - np.maximum(low, faces[:, :2])
    shared = np.prod(np.maximum(overlap, 0), axis=1)
    area = np.prod(faces[:, 2:] - faces[:, :2], axis=1)
    return bool(np.any(shared > MAX_OVERLAP * np.minimum(area, crop.side**2)))
