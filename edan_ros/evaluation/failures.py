"""The limits of recognition as an image: photographs under increasingly hard distortions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.images import Image
from edan_ros.detection.base import Detector
from edan_ros.drawing.colours import DARK
from edan_ros.drawing.text import draw_text
from edan_ros.engines import Engine
from edan_ros.evaluation import distortions as d
from edan_ros.evaluation.recognition import (
    FacePrediction,
    StillImagePipeline,
    predict_largest_faces,
)

#: Distortions of each photograph and their captions.
DISTORTIONS: tuple[tuple[str, d.Distortion], ...] = (
    ("original", d.unchanged()),
    ("mouth under\na mask", d.masked()),
    ("4 stops over-\nexposed", d.exposed(4)),
    ("noise of 60\ngrey levels", d.noisy(60)),
    ("blur, 8 %\nof the face", d.blurred(0.08)),
    ("face of\n14 pixels", d.downscaled(14)),
    ("rotated by\n90 degrees", d.rotated(90)),
)
#: Side of a thumbnail in pixels, and of the part of the image that it shows in crop sides.
_SIDE, _CONTEXT = 112, 1.35
#: Space between columns, above the first row and below each row, pixels.
_GAP, _TOP, _FOOT = 10, 72, 32
_COLOURS = 48


@dataclass(frozen=True)
class DistortedFace:
    """A distorted photograph and its prediction; None where no face is found."""

    image: d.FaceImage
    prediction: FacePrediction | None

    @property
    def caption(self) -> str:
        """The predicted emotion with its probability, or "not found"."""
        if self.prediction is None:
            return "not found"
        best = int(self.prediction.probabilities.argmax())
        return f"{EMOTIONS[best]} {self.prediction.probabilities[best]:.2f}"


def recognise_distorted(
    engine: Engine, detector: Detector, photograph: NDArray[np.uint8]
) -> list[DistortedFace]:
    """Apply each of DISTORTIONS to a (h, w) grey photograph and recognise it as on a camera.

    The face is located by the model in the undistorted photograph.
    """
    (original,) = predict_largest_faces(engine, [Image(photograph, "mono")], detector)
    face = d.FaceImage(photograph, original.landmarks)
    distorted = [distort(face, np.random.default_rng(0)) or face for _, distort in DISTORTIONS]
    images = [Image(each.pixels, "mono") for each in distorted]
    predictions = StillImagePipeline(engine, detector)(images, [None] * len(images))
    return [DistortedFace(*pair) for pair in zip(distorted, predictions, strict=True)]


def draw_failures(rows: Sequence[Sequence[DistortedFace]], title: str, path: Path) -> None:
    """Draw a row per photograph.

    Raises:
        OSError: if the file cannot be written.
        ValueError: for a suffix that is none of an image.
    """
    height, width = _TOP + len(rows) * (_SIDE + _FOOT), _GAP + len(DISTORTIONS) * (_SIDE + _GAP)
    canvas = np.full((height, width, 3), 255, np.uint8)
    draw_text(canvas, title, _GAP, 10, DARK, size=9)
    for column, (name, _) in enumerate(DISTORTIONS):
        left = _GAP + column * (_SIDE + _GAP)
        for line, words in enumerate(name.split("\n")):
            draw_text(canvas, words, left, 34 + 17 * line, DARK, size=9)
        for row, faces in enumerate(rows):
            top = _TOP + row * (_SIDE + _FOOT)
            canvas[top : top + _SIDE, left : left + _SIDE] = _thumbnail(faces[column])
            draw_text(canvas, faces[column].caption, left, top + _SIDE + 8, DARK, size=9)
    # A palette keeps the file small: noise does not compress.
    PIL.Image.fromarray(canvas[..., ::-1]).quantize(_COLOURS).save(path, optimize=True)


def _thumbnail(face: DistortedFace) -> NDArray[np.uint8]:
    """Return the surroundings of the true face in BGR with the predicted landmarks."""
    true = Crop.from_landmarks(face.image.landmarks)
    shown = Crop(true.center, _CONTEXT * true.side, 0.0)
    method = cv2.INTER_NEAREST if shown.side < _SIDE else cv2.INTER_AREA
    grey = cv2.warpAffine(
        face.image.pixels,
        shown.matrix(_SIDE),
        (_SIDE, _SIDE),
        flags=method,
        borderMode=cv2.BORDER_REPLICATE,
    )
    thumbnail = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    if face.prediction is not None:
        for x, y in shown.to_crop(face.prediction.landmarks, _SIDE):
            cv2.circle(thumbnail, (round(x * 16), round(y * 16)), 16, (90, 220, 40), -1, 16, 4)
    return np.asarray(thumbnail, np.uint8)
