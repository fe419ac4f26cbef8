"""FER2013 (Goodfellow et al. 2013) with the votes of FER+ (Barsoum et al. 2016).

Three forms: ``images.zip`` with ``labels.npz``, which has the landmarks of a face mesh;
``fer2013.csv`` of Kaggle (columns emotion, pixels, Usage) with the votes, if any, in
``fer2013new.csv`` beside it; folders ``train/angry`` and so on of Kaggle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.datasets import labels as maps
from edan_ros.datasets.archives import finite_or_none, open_images, open_labels
from edan_ros.datasets.face_set import FaceSample, FaceSet, check_choice, require_samples
from edan_ros.datasets.files import DataError, find_file, from_zip
from edan_ros.datasets.folder import read_classes
from edan_ros.datasets.pixel_table import USAGES, read_pixels, read_table

PARTS = ("train", "public_test", "private_test")
LABELS = ("ferplus", "original")
_TITLES = {"ferplus": "FER+ majority", "original": "original labels"}
_VALIDATION = ("validation", "Validation", "val", "valid")
#: Folders of a part that hold one folder per class.
_FOLDERS = {
    "train": ("train", "Training", "Train"),
    "public_test": ("PublicTest", "public_test", *_VALIDATION, "test", "Test"),
    "private_test": ("PrivateTest", "private_test", "test", "Test"),
}
_VOTES = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
#: (10,) column of the votes of each emotion, in the order of EMOTIONS.
_COLUMNS = [maps.FERPLUS.index(emotion) for emotion in range(len(EMOTIONS))]
#: Votes for the seven emotions, of ten, that a training image needs.
MIN_VOTES = 6


@dataclass
class _Rows:
    """The n images of FER2013.

    Attributes:
        read: returns the reader of image i.
        names: of the images.
        usage: (n,) indices into PARTS.
        original: (n,) original labels, indices into EMOTIONS.
        votes: (n, 10); None without FER+.
        landmarks: (n, 68, 2), NaN where none were found; None without landmarks.
        leak: (n,) whether a training image nearly equals a test image.
    """

    read: Callable[[int], Callable[[], NDArray[np.uint8]]]
    names: list[str]
    usage: NDArray[np.integer]
    original: NDArray[np.intp]
    votes: NDArray[np.integer] | None
    landmarks: NDArray[np.float32] | None
    leak: NDArray[np.bool_]


def majority(votes: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the (n,) emotions with the most of (n, 10) FER+ votes; -1 without a majority.

    A majority has more votes than any other of the ten columns and is one of the seven emotions.
    """
    votes = np.asarray(votes, np.int64)
    top = votes.max(axis=1)
    unique = (votes == top[:, None]).sum(axis=1) == 1
    seven = votes[:, _COLUMNS]
    return np.where(unique & (seven.max(axis=1) == top), seven.argmax(axis=1), -1)


def read_fer2013(
    path: Path,
    *,
    part: str,
    labels: str | None = None,
    original_label_weight: float = 0.1,
    label_sharpening: float = 1.0,
) -> FaceSet:
    """Read a part of FER2013.

    Args:
        path: folder or CSV file.
        part: one of PARTS. A test part with FER+ holds the images that have a majority; the
            training part those with MIN_VOTES that do not nearly equal a test image.
        labels: ``ferplus``, the majority of ten votes, by default where there are votes; or
            ``original``.
        original_label_weight: weight of the original label in the training target, 0 to 1.
        label_sharpening: power of the votes in the training target.
    """
    check_choice(part, "part", PARTS)
    if labels is not None:
        check_choice(labels, "labels", LABELS)
    in_folders = _read_folders(path, part, labels)
    if in_folders is not None:
        return in_folders
    rows = _read_csv(path) if _is_csv(path) else _read_npz(path)
    labels = labels or (LABELS[0] if rows.votes is not None else LABELS[1])
    index = np.flatnonzero((rows.usage == PARTS.index(part)) & ~rows.leak)
    emotions: NDArray[np.intp] = rows.original
    targets: NDArray[np.float32] | None = None
    shares: NDArray[np.float32] | None = None
    if labels == "ferplus":
        if rows.votes is None:
            raise DataError(f"{path}: labels ferplus need the votes, fer2013new.csv beside the csv")
        emotions = majority(rows.votes)
        seven = rows.votes[:, _COLUMNS].astype(np.float32)
        if part == "train":
            index = index[seven[index].sum(axis=1) >= MIN_VOTES]
            votes = seven[index] ** float(label_sharpening)
            shares = votes / votes.sum(axis=1, keepdims=True)
            original = np.eye(len(EMOTIONS), dtype=np.float32)[rows.original[index]]
            weight = np.float32(original_label_weight)
            targets = (1 - weight) * shares + weight * original
        else:
            index = index[emotions[index] >= 0]
    rated = rows.votes if labels == "ferplus" and targets is None else None
    samples = (
        FaceSample(
            rows.names[i],
            rows.read(i),
            int(emotions[i]) if emotions[i] >= 0 else None,
            None if targets is None else targets[k],
            None if rows.landmarks is None else finite_or_none(rows.landmarks[i]),
            votes=None if shares is None else shares[k],
            agreement=None if rated is None else float(rated[i].max() / rated[i].sum()),
        )
        for k, i in enumerate(index.tolist())
    )
    return FaceSet(
        f"{part.replace('_', ' ')}, {_TITLES[labels]}",
        require_samples(samples, path, f"images of the part {part}"),
        cropped=True,
        pseudo_landmarks=rows.landmarks is not None,
    )


