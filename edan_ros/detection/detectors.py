"""Face detectors behind one interface, and the rule that chooses among them.

Each maps what it finds to this project's box, the tight box of the 68 landmarks, by a linear map
that was measured on photographs with landmarks set by hand. All of them search a copy of the
image no larger than ``max_side``, so their cost is bounded at every resolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image

DETECTORS = ("auto", "yunet", "haar", "full_frame")

# Where Linux distributions put the cascades that the wheels keep in cv2.data.
_CASCADE_FOLDERS = ("/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades")
_CASCADE = "haarcascade_frontalface_alt2.xml"


class DetectorError(RuntimeError):
    """A detector cannot be made. The message says why and what to do."""


class Detector(Protocol):
    """Finds faces in an image."""

    name: str
    #: Whether to ask it for every image, because that costs nothing, not only when it is due.
    every_image: bool

    def detect(self, image: Image) -> list[Detection]:
        """Faces found, best score first; empty for an image too small to hold one."""
        ...


@dataclass(frozen=True, slots=True)
class BoxMap:
    """A detector's box -> the tight box of the landmarks, in parts of the detector's box.

    dx, dy: how far the middle moves, in widths and heights. width, height: factors.
    """

    dx: float
    dy: float
    width: float
    height: float

    def __call__(self, box: Box) -> Box:
        """The tight box of the landmarks that the detector's box stands for."""
        x, y = box.center
        width, height = box.width * self.width, box.height * self.height
        x, y = x + box.width * self.dx, y + box.height * self.dy
        return Box(x - 0.5 * width, y - 0.5 * height, width, height)


# Medians over annotated faces of landmarks68 (HELEN and AFW photographs, longest side 416) that a
# detector found: WIDER FACE boxes (forehead to chin) with YuNet on 1207 faces, those of Haar on
# 355. test/core/test_detectors.py measures them again on a part of the set where it is present.
WIDER_FACE_BOX = BoxMap(dx=0.0, dy=0.119, width=1.036, height=0.760)
HAAR_BOX = BoxMap(dx=0.0, dy=0.144, width=0.867, height=0.839)
IDENTITY_BOX = BoxMap(dx=0.0, dy=0.0, width=1.0, height=1.0)


class YuNet:
    """``cv2.FaceDetectorYN`` with a YuNet ONNX file (Wu et al., "YuNet", 2023).

    Raises DetectorError when OpenCV lacks the class or cannot load the file.
    """

    name = "yunet"
    every_image = False

    #: Pictures are filled up to this side at least. OpenCV (4.14) reads memory that was never
    #: written where the coarsest map is a single cell, and then sees faces in an even grey.
    _LEAST_SIDE = 64

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
            # Overlap limit of the suppression and candidates kept before it: OpenCV's defaults.
            self._network: Any = factory.create(
                model_path, "", (320, 320), score_threshold, 0.3, 5000
            )
            # Another network, or one newer than this OpenCV, fails only when it runs.
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
        """Faces with box, score, roll and five points, best score first."""
        if min(image.width, image.height) < self._min_face:
            return []
        small, scale = shrink(image, self._max_side)
        pixels = self._filled_up(small.bgr())
        size = pixels.shape[1::-1]
        if size != self._input_size:
            self._network.setInputSize(size)
            self._input_size = size
        _, rows = self._network.detect(pixels)
        found = [] if rows is None else [self._detection(row, scale) for row in rows]
        return best_first(found, self._min_face)

    def _filled_up(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        below, right = (max(self._LEAST_SIDE - side, 0) for side in pixels.shape[:2])
        if not (below or right):
            return pixels
        filled = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT)
        return np.asarray(filled, np.uint8)

    @staticmethod
    def _detection(row: NDArray[np.float32], scale: float) -> Detection:
        """A row is x, y, width, height, the five points and the score, in the small image.

        All count from its corner: asked with pictures and their mirror images, YuNet places points
        and boxes half a pixel further than pixel centres would have it.
        """
        points = row[4:14].reshape(5, 2).astype(np.float64) * scale - 0.5
        eyes = points[1] - points[0]
        box = WIDER_FACE_BOX(scaled(row[:4], scale))
        return Detection(box, float(row[14]), math.atan2(eyes[1], eyes[0]), points)


