"""Regions of training photographs that a detector takes for faces, to train on as background."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from edan_ros.core.boxes import Box, bounding_boxes
from edan_ros.core.images import Image
from edan_ros.detection.edan_detector import CellPredictions, EdanDetector
from edan_ros.networks.face_detector import FaceDetector
from edan_ros.training.detector.sources import SourceImage

#: Score of the network from which a false box counts.
MIN_SCORE = 0.35
#: Smaller boxes may show faces that the teacher does not find, in pixels.
SMALLEST = 16.0
#: Share inside the image: the border may cut a face that the teacher does not find.
INSIDE = 0.9
#: Overlap (IoU) with a face or an ignored region from which a box is not false.
SAME = 0.2


def find_hard_regions(network: FaceDetector, images: Iterable[SourceImage]) -> list[SourceImage]:
    """Return the images with their ``hard`` regions for a network in evaluation mode."""

    @torch.no_grad()
    def predict(gray: NDArray[np.uint8]) -> CellPredictions:
        found = network(torch.from_numpy(gray)[None, None].float())
        outputs = (found.logits.sigmoid(), found.boxes, found.points)
        return CellPredictions(*(output[0].numpy() for output in outputs))

    detector = EdanDetector(predict, MIN_SCORE, SMALLEST, max_side=640)

    def regions(image: SourceImage) -> NDArray[np.float32]:
        pixels = image.levels[0]
        known = [Box(*box) for box in (*bounding_boxes(image.outlines), *image.ignore)]
        boxes = [found.box for found in detector.detect(Image(pixels, "mono"))]
        height, width = pixels.shape
        false = [
            box
            for box in boxes
            if all(box.iou(face) < SAME for face in known)
            and box.clipped(width, height).area > INSIDE * box.area
        ]
        return np.array([(b.x, b.y, b.width, b.height) for b in false], np.float32).reshape(-1, 4)

    return [replace(image, hard=regions(image)) for image in images]
