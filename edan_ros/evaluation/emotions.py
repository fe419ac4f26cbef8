"""A model on data sets: what it says of every picture, and how good that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.geometry import CROP_SCALE
from edan_ros.core.images import Image
from edan_ros.datasets import DataError, FaceSample, FaceSet, face_crop
from edan_ros.detection.detectors import Detector
from edan_ros.engines import Engine
from edan_ros.evaluation import metrics
from edan_ros.evaluation.recognition import (
    FacePrediction,
    StillImagePipeline,
    predict_annotated,
    predict_largest_faces,
)
from edan_ros.evaluation.scales import Scale

CROPS = ("given", "detect")
#: Pictures that are read and run together.
_BATCH = 32
#: So many of the pictures that cannot be read are named.
_NAMED = 5


#: What is said of one picture: an answer, None where no face was found, or why it cannot be read.
Said: TypeAlias = "FacePrediction | DataError | None"


def answers(engine: Engine, faces: FaceSet, crop: str, detector: Detector) -> Iterator[Said]:
    """What a model says of each picture of a set, in order.

    crop: ``detect`` finds and reads the face as the live pipeline does; None where it is not
    found. ``given`` takes it where the set says that it is, and the model looks once; where the
    set does not say, it is the largest that the detector finds or, if it finds none, the whole
    picture. A picture that cannot be read is given as the DataError that says why.
    """
    finder = StillImagePipeline(engine, detector)
    for start in range(0, len(faces), _BATCH):
        records = faces.samples[start : start + _BATCH]
        images = [_image(record) for record in records]
        said: list[Said] = [image if isinstance(image, DataError) else None for image in images]
        index = [i for i, image in enumerate(images) if isinstance(image, Image)]
        good = [(records[i], images[i]) for i in index]
        read = _found(finder, good) if crop == "detect" else _given(engine, good, detector)
        for i, answer in zip(index, read, strict=True):
            said[i] = answer
        yield from said


def _image(record: FaceSample) -> Image | DataError:
    """The picture, or why it cannot be used."""
    try:
        image = record.image()
        if record.landmarks is not None:
            face_crop(record, image)
    except DataError as error:
        return error
    return image


def _found(
    finder: StillImagePipeline, pictures: Sequence[tuple[FaceSample, Image]]
) -> list[FacePrediction | None]:
    wanted = [_wanted(record, image) for record, image in pictures]
    return finder([image for _, image in pictures], wanted)


def _given(
    engine: Engine, pictures: Sequence[tuple[FaceSample, Image]], detector: Detector
) -> list[FacePrediction]:
    return predict_annotated(
        engine, pictures, lambda images: predict_largest_faces(engine, images, detector)
    )


def _wanted(record: FaceSample, image: Image) -> Box | None:
    """Where the set says that the face is; None where it does not."""
    if record.landmarks is not None:
        return Box.from_landmarks(record.landmarks)
    if record.points is None:
        return record.box
    crop = face_crop(record, image)
    (x, y), side = crop.center, crop.side / CROP_SCALE
    return Box(x - side / 2, y - side / 2, side, side)


@dataclass(frozen=True)
class Result:
    """What a model says of a set, on a scale. All arrays have a row a picture.

    name: of the set. layout: in which it was read. crop: one of CROPS. truth: (n,) class.
    found: (n,) whether a face was. probabilities: (n, classes), NaN where none was.
    landmark_errors: over the distance of the outer eye corners; NaN where either side is unknown.
    """

    name: str
    layout: str
    crop: str
    scale: Scale
    faces: FaceSet
    answers: Sequence[FacePrediction | None]
    truth: NDArray[np.intp]
    found: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    landmark_errors: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Pictures judged."""
        return len(self.truth)

    @cached_property
    def said(self) -> NDArray[np.intp]:
        """(n,) class; -1 where no face was found."""
        best = np.where(self.found[:, None], self.probabilities, 0.0).argmax(axis=1)
        return np.where(self.found, best, -1)

    @cached_property
    def labelled(self) -> bool:
        """Whether the set knows emotions at all."""
        return bool((self.truth >= 0).any())

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes) counts of the faces found: row the truth, column what was said."""
        judged = self.found & (self.truth >= 0)
        return metrics.confusion_matrix(
            self.truth[judged], self.said[judged], len(self.scale.names)
        )

    @cached_property
    def missed(self) -> NDArray[np.int64]:
        """(classes,) pictures of each class in which no face was found."""
        lost = self.truth[~self.found & (self.truth >= 0)]
        return np.bincount(lost, minlength=len(self.scale.names))

    @property
    def detected(self) -> float:
        """Share of the pictures in which a face was found."""
        return float(self.found.mean())

    def placed(self, place: str) -> int:
        """Faces whose crop came from a place (``recognition``: GIVEN, FOUND, WHOLE)."""
        return sum(answer is not None and answer.place == place for answer in self.answers)

    @property
    def accuracy(self) -> float:
        """Share of right answers; a face that was not found is a wrong one."""
        return metrics.accuracy(self.confusion, self.missed)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy (Wilson)."""
        total = int(self.confusion.sum() + self.missed.sum())
        return metrics.wilson_interval(int(np.trace(self.confusion)), total)

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that the set has, faces not found included."""
        return metrics.macro_f1(self.confusion, self.missed)

    @cached_property
    def reliability(self) -> metrics.Reliability:
        """Of the faces that were found."""
        judged = self.found & (self.truth >= 0)
        top = self.probabilities[judged].max(axis=1)
        return metrics.reliability(top, self.said[judged] == self.truth[judged])

    @property
    def landmark_error(self) -> float:
        """Mean over the faces found; NaN where the set has no landmarks."""
        known = self.landmark_errors[np.isfinite(self.landmark_errors)]
        return float(known.mean()) if len(known) else float("nan")

    def per_class(self) -> dict[str, dict[str, float]]:
        """Pictures, recall, precision and F1 of each class that the set has."""
        n = self.confusion.sum(axis=1) + self.missed
        columns = {
            "recall": metrics.recalls(self.confusion, self.missed),
            "precision": metrics.precisions(self.confusion),
            "f1": metrics.f1_scores(self.confusion, self.missed),
        }
        return {
            name: {"n": int(n[i]), **{key: float(v[i]) for key, v in columns.items()}}
            for i, name in enumerate(self.scale.names)
            if n[i]
        }


def judge(
    name: str,
    layout: str,
    crop: str,
    faces: FaceSet,
    said: Iterable[Said],
    scale: Scale,
) -> Result:
    """The answers to a set's pictures on a scale.

    Pictures that cannot be read are left out, and those without a class of the scale, unless the
    set has no emotions at all; the set's notes then say how many. Raises DataError when none can
    be read.
    """
    pairs, notes = _readable(faces, list(said))
    classes = np.array(
        [-1 if r.emotion is None else scale.class_of[r.emotion] for r, _ in pairs], np.intp
    )
    kept = np.flatnonzero(classes >= 0)
    if not len(kept):
        kept = np.arange(len(pairs))
    elif len(kept) < len(pairs):
        notes.append(f"left out: pictures of no class asked for ({len(pairs) - len(kept)})")
    records = [pairs[i][0] for i in kept]
    chosen = [pairs[i][1] for i in kept]
    found = np.array([answer is not None for answer in chosen], bool)
    probabilities = np.full((len(kept), len(scale.names)), np.nan)
    if found.any():
        emotions = np.array([answer.probabilities for answer in chosen if answer is not None])
        probabilities[found] = scale.probabilities(emotions)
    errors = [_error(r, answer) for r, answer in zip(records, chosen, strict=True)]
    part = FaceSet(faces.about, records, faces.cropped, faces.pseudo_landmarks, notes)
    return Result(
        name,
        layout,
        crop,
        scale,
        part,
        chosen,
        classes[kept],
        found,
        probabilities,
        np.array(errors),
    )


def _readable(
    faces: FaceSet, said: Sequence[Said]
) -> tuple[list[tuple[FaceSample, FacePrediction | None]], list[str]]:
    """The pictures that could be read with what was said of them, and the set's notes."""
    pairs, unreadable = [], []
    for record, answer in zip(faces.samples, said, strict=True):
        if isinstance(answer, DataError):
            unreadable.append(answer)
        else:
            pairs.append((record, answer))
    if not unreadable:
        return pairs, list(faces.notes)
    if not pairs:
        raise DataError(f"none of the {len(said)} pictures can be read: {unreadable[0]}")
    named = "; ".join(str(error) for error in unreadable[:_NAMED])
    more = "; ..." if len(unreadable) > _NAMED else ""
    return pairs, [*faces.notes, f"left out: unreadable ({len(unreadable)}): {named}{more}"]


def _error(record: FaceSample, answer: FacePrediction | None) -> float:
    if record.landmarks is None or answer is None:
        return float("nan")
    return float(metrics.landmark_error(answer.landmarks[None], record.landmarks[None])[0])
