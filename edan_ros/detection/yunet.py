"""YuNet through OpenCV (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.detection.base import (
    WIDER_FACE_BOX,
    DetectorError,
    best_first,
    pad,
    shrink,
    to_full_size,
)

#: OpenCV's defaults: IoU above which the worse of two boxes is suppressed, and number of
#: candidates kept before suppression.
_MAX_IOU, _MAX_CANDIDATES = 0.3, 5000


class YuNet:
    """``cv2.FaceDetectorYN`` with a YuNet ONNX file.

    Args:
        model_path: the .onnx file.
        score_threshold: 0 to 1, below which detections are dropped.
        min_face: smallest face (mean of the box's sides) in pixels.
        max_side: pixels to which larger images are shrunk.

    Raises:
        DetectorError: if OpenCV lacks the class or cannot load the file.
    """

    name = "yunet"
    every_image = False

    #: Images are padded to at least this side. Where the coarsest feature map is a single cell,
    #: OpenCV (4.14) reads uninitialised memory and detects faces in uniform grey.
    _MIN_SIDE = 64

    def __init__(
        self, model_path: str, score_threshold: float, min_face: float, max_side: int
    ) -> None:
        factory = getattr(cv2, "FaceDetectorYN", None)
        if factory is None:
            raise DetectorError(
                "this OpenCV has no FaceDetectorYN: install opencv 4.5.4 or newer, or choose "
                "another detector"
            )
        if not Path(model_path).is_file():
            raise DetectorError(
                f"detector model '{model_path}' is missing: give the path of a YuNet .onnx file, "
                "or choose detector 'edan'"
            )
        try:
            self._network: Any = factory.create(
                model_path, "", (320, 320), score_threshold, _MAX_IOU, _MAX_CANDIDATES
            )
            # Another network, or one too new for this OpenCV, fails only when it runs.
            self._network.detect(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            raise DetectorError(
                f"detector model '{model_path}' is no YuNet file that OpenCV {cv2.__version__} "
                f"can run: {error.err}"
            ) from error
        self._input_size = (0, 0)
        self._min_face = min_face
        self._max_side = max_side

    def detect(self, image: Image) -> list[Detection]:
        """Return faces with box, score, roll and five points, best score first."""
        if min(image.width, image.height) < self._min_face:
            return []
        small, scale = shrink(image, self._max_side)
        size = max(small.width, self._MIN_SIDE), max(small.height, self._MIN_SIDE)
        if size != self._input_size:
            self._network.setInputSize(size)
            self._input_size = size
        _, rows = self._network.detect(pad(small.bgr(), *size, level=0))
        found = [] if rows is None else [self._detection(row, scale) for row in rows]
        return best_first(found, self._min_face)

    @staticmethod
    def _detection(row: NDArray[np.float32], scale: float) -> Detection:
        """Convert a row: x, y, width, height, five points and score, in the small image.

        All coordinates count from its corner: on images and their mirror images, YuNet places
        points and boxes half a pixel further than pixel centres would.
        """
        points = row[4:14].reshape(5, 2).astype(np.float64) * scale - 0.5
        eyes = points[1] - points[0]
        box = WIDER_FACE_BOX(to_full_size(row[:4], scale))
        return Detection(box, float(row[14]), math.atan2(eyes[1], eyes[0]), points)
