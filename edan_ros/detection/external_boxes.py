"""Boxes from another detector, received on a topic for example."""

from __future__ import annotations

from dataclasses import replace

from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection.base import WIDER_FACE_BOX, BoxMap, best_first


class ExternalBoxes:
    """Returns the detections that were set for the next image.

    Args:
        box_map: from their boxes to those of the landmarks; most published face detectors follow
            WIDER FACE.
    """

    name = "boxes"
    every_image = True

    def __init__(self, box_map: BoxMap = WIDER_FACE_BOX) -> None:
        self._box_map = box_map
        self._next: list[Detection] = []

    def feed(self, detections: list[Detection]) -> None:
        """Set the detections of the next image, replacing those set before."""
        self._next = [replace(d, box=self._box_map(d.box)) for d in detections]

    def detect(self, image: Image) -> list[Detection]:  # noqa: ARG002
        """Return the detections set since the last call, best score first."""
        detections, self._next = self._next, []
        return best_first(detections, 0.0)
