"""Readers of the data sets, each from its folder on disk to :class:`Samples`.

The three folders are those that the project's own weights were trained on: ``images.zip`` with
the pictures and ``labels.npz`` beside it. Every reader raises :class:`DataError`, which says what
was expected where, when the folder is not as described.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import CROP_SCALE
from edan_ros.training.errors import DataError
from edan_ros.training.samples import Samples, make_samples

#: Columns of the FER+ votes (Barsoum et al. 2016) in the order of EMOTIONS; 7 is contempt,
#: 8 unknown, 9 not a face.
FERPLUS_COLUMNS = (0, 1, 3, 2, 6, 5, 4)
#: Original FER2013 label -> index into EMOTIONS (theirs: anger, disgust, fear, happy, sad,
#: surprise, neutral).
FER_TO_EMOTION = (6, 5, 4, 1, 2, 3, 0)
FER_USAGE = {"train": 0, "public_test": 1, "private_test": 2}
#: Where the face of a FER2013 picture lies when no landmarks were found: the median of the rest.
FER_DEFAULT_CROP = Crop(np.array([23.5, 23.5]), 38.7 * CROP_SCALE, 0.0)
#: Labels made by a face-mesh model count half of what human labels count.
PSEUDO_TRUST = 0.5
#: Muxspace class -> index into EMOTIONS; 7 is contempt, which is none of the seven.
MUXSPACE_LABELS = 7


def _open(folder: Path) -> tuple[zipfile.ZipFile, dict[str, NDArray]]:
    for name in ("images.zip", "labels.npz"):
        if not (folder / name).is_file():
            raise DataError(f"{folder} should hold images.zip and labels.npz; {name} is not there")
    with np.load(folder / "labels.npz") as labels:
        return zipfile.ZipFile(folder / "images.zip"), {k: labels[k] for k in labels.files}


def _gray(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{archive.filename}: {name} is not a picture")
    return image


def ferplus_majority(votes: NDArray[np.integer]) -> NDArray[np.intp]:
    """(n, 10) FER+ votes -> (n,) index into EMOTIONS, or -1 without a clear majority.

    Clear: more votes than any other of the ten columns, and one of the seven emotions.
    """
    votes = np.asarray(votes, np.int64)
    top = votes.max(axis=1)
    unique = (votes == top[:, None]).sum(axis=1) == 1
    seven = votes[:, FERPLUS_COLUMNS]
    return np.where(unique & (seven.max(axis=1) == top), seven.argmax(axis=1), -1)


def _draws_by_class(labels: NDArray[np.intp], power: float) -> NDArray[np.float64]:
    """Draws an epoch by class: rarer classes more often, by (median count / count) ** power."""
    counts = np.maximum(np.bincount(labels, minlength=len(EMOTIONS)), 1)
    return ((np.median(counts) / counts) ** power)[labels]


def fer2013(folder: Path, *, second_opinion: float = 0.1, balance: float = 0.3) -> Samples:
    """The training part of FER2013. Emotions are the FER+ votes of the seven, normalised.

    Pictures with fewer than six of ten votes for one of the seven are left out, and so are those
    that nearly equal a test picture. ``second_opinion`` is the share of the original label in
    the target, ``balance`` the power by which rarer emotions are drawn more often.
    """
    archive, labels = _open(folder)
    votes = labels["ferplus_votes"].astype(np.float32)[:, FERPLUS_COLUMNS]
    training = (labels["usage"] == FER_USAGE["train"]) & ~labels["train_leak"]
    index = np.flatnonzero(training & (votes.sum(axis=1) >= 6))
    target = votes[index] / votes[index].sum(axis=1, keepdims=True)
    original = np.eye(len(EMOTIONS), dtype=np.float32)[_original_emotions(labels, index)]
    target = (1 - second_opinion) * target + second_opinion * original
    samples = _fer2013_faces(archive, labels, index)
    samples.emotions = target
    weights = _draws_by_class(target.argmax(axis=1), balance)
    samples.weights = weights * (len(index) / weights.sum())
    return samples


def fer2013_test(folder: Path, usage: str) -> tuple[Samples, NDArray[np.intp], NDArray[np.intp]]:
    """A test part of FER2013 whole: samples, FER+ majority (-1: none) and original label."""
    archive, labels = _open(folder)
    index = np.flatnonzero(labels["usage"] == FER_USAGE[usage])
    majority = ferplus_majority(labels["ferplus_votes"][index])
    return _fer2013_faces(archive, labels, index), majority, _original_emotions(labels, index)


def _original_emotions(labels: dict[str, NDArray], index: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.array(FER_TO_EMOTION)[labels["fer_label"][index]]


def _fer2013_faces(
    archive: zipfile.ZipFile, labels: dict[str, NDArray], index: NDArray[np.intp]
) -> Samples:
    """Pictures, landmarks and crops of some rows, without emotions."""
    landmarks = labels["landmarks"][index].astype(np.float32)
    known = np.isfinite(landmarks).all(axis=(1, 2))
    crops = [
        Crop.from_landmarks(points) if ok else FER_DEFAULT_CROP
        for points, ok in zip(landmarks, known, strict=True)
    ]
    images = [_gray(archive, f"fer{row:07d}.png") for row in labels["row"][index]]
    return make_samples(images, crops=crops, landmarks=landmarks, trust=PSEUDO_TRUST)


def muxspace(folder: Path, *, smoothing: float = 0.15) -> Samples:
    """Muxspace: one label a picture. Half of the neutral and happy pictures an epoch."""
    archive, labels = _open(folder)
    label = labels["emotion"].astype(np.intp)
    landmarks = labels["landmarks"].astype(np.float32)
    target = np.full((len(label), len(EMOTIONS)), smoothing / len(EMOTIONS), np.float32)
    known = label < MUXSPACE_LABELS
    target[known, label[known]] += 1.0 - smoothing
    target[~known] = np.nan
    images = [_gray(archive, str(name)) for name in labels["name"]]
    crops = [Crop.from_landmarks(points) for points in landmarks]
    weights = np.where(label <= 1, 0.4, 1.0)
    return make_samples(
        images,
        crops=crops,
        landmarks=landmarks,
        emotions=target,
        weights=weights,
        trust=PSEUDO_TRUST,
    )


def is_held_out(name: str) -> bool:
    """Whether a picture of landmarks68 belongs to the fixed tenth that is never trained on.

    Decided by the photograph (the name without its running face number), so that two faces of
    one photograph are never on both sides.
    """
    photograph = re.sub(r"_\d+\.\w+$", "", name)
    return int(hashlib.sha256(photograph.encode()).hexdigest(), 16) % 10 == 0


def photographs(folder: Path, *, held_out: bool) -> list[tuple[NDArray[np.uint8], NDArray]]:
    """landmarks68 as it is: (BGR picture, (68, 2) landmarks) of either side of the split."""
    archive, labels = _open(folder)
    result = []
    for name, points in zip(labels["name"], labels["landmarks"], strict=True):
        if is_held_out(str(name)) == held_out:
            data = np.frombuffer(archive.read(str(name)), np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
            if image is None:
                raise DataError(f"{folder}/images.zip: {name} is not a picture")
            result.append((image, points.astype(np.float32)))
    return result


def landmarks68(folder: Path, *, held_out: bool = False, draws: float = 6.0) -> Samples:
    """Photographs of 300-W with human landmarks; each is drawn ``draws`` times an epoch."""
    pairs = photographs(folder, held_out=held_out)
    landmarks = np.stack([points for _, points in pairs])
    return make_samples(
        [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image, _ in pairs],
        crops=[Crop.from_landmarks(points) for points in landmarks],
        landmarks=landmarks,
        weights=draws,
    )
