"""Evaluation of a recogniser on data sets: predictions for every image, and their metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.geometry import CROP_SCALE
from edan_ros.core.images import Image
from edan_ros.datasets import DataError, DatasetSpec, FaceSample, FaceSet, face_crop, read
from edan_ros.detection.base import Detector
from edan_ros.engines import Engine
from edan_ros.evaluation import metrics
from edan_ros.evaluation.classes import ClassScheme
from edan_ros.evaluation.metrics import Proportion
from edan_ros.evaluation.recognition import (
    FacePrediction,
    StillImagePipeline,
    predict_annotated,
    predict_largest_faces,
)

#: Images that are read and run together.
_BATCH = 32
#: Unreadable images that a note names.
_NAMED = 5

#: The result for one image: a prediction, None without a face, or why it cannot be read.
PredictionResult: TypeAlias = "FacePrediction | DataError | None"


def read_set(spec: DatasetSpec, max_images: int | None = None) -> FaceSet:
    """Read a data set for an evaluation.

    max_images: keep this many images, evenly spaced; None keeps all.

    Raises DataError if the set is not laid out as expected or none of its images can be read.
    """
    faces = read(spec.layout, spec.path, **spec.options)
    faces.check()
    if max_images is None or max_images >= len(faces):
        return faces
    subset = faces.subset(max_images)
    subset.notes = [*faces.notes, f"{max_images} of {len(faces)} images, evenly spaced"]
    return subset


def predict_set(
    engine: Engine, faces: FaceSet, crop_mode: str, detector: Detector
) -> Iterator[PredictionResult]:
    """Yield the result for each image of a set, in order.

    Args:
        engine: runs the model.
        faces: the set.
        crop_mode: ``detect`` finds the face as the live pipeline does; None if there is none.
            ``given`` runs the model once on the annotated location; without an annotation on
            the largest detection, and without a detection on the full image.
        detector: finds faces.
    """
    pipeline = StillImagePipeline(engine, detector)
    for start in range(0, len(faces), _BATCH):
        samples = faces.samples[start : start + _BATCH]
        images = [_read_image(sample) for sample in samples]
        results: list[PredictionResult] = [i if isinstance(i, DataError) else None for i in images]
        readable = {
            i: (sample, image)
            for i, (sample, image) in enumerate(zip(samples, images, strict=True))
            if isinstance(image, Image)
        }
        pairs = list(readable.values())
        predictions: Sequence[FacePrediction | None]
        if crop_mode == "detect":
            predictions = _predict_detected(pipeline, pairs)
        else:
            predictions = _predict_given(engine, pairs, detector)
        for i, prediction in zip(readable, predictions, strict=True):
            results[i] = prediction
        yield from results


def _read_image(sample: FaceSample) -> Image | DataError:
    """Return the image, or the reason why it cannot be used."""
    try:
        image = sample.image()
        if sample.landmarks is not None:
            face_crop(sample, image)
    except DataError as error:
        return error
    return image


def _predict_detected(
    pipeline: StillImagePipeline, samples: Sequence[tuple[FaceSample, Image]]
) -> list[FacePrediction | None]:
    boxes = [_annotated_box(sample, image) for sample, image in samples]
    return pipeline([image for _, image in samples], boxes)


def _predict_given(
    engine: Engine, samples: Sequence[tuple[FaceSample, Image]], detector: Detector
) -> list[FacePrediction]:
    return predict_annotated(
        engine, samples, lambda images: predict_largest_faces(engine, images, detector)
    )


def _annotated_box(sample: FaceSample, image: Image) -> Box | None:
    """Return the tight box of the annotated face's landmarks; None without an annotation."""
    if sample.landmarks is not None:
        return Box.from_landmarks(sample.landmarks)
    if sample.points is None:
        return sample.box
    crop = face_crop(sample, image)
    (x, y), side = crop.center, crop.side / CROP_SCALE
    return Box(x - side / 2, y - side / 2, side, side)


