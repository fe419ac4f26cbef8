"""CK+, the extended Cohn-Kanade set (Lucey et al. 2010): sequences from neutral to the peak.

Also the two forms in which faces of 48x48 cut from it are passed on; those hold the last three
frames of each sequence and are easier than the sequences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.datasets import labels as maps
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.face_set import FaceSample, FaceSet, require_samples
from edan_ros.datasets.files import files_in, find_folder, from_file, images_in, is_hidden
from edan_ros.datasets.folder import has_classes, read_folder
from edan_ros.datasets.pixel_table import read_pixels

_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
_EMOTIONS = ("Emotion", "Emotion_labels", "emotion-labels")
_LANDMARKS = ("Landmarks/Landmarks", "Landmarks")


def read_ckplus(path: Path, *, peaks: int = 1, neutral: bool = True) -> FaceSet:
    """The labelled sequences: the last ``peaks`` frames with the label, the first as neutral.

    ``cohn-kanade-images/S005/001/*.png`` with ``Emotion/S005/001/*_emotion.txt`` and, where they
    are there, ``Landmarks/S005/001/*_landmarks.txt``. Sequences of contempt are left out with
    their first frames; ``neutral=False`` leaves out all first frames. Or faces of 48x48: a csv
    with the columns emotion, pixels, Usage (``ckextended.csv``), of which every row is read, or a
    folder for each emotion (``CK+48``).
    """
    if any((path / name).is_dir() for name in _IMAGES):
        return _read_sequences(path, int(peaks), _is_true(neutral))
    if has_classes(path):
        return read_folder(path)
    file = path if path.is_file() else next(iter(sorted(path.glob("[!.]*.csv"))), None)
    if file is not None and file.suffix.lower() == ".csv":
        return _read_csv(file)
    try:
        return _read_sequences(path, int(peaks), _is_true(neutral))
    except DataError as error:
        raise DataError(
            f"{error}; or faces of 48x48 as ckextended.csv or a folder for each emotion"
        ) from None


def _read_csv(file: Path) -> FaceSet:
    table = read_pixels(file, maps.CKPLUS_CSV)
    records = [
        FaceSample(f"row {i}", partial(np.array, pixels), int(label))
        for i, (pixels, label) in enumerate(zip(table.pixels, table.labels, strict=True))
        if label >= 0
    ]
    contempt = int((table.labels < 0).sum())
    notes = [f"left out: contempt ({contempt})"] if contempt else []
    found = require_samples(records, file, "rows of the seven emotions")
    return FaceSet("faces of 48x48, all rows", found, cropped=True, notes=notes)


def _read_sequences(path: Path, peaks: int, neutral: bool) -> FaceSet:
    images, (emotions, files) = find_folder(path, *_IMAGES), _labels(path)
    landmarks = next((path / name for name in _LANDMARKS if (path / name).is_dir()), None)
    records: list[FaceSample] = []
    left_out: Counter[str] = Counter()
    labelled = set()
    for file in files:
        sequence = Path(*file.parent.parts[-2:])
        labelled.add(sequence)
        emotion, frames = _label(file), images_in(images / sequence)
        if emotion is None:
            left_out["sequences of contempt"] += 1
        elif not frames:
            left_out["labelled sequences whose frames are not there"] += 1
        else:
            records += _records(frames, sequence, emotion, landmarks, peaks, neutral)
    left_out["sequences without a label"] = len(_sequences(images) - labelled)
    notes = [f"left out: {what} ({count})" for what, count in left_out.items() if count]
    about = f"peak frames{' and first frames as neutral' if neutral else ''}"
    expected = f"S005/001/S005_001_00000011_emotion.txt and so on, with the frames in {images}"
    return FaceSet(about, require_samples(records, emotions, expected), notes=notes)


def _labels(path: Path) -> tuple[Path, list[Path]]:
    """The folder of the sequences' labels, and their files: the first one in which there are any.

    Raises DataError when there is no such folder.
    """
    for name in _EMOTIONS:
        files = [file for file in files_in(path / name) if file.name.endswith("_emotion.txt")]
        if files:
            return path / name, files
    return find_folder(path, *_EMOTIONS), []


def _sequences(images: Path) -> set[Path]:
    """S005/001 and so on: the folders of a person's folders."""
    return {
        folder.relative_to(images)
        for folder in images.glob("*/*")
        if folder.is_dir() and not is_hidden(folder.name)
    }


def _is_true(value: bool | str) -> bool:
    """A yes or no, which the command line gives as text."""
    return value not in (False, "false", "no", "0")


def _records(
    frames: list[Path],
    sequence: Path,
    emotion: int,
    landmarks: Path | None,
    peaks: int,
    neutral: bool,
) -> Iterator[FaceSample]:
    """Of a sequence; one of a single frame is its peak."""
    peaks = min(max(peaks, 1), max(len(frames) - 1, 1))
    chosen = [(frame, emotion) for frame in frames[-peaks:]]
    if neutral and len(frames) > 1:
        chosen.insert(0, (frames[0], EMOTIONS.index("neutral")))
    for frame, label in chosen:
        points = None
        if landmarks is not None:
            points = _points(landmarks / sequence / f"{frame.stem}_landmarks.txt")
        yield FaceSample(frame.name, from_file(frame), label, landmarks=points)


def _label(file: Path) -> int | None:
    """The emotion of a sequence; None for contempt."""
    try:
        return maps.CKPLUS[int(float(file.read_text()))]
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{file} should hold one number, 0 to 7: {error}") from error


def _points(file: Path) -> NDArray[np.float32] | None:
    """(68, 2) pixels; None where the frame has no file."""
    if not file.is_file():
        return None
    try:
        return np.loadtxt(file, dtype=np.float32).reshape(NUM_LANDMARKS, 2)
    except ValueError as error:
        raise DataError(f"{file} should hold 68 lines of x and y: {error}") from error