def _read_npz(folder: Path) -> _Rows:
    if not (folder / "images.zip").is_file():
        find_file(
            folder, "fer2013.csv", "images.zip with labels.npz", "train/angry/*.jpg and so on"
        )
    names = ("row", "usage", "fer_label", "ferplus_votes", "train_leak")
    archive, values = open_images(folder), open_labels(folder, *names)
    numbers = values["row"]

    def read(i: int) -> Callable[[], NDArray[np.uint8]]:
        return from_zip(archive, f"fer{numbers[i]:07d}.png")

    return _Rows(
        read,
        [f"fer{number:07d}.png" for number in numbers],
        values["usage"],
        np.array(maps.FER2013, np.intp)[values["fer_label"]],
        values["ferplus_votes"],
        values["landmarks"],
        np.asarray(values["train_leak"], bool),
    )


def _is_csv(path: Path) -> bool:
    return path.suffix == ".csv" or any(path.glob("fer2013.csv")) or any(path.glob("icml*.csv"))


def _read_csv(path: Path) -> _Rows:
    file = path if path.suffix == ".csv" else find_file(path, "fer2013.csv", "icml_face_data.csv")
    table = read_pixels(file, maps.FER2013)
    return _Rows(
        lambda i: lambda: table.pixels[i],
        [f"row {i}" for i in range(len(table.pixels))],
        table.usage,
        table.labels,
        _read_votes(file.parent / "fer2013new.csv", len(table.pixels)),
        None,
        np.zeros(len(table.pixels), bool),
    )


def _read_votes(file: Path, count: int) -> NDArray[np.int64] | None:
    """Return the (n, 10) FER+ votes in the order of the images; None without the file."""
    if not file.is_file():
        return None
    try:
        rows = [[int(row[name]) for name in _VOTES] for row in read_table(file, _VOTES)]
    except ValueError as error:
        raise DataError(f"{file} should hold ten counts of votes in each row: {error}") from error
    if len(rows) != count:
        raise DataError(f"{file} has {len(rows)} rows for {count} images")
    return np.array(rows, np.int64)


def _read_folders(path: Path, part: str, labels: str | None) -> FaceSet | None:
    """Read a part from folders per part and class; None if there are none.

    Kaggle's folder ``test`` holds both test parts, which file names such as PublicTest_88305.jpg
    distinguish; without such names it is read as the public test and titled as both. Beside a
    validation folder, which is the public test, it is the private test.
    """
    folder = next((path / name for name in _FOLDERS[part] if (path / name).is_dir()), None)
    if folder is None:
        return None
    if labels == "ferplus":
        raise DataError(f"{folder}: images in folders have the original labels, not those of FER+")
    found = read_classes(folder, maps.FER2013)
    word = USAGES[PARTS.index(part)].lower()
    named = [r for r in found.samples if Path(r.name).name.lower().startswith(word)]
    title = part.replace("_", " ")
    if named:
        found.samples = named
    elif folder.name.lower() == "test" and not any((path / n).is_dir() for n in _VALIDATION):
        if part == "private_test":
            raise DataError(f"{folder}: the names of its images do not mark the private ones")
        title = "public and private test together"
    found.about, found.cropped = f"{title}, {_TITLES['original']}", True
    return found
