"""RAF-DB (Li et al. 2017), its basic emotions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.datasets import labels as maps
from edan_ros.datasets.face_set import (
    FaceSample,
    FaceSet,
    check_choice,
    left_out_notes,
    require_samples,
)
from edan_ros.datasets.files import DataError, find_file, find_folder, from_file, images_below

PARTS = ("train", "test")
IMAGES = ("aligned", "original")
_LIST = "list_patition_label.txt"  # the spelling is the set's


def read_rafdb(path: Path, *, part: str, images: str | None = None) -> FaceSet:
    """Read a part of RAF-DB.

    Either ``EmoLabel/list_patition_label.txt`` with ``Image/aligned`` or ``Image/original``, the
    latter with the five points of ``Annotation/manual`` where they exist, in ``basic`` or not; or
    the aligned images in ``DATASET/train/1`` to ``7`` and so on.

    part: ``train`` or ``test``. images: ``aligned`` or ``original``; by default the aligned ones
        where both exist.
    """
    check_choice(part, "part", PARTS)
    root = path / "basic" if (path / "basic").is_dir() else path
    if images is None:
        existing = (k for k in IMAGES if (root / "Image" / k).is_dir() or (root / k).is_dir())
        images = next(existing, IMAGES[0])
    aligned = check_choice(images, "images", IMAGES) == "aligned"
    left_out: Counter[str] = Counter()
    if aligned and any((root / name / part).is_dir() for name in ("DATASET", ".")):
        folder = find_folder(root, f"DATASET/{part}", part)
        samples = list(_from_folders(folder, left_out))
        expected = f"{part}/1/*.jpg to {part}/7/*.jpg"
    else:
        samples = list(_from_list(root, part, images))
        expected = f"{_LIST} with names that begin with {part}"
    # The originals are photographs: without the five points the face has to be detected.
    cropped = aligned or all(sample.points is not None for sample in samples)
    samples = require_samples(samples, path, expected)
    return FaceSet(f"{part}, {images}", samples, cropped, notes=left_out_notes(left_out))


def _emotion(label: str, where: str) -> int | None:
    """Return the emotion of a number or, in folders of some copies, a word; None for contempt."""
    if label in {"1", "2", "3", "4", "5", "6", "7"}:
        return maps.RAFDB[int(label)]
    try:
        return maps.emotion_of(label)
    except KeyError:
        raise DataError(f"{where}: expected a label 1 to 7, not {label}") from None


def _from_folders(folder: Path, left_out: Counter[str]) -> Iterator[FaceSample]:
    for file in images_below(folder):
        label = file.relative_to(folder).parts[0]
        emotion = _emotion(label, str(file))
        if emotion is None:
            left_out[label] += 1
        else:
            yield FaceSample(f"{label}/{file.name}", from_file(file), emotion)


def _from_list(root: Path, part: str, images: str) -> Iterator[FaceSample]:
    try:
        file = find_file(root, f"EmoLabel/{_LIST}", _LIST)
    except DataError as error:
        raise DataError(f"{error}; or the aligned images in DATASET/{part}/1 to 7") from None
    folder = find_folder(root, f"Image/{images}", images)
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            raise DataError(f"{file}: expected a name and a label in each line, not {line!r}")
        name, emotion = words[0], _emotion(words[1], str(file))
        if not name.startswith(part):
            continue
        stem = Path(name).stem
        if images == "aligned":
            yield FaceSample(name, from_file(folder / f"{stem}_aligned.jpg"), emotion)
        else:
            file = root / "Annotation" / "manual" / f"{stem}_manu_attri.txt"
            points = _points(file) if file.is_file() else None
            yield FaceSample(name, from_file(folder / name), emotion, points=points)


def _points(file: Path) -> NDArray[np.float64]:
    """Return (5, 2) points: eyes, nose and mouth corners, the first five lines."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()[:5]
        return np.array([line.split() for line in lines], np.float64).reshape(5, 2)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} should hold five lines of x and y: {error}") from error
