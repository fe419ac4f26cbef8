"""AffectNet (Mollahosseini et al. 2017), as first published (csv) and as later (npy)."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.datasets import labels as maps
from edan_ros.datasets.face_set import (
    FaceSample,
    FaceSet,
    check_choice,
    left_out_notes,
    require_samples,
)
from edan_ros.datasets.files import DataError, find_file, find_folder, from_file, images_below
from edan_ros.datasets.folder import has_classes, read_classes

PARTS = ("train", "test")
_CSV = {"train": "training.csv", "test": "validation.csv"}
_FOLDER = {"train": "train_set", "test": "val_set"}
_ABOUT = {"train": "training", "test": "validation"}
#: Folders of a part that hold one folder per class.
_CLASS_FOLDERS = {
    "train": ("train", "Train", "train_class", "."),
    "test": ("val", "Val", "valid", "validation", "val_class", "test", "Test", "."),
}
#: Columns in their order: some copies of validation.csv have no header.
_COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)


def read_affectnet(path: Path, *, part: str) -> FaceSet:
    """Read a part of AffectNet with 7 or 8 classes.

    One of three forms:

    - ``training.csv`` and ``validation.csv``, here or in Manually_Annotated_file_lists, with
      Manually_Annotated_Images;
    - ``train_set`` and ``val_set`` with ``images`` and ``annotations``, or one of these folders;
    - as on Kaggle, ``train``, ``val`` or ``test`` with a folder per class, named or numbered; such
      folders alone are the requested part.

    Contempt and images without an expression are left out. The landmarks are those of a tracker
    of the authors; folders of classes have none.

    part: ``train``, or ``test`` for the validation part.
    """
    check_choice(part, "part", PARTS)
    classes = next(
        (path / n for n in _CLASS_FOLDERS[part] if has_classes(path / n, maps.AFFECTNET)), None
    )
    if classes is not None:
        return _from_classes(classes, part)
    left_out: Counter[str] = Counter()
    alone = (path / "images").is_dir() and (path / "annotations").is_dir()
    arrays = path if alone else path / _FOLDER[part]
    if arrays.is_dir():
        samples = list(_from_arrays(arrays, left_out))
        expected = "images/*.jpg" if alone else f"{_FOLDER[part]}/images/*.jpg"
    else:
        samples = list(_from_csv(path, part, left_out))
        expected = f"rows with an expression in {_CSV[part]}"
    return FaceSet(
        _ABOUT[part],
        require_samples(samples, path, expected),
        cropped=True,
        pseudo_landmarks=True,
        notes=left_out_notes(left_out),
    )


def _from_classes(folder: Path, part: str) -> FaceSet:
    found = read_classes(folder, maps.AFFECTNET)
    found.about, found.cropped = f"{_ABOUT[part]}, folders by class", True
    return found


def _from_csv(path: Path, part: str, left_out: Counter[str]) -> Iterator[FaceSample]:
    lists = f"Manually_Annotated_file_lists/{_CSV[part]}"
    try:
        file = find_file(path, lists, _CSV[part])
    except DataError as error:
        other = next(p for p in PARTS if p != part)
        other_exists = any(
            (path / name).is_dir() for name in (_FOLDER[other], *_CLASS_FOLDERS[other][:-1])
        )
        raise DataError(
            f"{error}; or the folder {_FOLDER[part]} of the npy layout, or "
            f"{_CLASS_FOLDERS[part][0]} with a folder for each class"
            + (f". Only part={other} exists here" if other_exists else "")
        ) from None
    images = find_folder(
        path,
        "Manually_Annotated_Images",
        "Manually_Annotated/Manually_Annotated_Images",
        "Manually_Annotated_compressed",
    )
    with file.open(encoding="utf-8-sig", newline="") as stream:
        for number, values in enumerate(csv.reader(stream), start=1):
            if not values or (number == 1 and values[0] == _COLUMNS[0]):
                continue
            row = dict(zip(_COLUMNS, values, strict=False))
            try:
                emotion = _emotion(int(row["expression"]), left_out)
                if emotion is None:
                    continue
                points = np.array(row["facial_landmarks"].split(";"), np.float32)
                landmarks = points.reshape(NUM_LANDMARKS, 2)
            except (KeyError, ValueError, IndexError) as error:
                raise DataError(
                    f"{file}, line {number}: expected {', '.join(_COLUMNS)}, with 68 landmarks "
                    f"x;y;... : {error}"
                ) from error
            name = row[_COLUMNS[0]].replace("\\", "/")
            yield FaceSample(name, from_file(images / name), emotion, landmarks=landmarks)


def _emotion(label: int, left_out: Counter[str]) -> int | None:
    emotion = maps.AFFECTNET[label]
    if emotion is None:
        left_out["contempt" if label == len(EMOTIONS) else "no expression"] += 1
    return emotion


def _from_arrays(folder: Path, left_out: Counter[str]) -> Iterator[FaceSample]:
    images, annotations = find_folder(folder, "images"), find_folder(folder, "annotations")
    for file in images_below(images):
        label = int(_array(annotations / f"{file.stem}_exp.npy", 1)[0])
        if not 0 <= label < len(maps.AFFECTNET):
            raise DataError(f"{annotations}/{file.stem}_exp.npy: {label} is no expression")
        emotion = _emotion(label, left_out)
        if emotion is not None:
            marks = annotations / f"{file.stem}_lnd.npy"
            landmarks = None
            if marks.is_file():
                landmarks = _array(marks, 2 * NUM_LANDMARKS).reshape(NUM_LANDMARKS, 2)
            yield FaceSample(file.name, from_file(file), emotion, landmarks=landmarks)


def _array(file: Path, count: int) -> NDArray[np.float32]:
    """Return a number of values; some of the published files hold them as text."""
    try:
        values = np.asarray(np.load(file, allow_pickle=False), np.float32).ravel()
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{file} should hold {count} numbers as a NumPy array: {error}") from error
    if len(values) != count:
        raise DataError(f"{file} should hold {count} numbers; it holds {len(values)}")
    return values
