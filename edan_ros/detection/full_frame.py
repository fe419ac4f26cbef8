"""The detector for images that are cropped to one face already."""

from __future__ import annotations

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection.base import BoxMap


class FullFrame:
    """Returns one detection per image.

    The face's box is the tight box of the landmarks in images of FER2013 (medians of 34,856).
    """

    name = "full_frame"
    every_image = True

    _BOX = BoxMap(dx=0.0, dy=0.124, width=0.81, height=0.80)

    def detect(self, image: Image) -> list[Detection]:
        """Return one detection of score 1."""
        return [Detection(self._BOX(Box(-0.5, -0.5, float(image.width), float(image.height))))]
