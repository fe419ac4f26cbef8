"""ISED, the Indian Spontaneous Expression Database (Happy et al. 2015): peak frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from edan_ros.datasets import labels as maps
from edan_ros.datasets.face_set import FaceSample, FaceSet, require_samples
from edan_ros.datasets.files import DataError, find_folder, from_file
from edan_ros.datasets.folder import read_folder

_DETAILS = "ISED_details.mat"
#: Columns of the details, from 0: path of the peak image, and emotion.
_IMAGE, _EMOTION = 5, 6


def read_ised(path: Path) -> FaceSet:
    """Read the peak images of happiness, surprise, sadness and disgust.

    Either ``peakImages/26_7_39.jpg`` and so on with ``ISED_details.mat``, or one folder of images
    per emotion.
    """
    if not (path / _DETAILS).is_file():
        try:
            return read_folder(path)
        except DataError:
            raise DataError(
                f"{path} should hold {_DETAILS} and the folder peakImages, or one folder of "
                "images for each emotion"
            ) from None
    images = find_folder(path, "peakImages")
    samples = _samples(path / _DETAILS, images)
    return FaceSet("peak frames", require_samples(samples, path, f"rows in {_DETAILS}"))


def _samples(file: Path, images: Path) -> Iterator[FaceSample]:
    for row in _table(file):
        name = PureWindowsPath(str(_value(row[_IMAGE]))).name
        yield FaceSample(name, from_file(images / name), _emotion(_value(row[_EMOTION]), file))


def _emotion(value: Any, file: Path) -> int:
    """Return the emotion of a number 1 to 4 or of a name."""
    try:
        emotion = maps.ISED[int(value)]
    except ValueError:
        emotion = maps.SYNONYMS.get(str(value).strip().lower())
    except IndexError:
        emotion = None
    if emotion is None:
        raise DataError(f"{file}: {value!r} in column {_EMOTION + 1} is no emotion 1 to 4")
    return emotion


def _table(file: Path) -> NDArray[Any]:
    """Return the first table of at least seven columns, without its header."""
    try:
        values = loadmat(str(file))
    except (OSError, ValueError, NotImplementedError, MatReadError) as error:
        raise DataError(f"{file} is not a MATLAB file that SciPy reads: {error}") from error
    for name, value in values.items():
        if not name.startswith("__") and value.ndim == 2 and value.shape[1] > _EMOTION:
            # In a header the number of the participant is a word.
            table: NDArray[Any] = value
            return table[1:] if isinstance(_value(table[0][0]), str) else table
    raise DataError(f"{file} holds no table of {_EMOTION + 1} or more columns")


def _value(cell: Any) -> Any:
    """Return the word or number in a MATLAB cell."""
    while isinstance(cell, np.ndarray):
        if cell.size == 0:
            return ""
        cell = cell.ravel()[0]
    return cell.item() if isinstance(cell, np.generic) else cell
