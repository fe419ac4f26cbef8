"""OpenCV's cascade of Haar features (Viola & Jones, "Rapid Object Detection", 2001)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection.base import BoxMap, DetectorError, best_first, shrink, to_full_size

#: Medians over the 355 annotated faces of landmarks68 that the cascade found.
HAAR_BOX = BoxMap(dx=0.0, dy=0.144, width=0.867, height=0.839)

#: Folders in which Linux distributions install the cascades that the wheels keep in cv2.data.
_CASCADE_FOLDERS = ("/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades")
_CASCADE = "haarcascade_frontalface_alt2.xml"


class Haar:
    """Haar cascade for frontal faces.

    Of OpenCV's frontal cascades alt2 is the best compromise. On every third photograph of
    landmarks68 (403), at scale factor 1.1 and 2 neighbours, recall / false boxes per image /
    relative time: default .908 / .390 / 0.8, alt2 .881 / .109 / 1, alt .886 / .077 / 1.35,
    alt_tree .330 / .002 / 0.8.

    Args:
        cascade_path: the .xml file; empty for OpenCV's own.
        score_threshold: 0 to 1, below which detections are dropped.
        min_face: smallest face (mean of the box's sides) in pixels.
        max_side: pixels to which larger images are shrunk, at most 480.

    Raises:
        DetectorError: if OpenCV lacks the class (version 5 does) or cannot load the cascade.
    """

    name = "haar"
    every_image = False

    #: Score of a last-stage sum w: logistic(_SLOPE * (w - _MIDPOINT)), the share of true faces
    #: among 589 boxes of that sum (logistic regression on landmarks68).
    _SLOPE, _MIDPOINT = 3.1, 54.65
    #: Window of the cascade in pixels; no smaller face is found.
    _WINDOW = 20
    #: Largest side of the searched copy: the cost is ten times that of YuNet.
    _MAX_SIDE = 480

    def __init__(
        self, cascade_path: str, score_threshold: float, min_face: float, max_side: int
    ) -> None:
        factory = getattr(cv2, "CascadeClassifier", None)
        path = cascade_path or _find_cascade()
        if factory is None or not path:
            raise DetectorError(
                "this OpenCV has no Haar cascades: give a YuNet file to detector 'yunet', or "
                "install opencv 4 (on Debian and Ubuntu also the package opencv-data)"
            )
        try:
            self._cascade: Any = factory(path)
        except (cv2.error, SystemError) as error:
            raise DetectorError(f"'{path}' is no cascade that OpenCV can load") from error
        if self._cascade.empty():
            raise DetectorError(f"'{path}' is no cascade that OpenCV can load")
        self._score_threshold = score_threshold
        self._min_face = min_face
        self._max_side = min(max_side, self._MAX_SIDE)

    def detect(self, image: Image) -> list[Detection]:
        """Return faces with box and score, best score first."""
        if min(image.width, image.height) < max(self._min_face, self._WINDOW):
            return []
        small, scale = shrink(image, self._max_side)
        side = max(int(self._min_face / (HAAR_BOX.width * scale)), self._WINDOW)
        boxes, _, sums = self._cascade.detectMultiScale3(
            small.gray(),
            scaleFactor=1.1,
            minNeighbors=2,
            minSize=(side, side),
            outputRejectLevels=True,
        )
        scores = 1.0 / (1.0 + np.exp(-self._SLOPE * (np.ravel(sums) - self._MIDPOINT)))
        found = [
            Detection(HAAR_BOX(to_full_size(box, scale)), float(score))
            for box, score in zip(boxes, scores, strict=True)
            if score >= self._score_threshold
        ]
        return best_first(found, self._min_face)


def _find_cascade() -> str:
    data = getattr(cv2, "data", None)
    folders = ([data.haarcascades] if data is not None else []) + list(_CASCADE_FOLDERS)
    files = (Path(folder) / _CASCADE for folder in folders)
    return next((str(file) for file in files if file.is_file()), "")
