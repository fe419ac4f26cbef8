"""Data sets stored as one archive of images, ``images.zip``, with their labels beside it.

Labels are in ``labels.npz`` or ``labels.csv``. Stored landmarks count pixels from the corner of
the image; the readers return them with pixel centres at integers.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.datasets import labels as maps
from edan_ros.datasets.face_set import FaceSample, FaceSet, check_choice, require_samples
from edan_ros.datasets.files import DataError, find_file, from_zip
from edan_ros.datasets.pixel_table import read_table

#: Parts of the sets that are split by photograph or by person.
SPLIT_PARTS = ("train", "held_out", "all")
#: Coordinates of a pixel's centre, counted from the corner of the image.
CORNER = 0.5
#: That of ytf68, whose trackers count pixels from 1: measured with mirrored images, the labels are
#: 1.1 pixels to the right of where centres at integers would put them.
YTF68_ORIGIN = 1.0
#: Landmark of the 68 -> the point of the 189-point template (DeBruine & Jones 2017) at the same
#: place: chin, base of the nose, eye corners, mouth corners, middle of the lips' four edges and
#: the two peaks of the upper lip. The other points have no exact counterpart.
LONDON_LANDMARKS = dict(
    zip(
        (8, 33, 36, 39, 42, 45, 48, 50, 51, 52, 54, 57, 62, 66),
        (129, 55, 18, 22, 23, 27, 87, 89, 90, 91, 93, 106, 96, 101),
        strict=True,
    )
)


def open_images(folder: Path) -> zipfile.ZipFile:
    """Open ``images.zip``. Raises DataError if it is missing or damaged."""
    file = find_file(folder, "images.zip")
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise DataError(f"{file} is not a zip archive: {error}") from error


def open_labels(folder: Path, *names: str, origin: float = CORNER) -> dict[str, NDArray[Any]]:
    """Read arrays of ``labels.npz``; ``landmarks`` as float32 with pixel centres at integers.

    Args:
        folder: of the set.
        names: of the arrays, ``landmarks`` apart.
        origin: stored coordinates of the centre of the first pixel.

    Raises:
        DataError: if the file is missing or damaged, or lacks an array.
    """
    file = find_file(folder, "labels.npz")
    try:
        with np.load(file) as values:
            arrays = {name: values[name] for name in (*names, "landmarks")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        expected = ", ".join((*names, "landmarks"))
        raise DataError(f"{file} should hold the arrays {expected}: {error}") from error
    arrays["landmarks"] = arrays["landmarks"].astype(np.float32) - origin
    return arrays


def finite_or_none(landmarks: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return (68, 2) landmarks, or None for NaN, which marks an image without landmarks."""
    return landmarks if np.isfinite(landmarks).all() else None


def group_of(name: str) -> str:
    """Return the photograph or person of an image: its name without the running number."""
    return re.sub(r"_\d+\.\w+$", "", name)


def is_held_out(name: str) -> bool:
    """Return whether an image belongs to the fixed tenth that is never trained on.

    The photograph or person decides, so that no photograph and no person is on both sides.
    """
    return int(hashlib.sha256(group_of(name).encode()).hexdigest(), 16) % 10 == 0


def _read_split(path: Path, part: str, origin: float = CORNER) -> list[FaceSample]:
    check_choice(part, "part", SPLIT_PARTS)
    archive, values = open_images(path), open_labels(path, "name", origin=origin)
    samples = (
        FaceSample(str(name), from_zip(archive, str(name)), landmarks=points)
        for name, points in zip(values["name"], values["landmarks"], strict=True)
        if part == "all" or is_held_out(str(name)) == (part == "held_out")
    )
    return require_samples(samples, path, f"images of the part {part}")


def read_landmarks68(path: Path, *, part: str) -> FaceSet:
    """Read 300-W photographs with landmarks set by hand.

    part: ``train``, ``held_out`` (the fixed tenth of the photographs) or ``all``.
    """
    return FaceSet(part.replace("_", " "), _read_split(path, part))


