"""Landmarks in ``.pts`` files beside their images, as in 300-W (Sagonas et al. 2013)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.core.images.file_formats import IMAGE_SUFFIXES
from edan_ros.datasets.face_set import FaceSample, FaceSet, require_samples
from edan_ros.datasets.files import DataError, files_in, from_file


def read_pts_folder(path: Path) -> FaceSet:
    """Read every ``.pts`` file of 68 points at any depth, with the image of the same name."""
    samples = (
        FaceSample(
            str(file.relative_to(path)), from_file(image_beside(file)), landmarks=read_pts(file)
        )
        for file in files_in(path)
        if file.suffix == ".pts"
    )
    expected = "images with a .pts file of the same name beside"
    return FaceSet("all", require_samples(samples, path, expected))


def image_beside(file: Path) -> Path:
    """Return the image with the name of another file. Raises DataError if there is none."""
    for candidate in sorted(file.parent.glob(f"{file.stem}.*")):
        if candidate.suffix.lower() in IMAGE_SUFFIXES:
            return candidate
    raise DataError(f"{file} has no image of its name beside it")


def read_pts(file: Path) -> NDArray[np.float32]:
    """Return (68, 2) landmarks in pixels, centres at integers; the file counts pixels from 1.

    Raises DataError for a file without 68 points.
    """
    try:
        text = file.read_text(encoding="utf-8")
        values = text[text.index("{") + 1 : text.index("}")]
        return np.array(values.split(), np.float32).reshape(NUM_LANDMARKS, 2) - 1.0
    except (OSError, ValueError) as error:
        raise DataError(f"{file} should hold 68 points between braces: {error}") from error