@dataclass(frozen=True)
class SetResult:
    """The predictions for a set of n images, in the classes of a scheme.

    Attributes:
        name: of the set.
        layout: of the set.
        crop_mode: "given" or "detect".
        scheme: the classes.
        faces: the images that were evaluated.
        predictions: n predictions; None without a face.
        truth: (n,) class indices.
        found: (n,) whether a face was found.
        probabilities: (n, classes); NaN without a face.
        landmark_errors: (n,) in outer eye distances; NaN where either side is unknown.
    """

    name: str
    layout: str
    crop_mode: str
    scheme: ClassScheme
    faces: FaceSet
    predictions: Sequence[FacePrediction | None]
    truth: NDArray[np.intp]
    found: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    landmark_errors: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.truth)

    @cached_property
    def predicted(self) -> NDArray[np.intp]:
        """(n,) class indices; -1 without a face."""
        best = np.where(self.found[:, None], self.probabilities, 0.0).argmax(axis=1)
        return np.where(self.found, best, -1)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """(n,) whether the predicted class is the true one."""
        return np.asarray((self.truth >= 0) & (self.predicted == self.truth))

    @cached_property
    def has_emotions(self) -> bool:
        """Whether the set is labelled with emotions."""
        return bool((self.truth >= 0).any())

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes) counts of the faces found: a row per true class."""
        counted = self.found & (self.truth >= 0)
        return metrics.confusion_matrix(
            self.truth[counted], self.predicted[counted], len(self.scheme.names)
        )

    @cached_property
    def missed(self) -> NDArray[np.intp]:
        """(classes,) images of each true class without a face found."""
        lost = self.truth[~self.found & (self.truth >= 0)]
        return np.bincount(lost, minlength=len(self.scheme.names))

    @property
    def detected(self) -> float:
        """Share of the images in which a face was found."""
        return float(self.found.mean())

    def count_crops(self, source: str) -> int:
        """Return the number of faces whose crop came from a source (``recognition``)."""
        return sum(p is not None and p.crop_source == source for p in self.predictions)

    @property
    def accuracy(self) -> Proportion:
        """Images classified correctly; a face that was not found is an error."""
        return Proportion(int(self.correct.sum()), int((self.truth >= 0).sum()))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes in the set; a face that was not found is an error."""
        return metrics.macro_f1(self.confusion, self.missed)

    @cached_property
    def reliability(self) -> metrics.Reliability:
        """Calibration on the faces found."""
        counted = self.found & (self.truth >= 0)
        top = self.probabilities[counted].max(axis=1)
        return metrics.reliability(top, self.correct[counted])

    @property
    def landmark_error(self) -> float:
        """Mean over the faces found, in outer eye distances; NaN for a set without landmarks."""
        return metrics.finite_mean(self.landmark_errors)

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return n, recall, precision and f1 of each class in the set."""
        n = self.confusion.sum(axis=1) + self.missed
        columns = {
            "recall": metrics.recalls(self.confusion, self.missed),
            "precision": metrics.precisions(self.confusion),
            "f1": metrics.f1_scores(self.confusion, self.missed),
        }
        return {
            name: {"n": int(n[i]), **{key: float(v[i]) for key, v in columns.items()}}
            for i, name in enumerate(self.scheme.names)
            if n[i]
        }


def evaluate(
    name: str,
    layout: str,
    crop_mode: str,
    faces: FaceSet,
    results: Iterable[PredictionResult],
    scheme: ClassScheme,
) -> SetResult:
    """Compare the results for a set with its labels.

    Unreadable images and those of no class are left out and counted in the set's notes; of a set
    without any emotions all images are kept. Raises DataError when no image can be read.
    """
    pairs, notes = _readable(faces, list(results))
    classes = np.array(
        [-1 if s.emotion is None else scheme.class_of[s.emotion] for s, _ in pairs], np.intp
    )
    kept = np.flatnonzero(classes >= 0)
    if not len(kept):
        kept = np.arange(len(pairs))
    elif len(kept) < len(pairs):
        notes.append(f"left out: images of no requested class ({len(pairs) - len(kept)})")
    samples = [pairs[i][0] for i in kept]
    predictions = [pairs[i][1] for i in kept]
    found = np.array([prediction is not None for prediction in predictions], bool)
    probabilities = np.full((len(kept), len(scheme.names)), np.nan)
    if found.any():
        emotions = np.array([p.probabilities for p in predictions if p is not None])
        probabilities[found] = scheme.probabilities(emotions)
    errors = [_landmark_error(s, p) for s, p in zip(samples, predictions, strict=True)]
    return SetResult(
        name,
        layout,
        crop_mode,
        scheme,
        FaceSet(faces.about, samples, faces.cropped, faces.pseudo_landmarks, notes),
        predictions,
        classes[kept],
        found,
        probabilities,
        np.array(errors),
    )


def _readable(
    faces: FaceSet, results: Sequence[PredictionResult]
) -> tuple[list[tuple[FaceSample, FacePrediction | None]], list[str]]:
    """Return the readable samples with their predictions, and the set's notes."""
    pairs, unreadable = [], []
    for sample, result in zip(faces.samples, results, strict=True):
        if isinstance(result, DataError):
            unreadable.append(result)
        else:
            pairs.append((sample, result))
    if not unreadable:
        return pairs, list(faces.notes)
    if not pairs:
        raise DataError(f"none of the {len(results)} images can be read: {unreadable[0]}")
    named = "; ".join(str(error) for error in unreadable[:_NAMED])
    more = "; ..." if len(unreadable) > _NAMED else ""
    return pairs, [*faces.notes, f"left out: unreadable ({len(unreadable)}): {named}{more}"]


def _landmark_error(sample: FaceSample, prediction: FacePrediction | None) -> float:
    truth = sample.sparse_landmarks if sample.landmarks is None else sample.landmarks
    if truth is None or prediction is None:
        return math.nan
    return float(metrics.landmark_error(prediction.landmarks[None], truth[None])[0])
