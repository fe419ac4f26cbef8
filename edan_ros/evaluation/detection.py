"""How many faces a detector finds, how often it finds one where none is, and how fast."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection.detectors import Detector

#: Overlap (intersection over union) from which a box means a face.
HIT = 0.4


@dataclass(frozen=True)
class Scene:
    """An image, the boxes of the faces that must be found, and those of others that may be."""

    image: Image
    faces: tuple[Box, ...] = ()
    others: tuple[Box, ...] = ()


@dataclass(frozen=True)
class DetectionFigures:
    """images: how many. recall: share of the faces found, NaN without faces. false_boxes: boxes
    an image that mean no face. clean: share of images without a false box. overlap: mean overlap
    with the faces that were found, NaN without. milliseconds: median time of an image."""

    images: int
    recall: float
    false_boxes: float
    clean: float
    overlap: float
    milliseconds: float


def false_boxes(scene: Scene, found: Sequence[Detection]) -> list[Detection]:
    """What was found and means none of the scene's faces."""
    known = scene.faces + scene.others
    return [d for d in found if all(d.box.iou(box) < HIT for box in known)]


def evaluate(detector: Detector, scenes: Iterable[Scene]) -> DetectionFigures:
    """Run a detector over all scenes. Raises ValueError when there are none."""
    hits: list[float] = []
    wrong: list[int] = []
    times: list[float] = []
    for scene in scenes:
        started = time.perf_counter()
        found = detector.detect(scene.image)
        times.append(time.perf_counter() - started)
        hits += [max((d.box.iou(face) for d in found), default=0.0) for face in scene.faces]
        wrong.append(len(false_boxes(scene, found)))
    if not wrong:
        raise ValueError("there are no images to evaluate a detector on")
    overlaps = np.array(hits)
    right = overlaps[overlaps >= HIT]
    return DetectionFigures(
        images=len(wrong),
        recall=len(right) / len(overlaps) if len(overlaps) else float("nan"),
        false_boxes=float(np.mean(wrong)),
        clean=float(np.mean(np.array(wrong) == 0)),
        overlap=float(right.mean()) if len(right) else float("nan"),
        milliseconds=1e3 * float(np.median(times)),
    )
