"""Landmarks of sets that have none, made by a model that has been trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images import Image
from edan_ros.datasets import DataError, FaceSample, FaceSet
from edan_ros.engines import Engine, create_engine
from edan_ros.detection.factory import create_detector
from edan_ros.evaluation.recognition import (
    FacePrediction,
    StillImagePipeline,
    predict_annotated,
    predict_largest_faces,
)

#: Pictures that are read together.
_BATCH = 32


def with_landmarks(faces: FaceSet, model: str) -> tuple[FaceSet, NDArray[np.bool_]]:
    """The set with landmarks by ``model`` where it has none, and (n,) which records got them.

    Where the set does not say where the face is, the detector finds it, and a picture that is cut
    to the face is taken whole where it finds none; then the model looks again where its own
    landmarks are. A picture in which no face is found with the model's presence threshold stays
    without.

    Raises EngineError when the model cannot be loaded, DataError when it finds no face at all.
    """
    engine = create_engine("auto", model)
    missing = [i for i, record in enumerate(faces.samples) if record.landmarks is None]
    records = list(faces.samples)
    made = np.zeros(len(records), bool)
    elsewhere = _elsewhere(engine, faces.cropped)
    for start in range(0, len(missing), _BATCH):
        pictures = _readable({i: records[i] for i in missing[start : start + _BATCH]})
        answers = predict_annotated(engine, list(pictures.values()), elsewhere, refinements=1)
        for i, answer in zip(pictures, answers, strict=True):
            if answer is not None and answer.presence >= engine.manifest.presence_threshold:
                records[i] = replace(records[i], landmarks=answer.landmarks.astype(np.float32))
                made[i] = True
    if missing and not made.any():
        raise DataError(f"{model} finds no face in {len(missing)} pictures of the set")
    return replace(faces, samples=records), made


def _readable(records: Mapping[int, FaceSample]) -> dict[int, tuple[FaceSample, Image]]:
    """The records whose pictures can be read, with these."""
    pictures = {}
    for i, record in records.items():
        with suppress(DataError):  # counted where the set is made ready
            pictures[i] = record, record.image()
    return pictures


def _elsewhere(
    engine: Engine, cropped: bool
) -> Callable[[Sequence[Image]], Sequence[FacePrediction | None]]:
    """Reads the faces of pictures whose set does not say where they are."""
    detector = cache(create_detector)  # made when it is first needed
    if cropped:
        return lambda images: predict_largest_faces(engine, images, detector())
    return lambda images: StillImagePipeline(engine, detector())(images, [None] * len(images))
