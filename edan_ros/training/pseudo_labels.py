"""Landmarks of sets that have none, made by a model that has been trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edan_ros.datasets import DataError, FaceSet, Record, face_crop
from edan_ros.engines import Engine, create_engine
from edan_ros.engines.detector_engine import create_detector
from edan_ros.evaluation.recognition import Answer, Finder, in_crops

#: Pictures that are read together.
_BATCH = 32


def with_landmarks(faces: FaceSet, model: str) -> tuple[FaceSet, NDArray[np.bool_]]:
    """The set with landmarks by ``model`` where it has none, and (n,) which records got them.

    In pictures that are cut to the face the model looks twice, the second time where its own
    landmarks are; in others the detector finds the face. A picture in which no face is found with
    the model's presence threshold stays without.

    Raises EngineError when the model cannot be loaded, DataError when it finds no face at all.
    """
    engine = create_engine("auto", model)
    missing = [i for i, record in enumerate(faces.records) if record.landmarks is None]
    records = list(faces.records)
    made = np.zeros(len(records), bool)
    for start in range(0, len(missing), _BATCH):
        index = [i for i in missing[start : start + _BATCH] if _is_readable(records[i])]
        answers = _answers(engine, [records[i] for i in index], faces.cropped)
        for i, answer in zip(index, answers, strict=True):
            if answer is not None and answer.presence >= engine.manifest.presence_threshold:
                records[i] = replace(records[i], landmarks=answer.landmarks.astype(np.float32))
                made[i] = True
    if missing and not made.any():
        raise DataError(f"{model} finds no face in {len(missing)} pictures of the set")
    return replace(faces, records=records), made


def _is_readable(record: Record) -> bool:
    try:
        record.read()
    except DataError:  # counted where the set is made ready
        return False
    return True


def _answers(engine: Engine, records: Sequence[Record], cropped: bool) -> list[Answer | None]:
    images = [record.image() for record in records]
    if cropped:
        crops = [face_crop(record, image) for record, image in zip(records, images, strict=True)]
        return list(in_crops(engine, images, crops, refinements=1))
    return Finder(engine, create_detector())(images, [None] * len(images))
