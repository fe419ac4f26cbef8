"""ISED, the Indian Spontaneous Expression Database (Happy et al. 2015): peak frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from edan_ros.datasets import labels as maps
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.face_set import FaceSample, FaceSet, require_samples
from edan_ros.datasets.files import find_folder, from_file
from edan_ros.datasets.folder import read_folder

_DETAILS = "ISED_details.mat"
#: Columns of the details, from 0: the peak picture's path and the emotion.
_PICTURE, _EMOTION = 5, 6


def read_ised(path: Path) -> FaceSet:
    """The peak pictures, of happiness, surprise, sadness and disgust.

    ``peakImages/26_7_39.jpg`` and so on with ``ISED_details.mat``, which needs SciPy; or the
    pictures sorted into folders named after the emotions.
    """
    if not (path / _DETAILS).is_file():
        try:
            return read_folder(path)
        except DataError:
            raise DataError(
                f"{path} should hold {_DETAILS} and the folder peakImages, or one folder of "
                "pictures for each emotion"
            ) from None
    images = find_folder(path, "peakImages")
    records = list(_records(path / _DETAILS, images))
    return FaceSet("peak frames", require_samples(records, path, f"rows in {_DETAILS}"))


def _records(file: Path, images: Path) -> Iterator[FaceSample]:
    for row in _table(file):
        name = PureWindowsPath(str(_value(row[_PICTURE]))).name
        yield FaceSample(name, from_file(images / name), _emotion(_value(row[_EMOTION]), file))


def _emotion(value: Any, file: Path) -> int:
    """A number 1 to 4, or the emotion's name."""
    try:
        emotion = maps.ISED[int(value)]
    except ValueError:
        emotion = maps.SYNONYMS.get(str(value).strip().lower())
    except IndexError:
        emotion = None
    if emotion is None:
        raise DataError(f"{file}: {value!r} in column {_EMOTION + 1} is no emotion 1 to 4")
    return emotion


def _table(file: Path) -> np.ndarray:
    """The one table of the file, of at least seven columns."""
    # SciPy comes with the extra `train`; the other layouts do without.
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        values = loadmat(str(file))
    except (OSError, ValueError, NotImplementedError, MatReadError) as error:
        raise DataError(f"{file} is not a MATLAB file that SciPy reads: {error}") from error
    for name, value in values.items():
        if not name.startswith("__") and value.ndim == 2 and value.shape[1] > _EMOTION:
            # A header, where there is one, has a word for the participant's number.
            return value[1:] if isinstance(_value(value[0][0]), str) else value
    raise DataError(f"{file} holds no table of {_EMOTION + 1} or more columns")


def _value(cell: Any) -> Any:
    """What a MATLAB cell holds: a word or a number."""
    while isinstance(cell, np.ndarray):
        if cell.size == 0:
            return ""
        cell = cell.ravel()[0]
    return cell.item() if isinstance(cell, np.generic) else cell
