"""Landmarks from a trained model, for data sets without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images import Image
from edan_ros.datasets import DataError, FaceSample, FaceSet
from edan_ros.detection.factory import create_detector
from edan_ros.engines import Engine, create_engine
from edan_ros.evaluation.recognition import (
    FacePrediction,
    StillImagePipeline,
    predict_annotated,
    predict_largest_faces,
)
from edan_ros.training.common.run_log import terminal_progress

#: Images that are read together.
_BATCH = 32


def with_landmarks(faces: FaceSet, model: str) -> tuple[FaceSet, NDArray[np.bool_]]:
    """Return the data set with landmarks from ``model`` where it has none.

    Faces without an annotated place are detected; of images that are cropped to the face, the
    whole image is used without a detection. The model then runs once more on the crop of its own
    landmarks. Samples below the model's presence threshold stay without landmarks.

    Returns:
        The data set, and (n,) which samples got landmarks.

    Raises:
        EngineError: if the model cannot be loaded.
        DataError: if it finds no face at all.
    """
    engine = create_engine("auto", model)
    missing = [i for i, sample in enumerate(faces.samples) if sample.landmarks is None]
    samples = list(faces.samples)
    labelled = np.zeros(len(samples), bool)
    predict_detected = _predict_detected(engine, faces.cropped)
    batches = range(0, len(missing), _BATCH)
    for start in terminal_progress(batches, f"landmarks by {model}"):
        images = _readable({i: samples[i] for i in missing[start : start + _BATCH]})
        predictions = predict_annotated(
            engine, list(images.values()), predict_detected, refinements=1
        )
        for i, found in zip(images, predictions, strict=True):
            if found is not None and found.presence >= engine.manifest.presence_threshold:
                samples[i] = replace(samples[i], landmarks=found.landmarks.astype(np.float32))
                labelled[i] = True
    if missing and not labelled.any():
        raise DataError(f"{model} finds no face in the {len(missing)} images without landmarks")
    return replace(faces, samples=samples), labelled


def _readable(samples: Mapping[int, FaceSample]) -> dict[int, tuple[FaceSample, Image]]:
    """Return the samples whose images can be read, with their images."""
    images = {}
    for i, sample in samples.items():
        with suppress(DataError):  # counted when the training set is made
            images[i] = sample, sample.image()
    return images


def _predict_detected(
    engine: Engine, cropped: bool
) -> Callable[[Sequence[Image]], Sequence[FacePrediction | None]]:
    """Return a function that predicts the faces of images without an annotated place."""
    detector = cache(create_detector)  # created on first use
    if cropped:
        return lambda images: predict_largest_faces(engine, images, detector())
    return lambda images: StillImagePipeline(engine, detector())(images, [None] * len(images))