class Haar:
    """OpenCV's cascade of Haar features, frontal faces only (Viola & Jones, 2001).

    Of the frontal cascades in OpenCV alt2 is the best compromise. On every third photograph of
    landmarks68 (403), at scale factor 1.1 and 2 neighbours, recall / false boxes an image /
    relative time: default .908 / .390 / 0.8, alt2 .881 / .109 / 1, alt .886 / .077 / 1.35,
    alt_tree .330 / .002 / 0.8.

    Raises DetectorError when OpenCV lacks the class (version 5 does) or the cascade's file.
    """

    name = "haar"
    every_image = False

    #: Score of a last-stage sum w: logistic(SLOPE * (w - MIDDLE)), the share of true faces among
    #: 589 boxes of that sum (logistic regression on landmarks68).
    _SLOPE, _MIDDLE = 3.1, 54.65
    #: The cascade's own window in pixels: nothing smaller is found.
    _WINDOW = 20
    #: Search no larger copy than this, whatever is allowed: the cost is that of ten YuNets.
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
        """Faces with box and score, best score first."""
        if min(image.width, image.height) < max(self._min_face, self._WINDOW):
            return []
        small, scale = shrink(image, self._max_side)
        side = max(int(self._min_face / (HAAR_BOX.width * scale)), self._WINDOW)
        boxes, _, weights = self._cascade.detectMultiScale3(
            small.gray(),
            scaleFactor=1.1,
            minNeighbors=2,
            minSize=(side, side),
            outputRejectLevels=True,
        )
        scores = 1.0 / (1.0 + np.exp(-self._SLOPE * (np.ravel(weights) - self._MIDDLE)))
        found = [
            Detection(HAAR_BOX(scaled(box, scale)), float(score))
            for box, score in zip(boxes, scores, strict=True)
            if score >= self._score_threshold
        ]
        return best_first(found, self._min_face)


class FullFrame:
    """One detection an image: for images that are cut to one face already.

    The face's box is where the landmarks lie in the pictures of FER2013 (medians of 34,856).
    """

    name = "full_frame"
    every_image = True

    _PART = BoxMap(dx=0.0, dy=0.124, width=0.81, height=0.80)

    def detect(self, image: Image) -> list[Detection]:
        """One detection of score 1."""
        return [Detection(self._PART(Box(-0.5, -0.5, float(image.width), float(image.height))))]


class ExternalBoxes:
    """Boxes that come from elsewhere, such as a topic of another detector.

    box_map: from the boxes that are fed to the box of the landmarks; most published face
    detectors follow WIDER FACE.
    """

    name = "boxes"
    every_image = True

    def __init__(self, box_map: BoxMap = WIDER_FACE_BOX) -> None:
        self._box_map = box_map
        self._fed: list[Detection] = []

    def feed(self, detections: list[Detection]) -> None:
        """Keep these, in place of any before, for the next image."""
        self._fed = [Detection(self._box_map(d.box), d.score, d.roll, d.points) for d in detections]

    def detect(self, image: Image) -> list[Detection]:  # noqa: ARG002
        """What was fed since the last call, each once."""
        fed, self._fed = self._fed, []
        return best_first(fed, 0.0)


def create_detector(
    name: str = "auto",
    *,
    model_path: str = "",
    score_threshold: float = 0.6,
    min_face: float = 20.0,
    max_side: int = 640,
) -> Detector:
    """A detector by name, one of DETECTORS.

    "auto" takes yunet where its file is given, else haar where OpenCV has it. model_path: the
    YuNet .onnx file, or for haar a cascade other than OpenCV's own. score_threshold: 0 to 1.
    min_face: smallest face (mean of the box's sides) in pixels of the image. max_side: pixels
    to which larger images are reduced before the search.

    Raises DetectorError when that detector cannot be made, ValueError for an unknown name.
    """
    if name not in DETECTORS:
        raise ValueError(f"detector '{name}' is unknown: use one of {', '.join(DETECTORS)}")
    if name == "auto":
        name = "yunet" if model_path else "haar"
    if name == "full_frame":
        return FullFrame()
    kind = YuNet if name == "yunet" else Haar
    return kind(model_path, score_threshold, min_face, max_side)


def _find_cascade() -> str:
    data = getattr(cv2, "data", None)
    folders = ([data.haarcascades] if data is not None else []) + list(_CASCADE_FOLDERS)
    files = (Path(folder) / _CASCADE for folder in folders)
    return next((str(file) for file in files if file.is_file()), "")


def shrink(image: Image, max_side: int) -> tuple[Image, float]:
    """The image no larger than max_side, and how many of its pixels one of the result covers.

    Rows and columns are skipped first where more than two in three would be averaged away, so
    that the cost does not grow with the image.
    """
    longest = max(image.width, image.height)
    if longest <= max_side:
        return image, 1.0
    scale = longest / max_side
    stride = max(int(scale / 2), 1)
    first = stride // 2  # the middle of what is skipped
    pixels = image.pixels[first::stride, first::stride] if stride > 1 else image.pixels
    size = max(round(image.width / scale), 1), max(round(image.height / scale), 1)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return Image(np.asarray(small, np.uint8), image.order), scale


def scaled(row: NDArray[Any], scale: float) -> Box:
    """x, y, width, height from the corner of a reduced image -> the box in the full one.

    As everywhere, the box counts from the centre of the image's first pixel.
    """
    x, y, width, height = (float(v) for v in row)
    return Box(x * scale - 0.5, y * scale - 0.5, width * scale, height * scale)


def best_first(found: list[Detection], min_face: float) -> list[Detection]:
    large = [d for d in found if d.box.size >= min_face]
    return sorted(large, key=lambda d: d.score, reverse=True)
