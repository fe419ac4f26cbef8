"""The package's own face detector: what its network says of every cell -> faces.

The network is run by whoever makes the detector (``engines/detector_engine.py``); here are the
picture that it is given and what is made of its answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import areas, intersections, ious
from edan_ros.core.boxes import suppress as suppress_conflicts
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection.detectors import best_first, scaled, shrink

#: Height and width that the network takes are multiples of this.
MULTIPLE = 32
#: Grey level that the network reads as nothing: it fills the picture up to the next multiple.
NOTHING = 128
#: Of two boxes that overlap more (intersection over union), the worse one is dropped.
OVERLAP = 0.35
#: Of two boxes of which the smaller one lies in the larger by this part, the worse one is dropped:
#: a mouth is no face in a face.
INSIDE = 0.7
#: More candidates than this are not looked at, best first.
MOST_CANDIDATES = 400


class Answers(NamedTuple):
    """What the network says of its N cells, in pixels of its input.

    scores: (N,) 0 to 1. boxes: (N, 4) x, y, width, height. points: (N, 5, 2).
    """

    scores: NDArray[np.float32]
    boxes: NDArray[np.float32]
    points: NDArray[np.float32]


#: (H, W) uint8 grey, sides multiples of MULTIPLE -> answers of the cells.
Network = Callable[[NDArray[np.uint8]], Answers]


class OwnDetector:
    """Faces that a network of this package finds, with box, score, roll and five points.

    network: what is asked of each picture.
    """

    name = "edan"
    every_image = False

    def __init__(
        self, network: Network, score_threshold: float, min_face: float, max_side: int
    ) -> None:
        self.network = network
        self._score_threshold = score_threshold
        self._min_face = min_face
        self._max_side = max_side

    def detect(self, image: Image) -> list[Detection]:
        """Faces found, best score first."""
        if min(image.width, image.height) < self._min_face:
            return []
        small, scale = shrink(image, self._max_side)
        answers = self.network(_filled_up(small.gray()))
        found = [
            _detection(answers, index, scale) for index in suppress(answers, self._score_threshold)
        ]
        return best_first(found, self._min_face)


def suppress(answers: Answers, threshold: float) -> list[int]:
    """Indices of the answers of at least this score, best first, without those that mean the same
    face as a better one."""
    candidates = np.flatnonzero(answers.scores >= threshold)
    if not len(candidates):
        return []
    order = np.argsort(-answers.scores[candidates], kind="stable")
    candidates = candidates[order[:MOST_CANDIDATES]]
    boxes = answers.boxes[candidates].astype(np.float64)
    kept = suppress_conflicts(ious(boxes, boxes) > OVERLAP)
    boxes, candidates = boxes[kept], candidates[kept]
    smaller = np.minimum(areas(boxes)[:, None], areas(boxes))
    kept = suppress_conflicts(intersections(boxes, boxes) > INSIDE * smaller)
    return [int(i) for i in candidates[kept]]


def _filled_up(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its right and lower side moved out to the next multiple."""
    height, width = gray.shape
    below, right = -height % MULTIPLE, -width % MULTIPLE
    if not (below or right):
        return np.ascontiguousarray(gray)
    filled = cv2.copyMakeBorder(gray, 0, below, 0, right, cv2.BORDER_CONSTANT, value=NOTHING)
    return np.asarray(filled, np.uint8)


def _detection(answers: Answers, index: int, scale: float) -> Detection:
    # Pixel u of the reduced picture has its middle at scale * (u + 0.5) - 0.5 of the image.
    points = (answers.points[index].astype(np.float64) + 0.5) * scale - 0.5
    eyes = points[1] - points[0]
    roll = math.atan2(eyes[1], eyes[0])
    box = scaled(answers.boxes[index] + (0.5, 0.5, 0.0, 0.0), scale)
    return Detection(box, float(answers.scores[index]), roll, points)
