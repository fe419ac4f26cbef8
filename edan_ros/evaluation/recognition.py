"""Run a model on single pictures, in crops that are given or as the live pipeline finds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop, extract
from edan_ros.core.emotions import softmax
from edan_ros.core.faces import Detection, Face
from edan_ros.core.images import Image
from edan_ros.datasets import FaceSample, face_crop
from edan_ros.detection.detectors import Detector, FullFrame
from edan_ros.engines.base import Engine
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.tracking.tracker import TrackingConfig

Read = TypeVar("Read")
#: Seconds between the two images that a still picture is shown as.
_STEP = 1.0 / 30.0
#: Overlap (intersection over union) from which a face found is the one that is meant.
_SAME_FACE = 0.25

#: Where a crop came from: the set says it, the detector found it, the whole picture was taken.
GIVEN, FOUND, WHOLE = "given", "found", "whole"
#: How often the model looks again where its own landmarks are: after a detection as on a camera,
#: after a guess until it has come to rest.
_REFINEMENTS = {FOUND: 1, WHOLE: 2}


@dataclass(frozen=True)
class FacePrediction:
    """What a model says of one face: landmarks (68, 2) pixels of the picture, probabilities (7,)
    in the order of EMOTIONS, presence 0 to 1. place: GIVEN, FOUND or WHOLE."""

    landmarks: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    presence: float
    place: str = GIVEN


def predict_crops(
    engine: Engine, images: Sequence[Image], crops: Sequence[Crop], *, refinements: int = 0
) -> list[FacePrediction]:
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
        return predict_crops(engine, images, better, refinements=refinements - 1)
    probabilities = softmax(output.logits, engine.manifest.temperature)
    return [
        FacePrediction(points, p, float(presence))
        for points, p, presence in zip(landmarks, probabilities, output.presence, strict=True)
    ]


def _crop_or(landmarks: NDArray[np.float64], otherwise: Crop) -> Crop:
    try:
        return Crop.from_landmarks(landmarks)
    except ValueError:  # landmarks that make no crop
        return otherwise


def predict_annotated(
    engine: Engine,
    pictures: Sequence[tuple[FaceSample, Image]],
    elsewhere: Callable[[Sequence[Image]], Sequence[Read]],
    *,
    refinements: int = 0,
) -> list[FacePrediction | Read]:
    """What a model says of the face of each picture, where its set says that the face is.

    elsewhere: reads together those of which the set does not say it. refinements: of the others,
    as of ``predict_crops``.
    """
    known = [i for i, (record, _) in enumerate(pictures) if record.is_located]
    others = [i for i, (record, _) in enumerate(pictures) if not record.is_located]
    answers: dict[int, FacePrediction | Read] = {}
    if known:
        images = [pictures[i][1] for i in known]
        crops = [face_crop(*pictures[i]) for i in known]
        read = predict_crops(engine, images, crops, refinements=refinements)
        answers |= dict(zip(known, read, strict=True))
    if others:
        answers |= dict(zip(others, elsewhere([pictures[i][1] for i in others]), strict=True))
    return [answers[i] for i in range(len(pictures))]


def predict_largest_faces(
    engine: Engine, images: Sequence[Image], detector: Detector
) -> list[FacePrediction]:
    """What a model says of the largest face of each image, wherever that is.

    Where the detector finds none the image is taken to be cut to one face, and the model looks
    until its own landmarks say where in the image that is.
    """
    found = [detector.detect(image) for image in images]
    groups = {
        FOUND: [i for i, faces in enumerate(found) if faces],
        WHOLE: [i for i, faces in enumerate(found) if not faces],
    }
    answers: dict[int, FacePrediction] = {}
    for place, index in groups.items():
        if not index:
            continue
        crops = [largest(found[i] or FullFrame().detect(images[i])) for i in index]
        chosen = [images[i] for i in index]
        said = predict_crops(engine, chosen, crops, refinements=_REFINEMENTS[place])
        answers |= {i: replace(a, place=place) for i, a in zip(index, said, strict=True)}
    return [answers[i] for i in range(len(images))]


def largest(found: Sequence[Detection]) -> Crop:
    """The crop of the largest of some faces, at least one."""
    return max(found, key=lambda face: face.box.size).crop()


class StillImagePipeline:
    """Finds the face of a picture and reads it, exactly as the pipeline does on a camera.

    A picture is shown as two images: the detector finds the face in the first, and the second is
    cut by the landmarks of the first, as in every later image of a camera. A picture in which the
    detector finds nothing is shown again as a camera's that is cut to one face (``full_frame``):
    there is a face in it if the model sees one, by its presence threshold.
    """

    def __init__(self, engine: Engine, detector: Detector) -> None:
        config = PipelineConfig(tracking=TrackingConfig(birth_hits=1))
        self._pipelines = {
            FOUND: Pipeline(detector, engine, config),
            WHOLE: Pipeline(FullFrame(), engine, config),
        }

    def __call__(
        self, images: Sequence[Image], wanted: Sequence[Box | None]
    ) -> list[FacePrediction | None]:
        """The face of each image; None where none was found.

        wanted: box of the landmarks of the face that is meant; without, the largest is taken.
        """
        answers: dict[int, FacePrediction] = {}
        for place, pipeline in self._pipelines.items():
            missing = [i for i in range(len(images)) if i not in answers]
            shown = [
                pipeline.process_batch([(str(i), images[i], stamp, None) for i in missing])
                for stamp in (0.0, _STEP)
            ]
            pipeline.reset()
            for i, first, second in zip(missing, *shown, strict=True):
                face = _the_face(second.faces or first.faces, wanted[i])
                if face is not None:
                    landmarks = face.landmarks.astype(float)
                    answers[i] = FacePrediction(
                        landmarks, face.raw_probabilities, face.presence, place
                    )
        return [answers.get(i) for i in range(len(images))]


def _the_face(faces: Sequence[Face], wanted: Box | None) -> Face | None:
    if wanted is None:
        return max(faces, key=lambda face: face.box.size, default=None)
    best = max(faces, key=lambda face: face.box.iou(wanted), default=None)
    return best if best is not None and best.box.iou(wanted) >= _SAME_FACE else None
