"""CK+, the extended Cohn-Kanade set (Lucey et al. 2010): sequences from neutral to the peak.

Two other forms hold faces of 48x48 from the last three frames of each sequence, and are easier
than the sequences.
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
from edan_ros.datasets.face_set import FaceSample, FaceSet, left_out_notes, require_samples
from edan_ros.datasets.files import (
    DataError,
    files_in,
    find_folder,
    from_file,
    images_below,
    is_hidden,
)
from edan_ros.datasets.folder import has_classes, read_folder
from edan_ros.datasets.pixel_table import read_pixels

_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
_EMOTIONS = ("Emotion", "Emotion_labels", "emotion-labels")
_LANDMARKS = ("Landmarks/Landmarks", "Landmarks")


def read_ckplus(path: Path, *, peaks: int = 1, neutral: bool = True) -> FaceSet:
    """Read the labelled sequences.

    Either ``cohn-kanade-images/S005/001/*.png`` with ``Emotion/S005/001/*_emotion.txt`` and,
    where they exist, ``Landmarks/S005/001/*_landmarks.txt``; sequences of contempt are left out.
    Or all faces of 48x48 in a CSV file with the columns emotion, pixels, Usage
    (``ckextended.csv``) or one folder per emotion (``CK+48``).

    peaks: last frames of a sequence that get its label. neutral: read the first frame as neutral.
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
    samples = [
        FaceSample(f"row {i}", partial(np.array, pixels), int(label))
        for i, (pixels, label) in enumerate(zip(table.pixels, table.labels, strict=True))
        if label >= 0
    ]
    contempt = int((table.labels < 0).sum())
    notes = [f"left out: contempt ({contempt})"] if contempt else []
    found = require_samples(samples, file, "rows of the seven emotions")
    return FaceSet("faces of 48x48, all rows", found, cropped=True, notes=notes)


def _read_sequences(path: Path, peaks: int, neutral: bool) -> FaceSet:
    images, (emotions, files) = find_folder(path, *_IMAGES), _labels(path)
    landmarks = next((path / name for name in _LANDMARKS if (path / name).is_dir()), None)
    samples: list[FaceSample] = []
    left_out: Counter[str] = Counter()
    labelled = set()
    for file in files:
        sequence = Path(*file.parent.parts[-2:])
        labelled.add(sequence)
        emotion, frames = _label(file), images_below(images / sequence)
        if emotion is None:
            left_out["sequences of contempt"] += 1
        elif not frames:
            left_out["labelled sequences without frames"] += 1
        else:
            samples += _sequence_samples(frames, sequence, emotion, landmarks, peaks, neutral)
    left_out["sequences without a label"] = len(_sequences(images) - labelled)
    about = f"peak frames{' and first frames as neutral' if neutral else ''}"
    expected = f"S005/001/S005_001_00000011_emotion.txt and so on, with the frames in {images}"
    return FaceSet(
        about, require_samples(samples, emotions, expected), notes=left_out_notes(left_out)
    )


def _labels(path: Path) -> tuple[Path, list[Path]]:
    """Return the first folder with labels of sequences, and the label files.

    Raises DataError if no such folder exists.
    """
    for name in _EMOTIONS:
        files = [file for file in files_in(path / name) if file.name.endswith("_emotion.txt")]
        if files:
            return path / name, files
    return find_folder(path, *_EMOTIONS), []


def _sequences(images: Path) -> set[Path]:
    """Return the folders of sequences, such as S005/001."""
    return {
        folder.relative_to(images)
        for folder in images.glob("*/*")
        if folder.is_dir() and not is_hidden(folder.name)
    }


def _is_true(value: bool | str) -> bool:
    """Return a flag, which the command line gives as text."""
    return value not in (False, "false", "no", "0")


def _sequence_samples(
    frames: list[Path],
    sequence: Path,
    emotion: int,
    landmarks: Path | None,
    peaks: int,
    neutral: bool,
) -> Iterator[FaceSample]:
    """Yield the samples of a sequence; a single frame is its peak."""
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
    """Return the emotion of a sequence; None for contempt."""
    try:
        return maps.CKPLUS[int(float(file.read_text()))]
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{file} should hold one number, 0 to 7: {error}") from error


def _points(file: Path) -> NDArray[np.float32] | None:
    """Return (68, 2) landmarks in pixels; None without a file."""
    if not file.is_file():
        return None
    try:
        return np.loadtxt(file, dtype=np.float32).reshape(NUM_LANDMARKS, 2)
    except ValueError as error:
        raise DataError(f"{file} should hold 68 lines of x and y: {error}") from error
