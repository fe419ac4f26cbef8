"""The detector of this package: preparation of its input and selection among its outputs.

``detector_model.py`` runs its network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import areas, intersections, non_maximum_suppression, suppress
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection.base import best_first, pad, shrink, to_full_size

#: Names of the network's outputs.
DETECTOR_OUTPUTS = ("scores", "boxes", "points")
#: Height and width of the network's input are multiples of this.
INPUT_MULTIPLE = 32
#: Grey level that pads images to the next multiple; to the network it is empty.
PADDING_LEVEL = 128
#: IoU above which the worse of two boxes is suppressed.
_MAX_IOU = 0.35
#: Share of the smaller box inside the larger one above which the worse of the two is suppressed:
#: the mouth of a large face may look like a small face.
_MAX_CONTAINED = 0.7
#: Number of the best cells that take part in the suppression.
_MAX_CANDIDATES = 400


class CellPredictions(NamedTuple):
    """Output of the network for its N cells, in pixels of its input.

    Attributes:
        scores: (N,) 0 to 1.
        boxes: (N, 4) x, y, width, height.
        points: (N, 5, 2), as in ``Detection.points``.
    """

    scores: NDArray[np.float32]
    boxes: NDArray[np.float32]
    points: NDArray[np.float32]


#: (H, W) uint8 grey, sides multiples of INPUT_MULTIPLE -> predictions of all cells.
CellPredictor = Callable[[NDArray[np.uint8]], CellPredictions]


class EdanDetector:
    """Faces found by the network of this package, with box, score, roll and five points.

    Args:
        model: runs the network.
        score_threshold: 0 to 1, below which detections are dropped.
        min_face: smallest face (mean of the box's sides) in pixels.
        max_side: pixels to which larger images are shrunk.
    """

    name = "edan"
    every_image = False

    def __init__(
        self, model: CellPredictor, score_threshold: float, min_face: float, max_side: int
    ) -> None:
        self.model = model
        self._score_threshold = score_threshold
        self._min_face = min_face
        self._max_side = max_side

    def detect(self, image: Image) -> list[Detection]:
        """Return the faces found, best score first."""
        if min(image.width, image.height) < self._min_face:
            return []
        small, scale = shrink(image, self._max_side)
        width, height = (side + -side % INPUT_MULTIPLE for side in (small.width, small.height))
        gray = np.ascontiguousarray(pad(small.gray(), width, height, PADDING_LEVEL))
        cells = self.model(gray)
        selected = select_cells(cells, self._score_threshold)
        return best_first([_detection(cells, i, scale) for i in selected], self._min_face)


def select_cells(cells: CellPredictions, threshold: float) -> list[int]:
    """Return the indices of the cells to report, best first, one per face.

    Of two boxes that overlap, or of which one contains the other, the better one is kept.
    """
    candidates = np.flatnonzero(cells.scores >= threshold)
    if not len(candidates):
        return []
    order = np.argsort(-cells.scores[candidates], kind="stable")
    candidates = candidates[order[:_MAX_CANDIDATES]]
    kept = non_maximum_suppression(cells.boxes[candidates], cells.scores[candidates], _MAX_IOU)
    candidates = candidates[kept]
    boxes = cells.boxes[candidates]
    smaller = np.minimum(areas(boxes)[:, None], areas(boxes))
    contained = intersections(boxes, boxes) > _MAX_CONTAINED * smaller
    return [int(i) for i in candidates[suppress(contained)]]


def _detection(cells: CellPredictions, index: int, scale: float) -> Detection:
    # Pixel u of the shrunk image has its centre at scale * (u + 0.5) - 0.5 of the image.
    points = (cells.points[index].astype(np.float64) + 0.5) * scale - 0.5
    eyes = points[1] - points[0]
    roll = math.atan2(eyes[1], eyes[0])
    box = to_full_size(cells.boxes[index] + (0.5, 0.5, 0.0, 0.0), scale)
    return Detection(box, float(cells.scores[index]), roll, points)
