"""A model on data sets: what it says of every picture, and how good that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.detectors import Detector
from edan_ros.core.faces import Box
from edan_ros.core.geometry import CROP_SCALE
from edan_ros.core.images import Image
from edan_ros.datasets import FaceSet, Record, face_crop
from edan_ros.engines import Engine
from edan_ros.evaluation import metrics
from edan_ros.evaluation.recognition import Answer, Finder, in_crops
from edan_ros.evaluation.scales import Scale

CROPS = ("given", "detect")
#: Pictures that are read and run together.
_BATCH = 32


def answers(
    engine: Engine, faces: FaceSet, detector: Detector | None = None
) -> Iterator[Answer | None]:
    """What a model says of each picture of a set, in order.

    With a detector the face is found and read as the live pipeline does; None where it is not
    found. Without one the crop is where the set says that the face is (``face_crop``), and the
    model looks once.
    """
    finder = None if detector is None else Finder(engine, detector)
    for start in range(0, len(faces), _BATCH):
        records = faces.records[start : start + _BATCH]
        images = [record.image() for record in records]
        if finder is None:
            crops = [face_crop(r, image) for r, image in zip(records, images, strict=True)]
            yield from in_crops(engine, images, crops)
        else:
            wanted = [_wanted(r, image) for r, image in zip(records, images, strict=True)]
            yield from finder(images, wanted)


def _wanted(record: Record, image: Image) -> Box | None:
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
    answers: Sequence[Answer | None]
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
    said: Iterable[Answer | None],
    scale: Scale,
) -> Result:
    """The answers to a set's pictures on a scale.

    Pictures without a class of the scale are left out, unless the set has no emotions at all.
    """
    classes = np.array(
        [-1 if r.emotion is None else scale.class_of[r.emotion] for r in faces.records], np.intp
    )
    kept = np.flatnonzero(classes >= 0)
    if not len(kept):
        kept = np.arange(len(faces))
    given = list(said)
    chosen = [given[i] for i in kept]
    records = [faces.records[i] for i in kept]
    found = np.array([answer is not None for answer in chosen], bool)
    probabilities = np.full((len(kept), len(scale.names)), np.nan)
    if found.any():
        emotions = np.array([answer.probabilities for answer in chosen if answer is not None])
        probabilities[found] = scale.probabilities(emotions)
    errors = [_error(r, answer) for r, answer in zip(records, chosen, strict=True)]
    part = FaceSet(faces.about, records, faces.cropped, faces.pseudo_landmarks, faces.notes)
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


def _error(record: Record, answer: Answer | None) -> float:
    if record.landmarks is None or answer is None:
        return float("nan")
    return float(metrics.landmark_error(answer.landmarks[None], record.landmarks[None])[0])
