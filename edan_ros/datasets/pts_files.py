"""Landmarks in ``.pts`` files beside their pictures, as 300-W has them (Sagonas et al. 2013)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.face_set import FaceSample, FaceSet, require_samples
from edan_ros.datasets.files import IMAGE_SUFFIXES, files_in, from_file


def read_points(path: Path) -> FaceSet:
    """Every ``.pts`` file of 68 points in a folder or below, with the picture of its name."""
    files = [file for file in files_in(path) if file.suffix == ".pts"]
    records = [
        FaceSample(str(file.relative_to(path)), from_file(_picture(file)), landmarks=read_pts(file))
        for file in files
    ]
    return FaceSet(
        "all", require_samples(records, path, "pictures with a .pts file of the same name beside")
    )


def _picture(file: Path) -> Path:
    for candidate in sorted(file.parent.glob(f"{file.stem}.*")):
        if candidate.suffix.lower() in IMAGE_SUFFIXES:
            return candidate
    raise DataError(f"{file} has no picture of its name beside it")


def read_pts(file: Path) -> NDArray[np.float32]:
    """(68, 2) landmarks in pixels, pixel centres at integers; the files count pixels from 1."""
    try:
        text = file.read_text(encoding="utf-8")
        inside = text[text.index("{") + 1 : text.index("}")]
        return np.array(inside.split(), np.float32).reshape(NUM_LANDMARKS, 2) - 1.0
    except (OSError, ValueError) as error:
        raise DataError(f"{file} should hold 68 points between braces: {error}") from error
