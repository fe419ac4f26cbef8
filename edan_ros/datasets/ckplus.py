"""CK+, the extended Cohn-Kanade set (Lucey et al. 2010): sequences from neutral to the peak."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.datasets import labels as maps
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.records import FaceSet, Record, from_file, pictures_in, some, the_folder

_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
_EMOTIONS = ("Emotion", "Emotion_labels")
_LANDMARKS = ("Landmarks/Landmarks", "Landmarks")


def read_ckplus(path: Path, *, peaks: int = 1, neutral: bool = True) -> FaceSet:
    """The labelled sequences: the last ``peaks`` frames with the label, the first as neutral.

    ``cohn-kanade-images/S005/001/*.png`` with ``Emotion/S005/001/*_emotion.txt`` and, where they
    are there, ``Landmarks/S005/001/*_landmarks.txt``. Sequences of contempt are left out with
    their first frames; ``neutral=False`` leaves out all first frames.
    """
    images, emotions = the_folder(path, *_IMAGES), the_folder(path, *_EMOTIONS)
    landmarks = next((path / name for name in _LANDMARKS if (path / name).is_dir()), None)
    records: list[Record] = []
    contempt = 0
    for file in sorted(emotions.rglob("[!.]*_emotion.txt")):
        emotion = _label(file)
        if emotion is None:
            contempt += 1
            continue
        sequence = Path(*file.parent.parts[-2:])
        records += _frames(images, sequence, emotion, landmarks, int(peaks), _is_true(neutral))
    notes = [f"left out: sequences of contempt ({contempt})"] if contempt else []
    about = f"peak frames{' and first frames as neutral' if _is_true(neutral) else ''}"
    found = some(records, emotions, "S005/001/S005_001_00000011_emotion.txt and so on")
    return FaceSet(about, found, notes=notes)


def _is_true(value: bool | str) -> bool:
    """A yes or no, which the command line gives as text."""
    return value not in (False, "false", "no", "0")


def _frames(
    images: Path,
    sequence: Path,
    emotion: int,
    landmarks: Path | None,
    peaks: int,
    neutral: bool,
) -> Iterator[Record]:
    frames = pictures_in(images / sequence)
    if len(frames) < 2:
        raise DataError(f"{images / sequence} should hold the frames of a labelled sequence")
    peaks = min(max(peaks, 1), len(frames) - 1)
    chosen = [(frame, emotion) for frame in frames[-peaks:]]
    if neutral:
        chosen.insert(0, (frames[0], EMOTIONS.index("neutral")))
    for frame, label in chosen:
        points = None
        if landmarks is not None:
            points = _points(landmarks / sequence / f"{frame.stem}_landmarks.txt")
        yield Record(frame.name, from_file(frame), label, landmarks=points)


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
