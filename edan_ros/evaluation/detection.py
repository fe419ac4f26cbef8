"""Recall, false detections and speed of a face detector."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection.base import Detector
from edan_ros.evaluation.metrics import finite_mean

#: Intersection over union from which a detection matches a face.
MIN_IOU = 0.4


@dataclass(frozen=True)
class DetectionScene:
    """An image with the boxes of its faces.

    Attributes:
        image: the image.
        faces: must be found.
        ignore: regions where a detection is neither right nor wrong.
    """

    image: Image
    faces: tuple[Box, ...] = ()
    ignore: tuple[Box, ...] = ()


@dataclass(frozen=True)
class DetectionMetrics:
    """Figures of a detector.

    Attributes:
        images: number of images.
        recall: share of the faces found; NaN without faces.
        false_positives: mean per image.
        clean: share of the images without a false positive.
        iou: mean over the faces found; NaN without any.
        milliseconds: median time per image.
    """

    images: int
    recall: float
    false_positives: float
    clean: float
    iou: float
    milliseconds: float


def false_positives(scene: DetectionScene, detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections that match neither a face nor an ignored region."""
    known = scene.faces + scene.ignore
    return [d for d in detections if all(d.box.iou(box) < MIN_IOU for box in known)]


def evaluate_detector(detector: Detector, scenes: Iterable[DetectionScene]) -> DetectionMetrics:
    """Run a detector on all scenes. Raises ValueError without any."""
    ious: list[float] = []
    wrong: list[int] = []
    times: list[float] = []
    for scene in scenes:
        start = time.perf_counter()
        detections = detector.detect(scene.image)
        times.append(time.perf_counter() - start)
        ious += [max((d.box.iou(face) for d in detections), default=0.0) for face in scene.faces]
        wrong.append(len(false_positives(scene, detections)))
    if not wrong:
        raise ValueError("there are no images to evaluate a detector on")
    matched = np.array(ious)[np.array(ious) >= MIN_IOU]
    return DetectionMetrics(
        images=len(wrong),
        recall=len(matched) / len(ious) if ious else math.nan,
        false_positives=float(np.mean(wrong)),
        clean=float(np.mean(np.array(wrong) == 0)),
        iou=finite_mean(matched),
        milliseconds=1e3 * float(np.median(times)),
    )