def read_ytf68(path: Path, *, part: str) -> FaceSet:
    """Read YouTube Faces frames (Wolf et al. 2011) with tracked landmarks and no emotions.

    part: ``train``, ``held_out`` (the frames of a fixed tenth of the people) or ``all``.
    """
    samples = _read_split(path, part, YTF68_ORIGIN)
    for sample in samples:
        sample.attributes["person"] = group_of(sample.name)
    return FaceSet(part.replace("_", " "), samples, pseudo_landmarks=True)


def photographs(
    folder: Path, *, held_out: bool
) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Return (BGR image, (68, 2) landmarks) of each face on either side of landmarks68's split."""
    part = read_landmarks68(folder, part="held_out" if held_out else "train")
    return [
        (sample.image().bgr(), sample.landmarks)
        for sample in part.samples
        if sample.landmarks is not None
    ]


def read_muxspace(path: Path) -> FaceSet:
    """Read the facial_expressions repository of muxspace; contempt becomes no label."""
    archive, values = open_images(path), open_labels(path, "name", "emotion")
    samples = (
        FaceSample(
            str(name),
            from_zip(archive, str(name)),
            maps.MUXSPACE[label],
            landmarks=finite_or_none(points),
        )
        for name, label, points in zip(
            values["name"], values["emotion"], values["landmarks"], strict=True
        )
    )
    return FaceSet("all", require_samples(samples, path, "images"), pseudo_landmarks=True)


def read_kdef_archive(path: Path) -> FaceSet:
    """Read the frontal images of KDEF from ``images.zip``.

    The labels are in ``labels.csv``: image, emotion, session_and_person such as AF01, sex F or M.
    """
    archive = open_images(path)
    columns = ("image", "emotion", "session_and_person", "sex")
    samples = (
        FaceSample(
            row["image"],
            from_zip(archive, row["image"]),
            _emotion_index(row["emotion"], path),
            attributes=_known(
                # The letter of the session comes first; both sessions show the same people.
                person=row["session_and_person"][1:],
                sex={"F": "female", "M": "male"}.get(row["sex"], ""),
            ),
        )
        for row in read_table(find_file(path, "labels.csv"), columns)
    )
    return FaceSet("views S", require_samples(samples, path, "rows in labels.csv"))


def read_london(path: Path) -> FaceSet:
    """Read the Face Research Lab London Set: each person neutral and smiling. Validation only.

    ``images.zip``, ``labels.csv`` (image, emotion, person, age, gender, ethnicity) and, where it
    is there, ``template_points.npz`` with (189, 2) points by image, of which those in
    LONDON_LANDMARKS become ``sparse_landmarks``. Attributes: person, sex, age in years and
    ethnicity, all but the first as the people reported them.
    """
    archive = open_images(path)
    columns = ("image", "emotion", "person", "age", "gender", "ethnicity")
    template = _read_template(path / "template_points.npz")
    samples = (
        FaceSample(
            row["image"],
            from_zip(archive, row["image"]),
            _emotion_index(row["emotion"], path),
            sparse_landmarks=template.get(row["image"]),
            attributes=_known(
                person=row["person"],
                sex=row["gender"],
                age=row["age"],
                ethnicity=row["ethnicity"].replace("_", " "),
            ),
        )
        for row in read_table(find_file(path, "labels.csv"), columns)
    )
    return FaceSet("neutral and smiling", require_samples(samples, path, "rows in labels.csv"))


def _read_template(file: Path) -> dict[str, NDArray[np.float32]]:
    """Return (68, 2) landmarks by image, NaN without a counterpart; empty without the file."""
    if not file.is_file():
        return {}
    sparse = {}
    with np.load(file) as values:
        for name in values.files:
            points = np.full((NUM_LANDMARKS, 2), np.nan, np.float32)
            points[list(LONDON_LANDMARKS)] = values[name][list(LONDON_LANDMARKS.values())]
            sparse[name] = points - CORNER
    return sparse


def _emotion_index(name: str, path: Path) -> int:
    """Return the index into EMOTIONS. Raises DataError, with the set's path, for another word."""
    if name not in EMOTIONS:
        raise DataError(f"{path}: labels.csv has the emotion {name!r}; use {', '.join(EMOTIONS)}")
    return EMOTIONS.index(name)


def _known(**attributes: str) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if value not in ("", "NA")}
