"""Evaluation of the eye network on eye sets: agreement with the teachers, gaze at the camera."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.eye_crops import EYE_SIZE, YAW_SIGNS, vector_of
from edan_ros.datasets import DataError
from edan_ros.datasets.archives import is_held_out
from edan_ros.engines.eye_model import EyeModel

#: Openness below which an eye counts as closed: at least 80 % closed, as PERCLOS defines it.
CLOSED_BELOW = 0.2
#: Sets that are never trained on; of every other the held-out tenth is evaluated.
VALIDATION_SETS = ("kdef", "london")
#: Sets whose people look into the camera.
FACING_SETS = ("kdef", "london")
#: Probability of the teacher from which, and up to one minus which, it is certain.
_CERTAIN = 0.95


@dataclass
class EyeResult:
    """Figures on one eye set.

    Attributes:
        name: of the set.
        eyes: number of eyes.
        figures: shares of eyes (0 to 1) and angles in degrees, by name.
    """

    name: str
    eyes: int
    figures: dict[str, float]


def read_eye_set(file: Path) -> dict[str, NDArray[Any]]:
    """Read an eye set that ``edan data eyes`` wrote. Raises DataError."""
    try:
        with np.load(file) as values:
            return {name: values[name] for name in values.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read the eyes {file}: make them with edan data eyes") from error


def evaluate_eyes(model: EyeModel, folder: Path) -> Iterator[EyeResult]:
    """Yield the figures of every eye set in a folder.

    ``agreement``: share of the eyes on which the model and the teacher agree whether they are
    closed; ``certain_agreement``: of those on which the teacher is certain and the model calls
    the eye visible. ``gaze_deg``: median angle between the gazes of the model and the teacher on
    eyes that are open; ``camera_deg``: median angle between the gaze and the camera, where people
    look into it.

    Raises DataError where there is no set, or one cannot be read.
    """
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise DataError(f"there is no eye set in {folder}: make one with edan data eyes")
    for file in files:
        values = read_eye_set(file)
        if file.stem not in VALIDATION_SETS:
            held_out = np.array([is_held_out(str(name)) for name in values["name"]])
            values = {name: array[held_out] for name, array in values.items()}
        if len(values["name"]):
            yield _evaluate(model, file.stem, values)


def _evaluate(model: EyeModel, name: str, values: dict[str, NDArray[Any]]) -> EyeResult:
    count = len(values["name"])
    top, left = ((np.array(values["crops"].shape[2:]) - EYE_SIZE) // 2).tolist()
    crops = values["crops"][:, :, top : top + EYE_SIZE[0], left : left + EYE_SIZE[1]]
    head = np.repeat(values["head"][:, None], 2, axis=1)
    head[..., 0] *= YAW_SIGNS
    found = model.infer(crops.reshape(-1, *EYE_SIZE), head.reshape(-1, 2))
    gaze = found.gaze.reshape(count, 2, 2).copy()
    gaze[..., 0] *= YAW_SIGNS
    closed = found.openness.reshape(count, 2) < CLOSED_BELOW
    visible = found.quality.argmax(axis=1).reshape(count, 2) == 0
    teacher = values["open"]
    agree = closed == (teacher < 0.5)
    certain = visible & ((teacher > _CERTAIN) | (teacher < 1.0 - _CERTAIN))
    both = (teacher > 0.5).all(axis=1)
    mean = gaze.mean(axis=1)[both]
    figures = {
        "agreement": float(agree.mean()),
        "certain_agreement": float(agree[certain].mean()),
        "teacher_closed": float((teacher < 0.5).mean()),
        "model_closed": float(closed.mean()),
        "visible": float(visible.mean()),
        "gaze_deg": _median_angle(mean, values["gaze"][both]),
    }
    if name in FACING_SETS:
        figures["camera_deg"] = _median_angle(mean, np.zeros_like(mean))
        figures["teacher_camera_deg"] = _median_angle(values["gaze"][both], np.zeros_like(mean))
    return EyeResult(name, 2 * count, figures)


def _median_angle(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Return the median angle in degrees between directions (n, 2) of yaw and pitch."""
    if not len(a):
        return float("nan")
    first, second = (
        np.array([vector_of(yaw, pitch) for yaw, pitch in np.asarray(d, np.float64).tolist()])
        for d in (a, b)
    )
    cosine = np.clip((first * second).sum(axis=1), -1.0, 1.0)
    return float(np.degrees(np.median(np.arccos(cosine))))
