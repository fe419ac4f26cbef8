"""Run a model on single pictures, in crops that are given or as the live pipeline finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.config import PipelineConfig
from edan_ros.core.crops import Crop, extract
from edan_ros.core.detectors import Detector
from edan_ros.core.emotions import softmax
from edan_ros.core.faces import Box, Face
from edan_ros.core.images import Image
from edan_ros.core.pipeline import Pipeline
from edan_ros.core.tracking import TrackingConfig
from edan_ros.engines.base import Engine

#: Seconds between the two images that a still picture is shown as.
_STEP = 1.0 / 30.0
#: Overlap (intersection over union) from which a face found is the one that is meant.
_SAME_FACE = 0.25


@dataclass(frozen=True)
class Answer:
    """What a model says of one face: landmarks (68, 2) pixels of the picture, probabilities (7,)
    in the order of EMOTIONS, presence 0 to 1."""

    landmarks: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    presence: float


def in_crops(
    engine: Engine, images: Sequence[Image], crops: Sequence[Crop], *, refinements: int = 0
) -> list[Answer]:
    """What a model says of one crop of each image.

    refinements: how often the crop of the landmarks that were found is looked at in turn, as a
    track does from one image to the next.
    """
    size = engine.input_size
    cut = [extract(image, [crop], size) for image, crop in zip(images, crops, strict=True)]
    output = engine.infer(np.concatenate(cut))
    landmarks = [c.to_image(p, size) for c, p in zip(crops, output.landmarks, strict=True)]
    if refinements:
        better = [_crop_or(points, crop) for points, crop in zip(landmarks, crops, strict=True)]
        return in_crops(engine, images, better, refinements=refinements - 1)
    probabilities = softmax(output.logits, engine.manifest.temperature)
    return [
        Answer(points, p, float(presence))
        for points, p, presence in zip(landmarks, probabilities, output.presence, strict=True)
    ]


def _crop_or(landmarks: NDArray[np.float64], otherwise: Crop) -> Crop:
    try:
        return Crop.from_landmarks(landmarks)
    except ValueError:  # landmarks that make no crop
        return otherwise


class Finder:
    """Finds the face of a picture and reads it, exactly as the pipeline does on a camera.

    A picture is shown as two images: the detector finds the face in the first, and the second is
    cut by the landmarks of the first, as in every later image of a camera.
    """

    def __init__(self, engine: Engine, detector: Detector) -> None:
        config = PipelineConfig(tracking=TrackingConfig(birth_hits=1))
        self._pipeline = Pipeline(detector, engine, config)

    def __call__(
        self, images: Sequence[Image], wanted: Sequence[Box | None]
    ) -> list[Answer | None]:
        """The face of each image; None where none was found.

        wanted: box of the landmarks of the face that is meant; without, the largest is taken.
        """
        names = [str(i) for i in range(len(images))]
        shown = [
            self._pipeline.process_batch(
                [(name, image, stamp, None) for name, image in zip(names, images, strict=True)]
            )
            for stamp in (0.0, _STEP)
        ]
        self._pipeline.reset()
        faces = [
            _the_face(second.faces or first.faces, box)
            for first, second, box in zip(*shown, wanted, strict=True)
        ]
        return [
            None
            if face is None
            else Answer(face.landmarks.astype(float), face.raw_probabilities, face.presence)
            for face in faces
        ]


def _the_face(faces: Sequence[Face], wanted: Box | None) -> Face | None:
    if wanted is None:
        return max(faces, key=lambda face: face.box.size, default=None)
    best = max(faces, key=lambda face: face.box.iou(wanted), default=None)
    return best if best is not None and best.box.iou(wanted) >= _SAME_FACE else None
