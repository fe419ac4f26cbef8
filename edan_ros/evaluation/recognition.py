"""Recognition of single images, in annotated crops or as the live pipeline does it."""

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
from edan_ros.detection.base import Detector
from edan_ros.detection.full_frame import FullFrame
from edan_ros.engines import Engine
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.tracking.tracker import TrackingConfig

T = TypeVar("T")
#: Seconds between the two frames that a still image is processed as.
_FRAME_INTERVAL = 1.0 / 30.0
#: Intersection over union from which a detected face is the annotated one.
_SAME_FACE = 0.25

#: Origin of a crop: the annotation, the detector, or the full image for want of a detection.
ANNOTATED, DETECTED, FULL_IMAGE = "annotated", "detected", "full_image"
#: Runs on the crop of the model's own landmarks: one after a detection, as on a camera; two
#: after a guess, so that the crop converges.
_REFINEMENTS = {DETECTED: 1, FULL_IMAGE: 2}


@dataclass(frozen=True)
class FacePrediction:
    """The prediction for one face.

    Attributes:
        landmarks: (68, 2) pixels of the image.
        probabilities: (7,) in the order of EMOTIONS.
        presence: probability of a face, 0 to 1.
        crop_source: ANNOTATED, DETECTED or FULL_IMAGE.
    """

    landmarks: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    presence: float
    crop_source: str = ANNOTATED


def predict_crops(
    engine: Engine, images: Sequence[Image], crops: Sequence[Crop], *, refinements: int = 0
) -> list[FacePrediction]:
    """Return the prediction for one crop of each image.

    refinements: further runs, each on the crop of the landmarks found before, as a track does
        from one frame to the next.
    """
    size = engine.input_size
    batch = [extract(image, [crop], size) for image, crop in zip(images, crops, strict=True)]
    output = engine.infer(np.concatenate(batch))
    landmarks = [c.to_image(p, size) for c, p in zip(crops, output.landmarks, strict=True)]
    if refinements:
        refined = [_refined(points, crop) for points, crop in zip(landmarks, crops, strict=True)]
        return predict_crops(engine, images, refined, refinements=refinements - 1)
    probabilities = softmax(output.logits, engine.manifest.temperature)
    return [
        FacePrediction(points, p, float(presence))
        for points, p, presence in zip(landmarks, probabilities, output.presence, strict=True)
    ]


def _refined(landmarks: NDArray[np.float64], crop: Crop) -> Crop:
    try:
        return Crop.from_landmarks(landmarks)
    except ValueError:  # degenerate landmarks
        return crop


def predict_annotated(
    engine: Engine,
    samples: Sequence[tuple[FaceSample, Image]],
    fallback: Callable[[Sequence[Image]], Sequence[T]],
    *,
    refinements: int = 0,
) -> list[FacePrediction | T]:
    """Return the prediction for the annotated face of each image.

    Args:
        engine: runs the model.
        samples: with their images.
        fallback: predicts for the images of samples without an annotated location.
        refinements: as for :func:`predict_crops`.
    """
    located = [i for i, (sample, _) in enumerate(samples) if sample.is_located]
    others = [i for i, (sample, _) in enumerate(samples) if not sample.is_located]
    predictions: dict[int, FacePrediction | T] = {}
    if located:
        images = [samples[i][1] for i in located]
        crops = [face_crop(*samples[i]) for i in located]
        found = predict_crops(engine, images, crops, refinements=refinements)
        predictions |= dict(zip(located, found, strict=True))
    if others:
        predictions |= dict(zip(others, fallback([samples[i][1] for i in others]), strict=True))
    return [predictions[i] for i in range(len(samples))]


def predict_largest_faces(
    engine: Engine, images: Sequence[Image], detector: Detector
) -> list[FacePrediction]:
    """Return the prediction for the largest detected face of each image.

    An image without a detection counts as cropped to one face.
    """
    detections = [detector.detect(image) for image in images]
    groups = {
        DETECTED: [i for i, found in enumerate(detections) if found],
        FULL_IMAGE: [i for i, found in enumerate(detections) if not found],
    }
    predictions: dict[int, FacePrediction] = {}
    for source, index in groups.items():
        if not index:
            continue
        crops = [largest_crop(detections[i] or FullFrame().detect(images[i])) for i in index]
        chosen = [images[i] for i in index]
        found = predict_crops(engine, chosen, crops, refinements=_REFINEMENTS[source])
        predictions |= {
            i: replace(p, crop_source=source) for i, p in zip(index, found, strict=True)
        }
    return [predictions[i] for i in range(len(images))]


def largest_crop(detections: Sequence[Detection]) -> Crop:
    """Return the crop of the largest of at least one detection."""
    return max(detections, key=lambda detection: detection.box.size).crop()


class StillImagePipeline:
    """Detects and recognises the face of a still image exactly as the pipeline does on a camera.

    Each image is processed as two frames: the face is detected in the first, and the second is
    cropped by the landmarks of the first, as is every later frame of a camera. Images without a
    detection are processed again with the detector ``full_frame``, and have a face if the
    model's presence reaches its threshold.

    Args:
        engine: runs the model.
        detector: searches the first frame.
    """

    def __init__(self, engine: Engine, detector: Detector) -> None:
        config = PipelineConfig(tracking=TrackingConfig(birth_hits=1))
        self._pipelines = {
            DETECTED: Pipeline(detector, engine, config),
            FULL_IMAGE: Pipeline(FullFrame(), engine, config),
        }

    def __call__(
        self, images: Sequence[Image], expected: Sequence[Box | None]
    ) -> list[FacePrediction | None]:
        """Return the prediction for the face of each image; None where no face is found.

        expected: tight box of the annotated face's landmarks; None for the largest face.
        """
        predictions: dict[int, FacePrediction] = {}
        for source, pipeline in self._pipelines.items():
            missing = [i for i in range(len(images)) if i not in predictions]
            first, second = (
                pipeline.process_batch([(str(i), images[i], stamp, None) for i in missing])
                for stamp in (0.0, _FRAME_INTERVAL)
            )
            pipeline.reset()
            for i, before, after in zip(missing, first, second, strict=True):
                face = _select(after.faces or before.faces, expected[i])
                if face is not None:
                    landmarks = face.landmarks.astype(float)
                    predictions[i] = FacePrediction(
                        landmarks, face.raw_probabilities, face.presence, source
                    )
        return [predictions.get(i) for i in range(len(images))]


def _select(faces: Sequence[Face], expected: Box | None) -> Face | None:
    if expected is None:
        return max(faces, key=lambda face: face.box.size, default=None)
    best = max(faces, key=lambda face: face.box.iou(expected), default=None)
    return best if best is not None and best.box.iou(expected) >= _SAME_FACE else None
