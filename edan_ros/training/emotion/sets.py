"""The data sets of a configuration as one training set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.images import Image
from edan_ros.datasets import LAYOUTS, DataError, FaceSample, FaceSet, face_crop, read
from edan_ros.datasets.layouts import is_validation_only, layout_of
from edan_ros.detection.base import Detector
from edan_ros.detection.factory import create_detector
from edan_ros.evaluation.recognition import largest
from edan_ros.training.common.config import TrainConfig
from edan_ros.training.common.errors import ConfigError
from edan_ros.training.emotion.negatives import background
from edan_ros.training.emotion.pseudo_labels import with_landmarks
from edan_ros.training.emotion.samples import (
    Samples,
    class_frequencies,
    concatenate,
    make_samples,
    surroundings,
)

#: How far landmarks that a model made count in the loss: those that a set comes with, and those
#: that a model trained here makes.
SET_TRUST, OWN_TRUST = 0.5, 0.3
#: Pictures with a longer side are cut down to the face's surroundings.
LARGEST = 416
#: What an entry of a layout is taken to say unless it says otherwise.
DEFAULTS: dict[str, dict[str, Any]] = {
    "fer2013": {"balance": 0.3},
    "muxspace": {"smoothing": 0.15, "draws": {"neutral": 0.4, "happy": 0.4}},
    "landmarks68": {"draws": 6},
}
#: Entries for every layout; all others are options of the layout's reader.
_COMMON = ("smoothing", "balance", "draws", "trust")


def load_samples(
    data: dict[str, dict[str, Any]], root: Path, tell: Callable[[str], None] | None = None
) -> Samples:
    """Every set that the configuration names, one behind the other.

    An entry's name is its layout and its folder under ``root``, unless it has a ``layout`` or a
    ``path`` (under ``root`` unless absolute) of its own. tell: told a line of each set, with what
    was left out. Raises ConfigError for an entry that cannot be, DataError for a folder that is
    not laid out so.
    """
    entries = {name: dict(values or {}) for name, values in data.items()}
    for name, options in entries.items():
        if name != "background":
            _refuse_validation_only(name, *_layout_and_path(name, options, root))
    parts = []
    for name, options in entries.items():
        if name == "background":
            options["detector"] = root / options["detector"]
            parts.append(background(root / "landmarks68", held_out=False, **options))
        else:
            parts.append(_load(name, options, root, tell))
    if not parts:
        raise ConfigError("data: names no set")
    return concatenate(parts)


def _layout_and_path(name: str, options: Mapping[str, Any], root: Path) -> tuple[str, Path]:
    try:
        layout = layout_of(str(options.get("layout", name)))
    except DataError as error:
        raise ConfigError(f"data: {name}: {error}; or background") from error
    return layout, root / str(options.get("path", name))


def _refuse_validation_only(name: str, layout: str, path: Path) -> None:
    if is_validation_only(layout, path):
        raise ConfigError(f"data: {name}: {path} is for validation only; take it out of data")


def _load(
    name: str, options: dict[str, Any], root: Path, tell: Callable[[str], None] | None
) -> Samples:
    layout, path = _layout_and_path(name, options, root)
    given = {key: value for key, value in options.items() if key not in ("layout", "path")}
    options = {**DEFAULTS.get(layout, {}), **given}
    common = {key: options.pop(key) for key in _COMMON if key in options}
    model, pictures = options.pop("landmarks", None), options.pop("pictures", None)
    unknown = sorted(set(options) - set(LAYOUTS[layout].options))
    if unknown:
        known = sorted((*_COMMON, "landmarks", "layout", "path", "pictures"))
        raise ConfigError(
            f"data: {name}: unknown entry {', '.join(unknown)}; known: "
            f"{', '.join((*LAYOUTS[layout].options, *known))}"
        )
    faces = read(layout, path, training=True, **options)
    if pictures is not None:
        faces = faces.subset(int(pictures))
    made = None
    if model is not None:
        faces, made = with_landmarks(faces, str(model))
    left_out: Counter[str] = Counter()
    samples = samples_of(faces, own=made, left_out=left_out, **common)
    if tell is not None:
        notes = [*faces.notes, *(f"left out: {what} ({n})" for what, n in left_out.items())]
        tell("; ".join([f"{name}: {faces.about}: {len(samples)} pictures", *notes]))
    if not len(samples):
        raise DataError(f"{path}: no picture of {name} can be used: {'; '.join(left_out)}")
    return samples


def samples_of(
    faces: FaceSet,
    *,
    smoothing: float = 0.0,
    balance: float = 0.0,
    draws: float | Mapping[str, float] = 1.0,
    trust: float | None = None,
    own: NDArray[np.bool_] | None = None,
    left_out: Counter[str] | None = None,
) -> Samples:
    """A data set in memory, what it does not know as NaN.

    The face is where the set says or, where it does not, where the detector finds the largest one.
    Where it finds none, a picture of a set that is cut to the faces is taken whole.

    smoothing: share of a label that all emotions get, 0 to 1. balance: rarer emotions are drawn
    more often, by (median count / count) ** balance. draws: of each picture an epoch, or of each
    emotion by name (1 for those not named). trust: factor on the landmark loss; without, 1 for
    human landmarks and SET_TRUST for others. own: (n,) whether a record's landmarks were made by a
    model trained here: OWN_TRUST without ``trust``. left_out: counts, by the reason, pictures that
    cannot be read or in which no face is found, which are left out; without it the former raise
    DataError, and the latter are taken whole too.

    Raises ConfigError for a name that is no emotion.
    """
    prepared, kept = _prepare_all(faces, left_out)
    emotions = np.array([faces.samples[i].distribution(smoothing) for i in kept], np.float32)
    emotions = emotions.reshape(len(kept), len(EMOTIONS))
    usual = SET_TRUST if faces.pseudo_landmarks else 1.0
    samples = make_samples(
        [gray for gray, _, _ in prepared],
        crops=[crop for _, crop, _ in prepared],
        landmarks=np.array([points for _, _, points in prepared]).reshape(-1, 68, 2),
        emotions=emotions,
        weights=_balance(emotions, balance) * _draws(emotions, draws),
        trust=usual if trust is None else trust,
    )
    if own is not None and trust is None:
        samples.trust[own[kept]] = OWN_TRUST
    return samples


_Prepared: TypeAlias = "tuple[NDArray[np.uint8], Crop, NDArray[np.float32]]"


def _prepare_all(
    faces: FaceSet, left_out: Counter[str] | None
) -> tuple[list[_Prepared], NDArray[np.intp]]:
    """What is kept of each record, and the numbers of the records of which something is."""
    needed = not all(record.is_located for record in faces.samples)
    detector = create_detector() if needed else None
    prepared, kept = [], []
    unreadable = ""
    for i, record in enumerate(faces.samples):
        try:
            found = _prepare(record, detector, whole=faces.cropped or left_out is None)
        except DataError as error:
            if left_out is None:
                raise
            unreadable = unreadable or f"pictures that cannot be read, such as: {error}"
            left_out[unreadable] += 1
            continue
        if found is not None:
            prepared.append(found)
            kept.append(i)
        elif left_out is not None:
            left_out["pictures in which no face is found"] += 1
    return prepared, np.array(kept, np.intp)


def _place(record: FaceSample, image: Image, detector: Detector | None, whole: bool) -> Crop | None:
    if detector is None or record.is_located:
        return face_crop(record, image)
    found = detector.detect(image)
    if found:
        return largest(found)
    return face_crop(record, image) if whole else None


def _prepare(record: FaceSample, detector: Detector | None, *, whole: bool) -> _Prepared | None:
    """A record's grey picture, crop and landmarks (NaN: unknown), large pictures cut down.

    None where the detector finds no face, unless the ``whole`` picture is then taken for one.
    """
    image = record.image()
    gray, crop = image.gray(), _place(record, image, detector, whole)
    if crop is None:
        return None
    points = np.full((68, 2), np.nan, np.float32) if record.landmarks is None else record.landmarks
    if max(gray.shape) <= LARGEST:
        return gray, crop, points
    patch, local = surroundings(gray, crop)
    return patch, local, local.to_image(crop.to_crop(points, 1), 1).astype(np.float32)


def _balance(emotions: NDArray[np.float32], power: float) -> NDArray[np.float64]:
    """Draws an epoch by emotion; those of all pictures with a label are as many as there are."""
    known = np.isfinite(emotions).all(axis=1)
    weights = np.ones(len(emotions))
    if power and known.any():
        labels = emotions[known].argmax(axis=1)
        counts = np.maximum(np.bincount(labels, minlength=len(EMOTIONS)), 1)
        by_class = ((np.median(counts) / counts) ** power)[labels]
        weights[known] = by_class * (known.sum() / by_class.sum())
    return weights


def _draws(
    emotions: NDArray[np.float32], draws: float | Mapping[str, float]
) -> NDArray[np.float64]:
    if not isinstance(draws, Mapping):
        return np.full(len(emotions), float(draws))
    known = np.isfinite(emotions).all(axis=1)
    return np.where(known, by_emotion(draws, 1.0, "data: draws")[emotions.argmax(axis=1)], 1.0)


def by_emotion(values: Mapping[str, float], otherwise: float, entry: str) -> NDArray[np.float64]:
    """(7,) an entry of a configuration by the emotions' names; ``otherwise`` for those not named.

    Raises ConfigError for a name that is no emotion.
    """
    unknown = sorted(set(values) - set(EMOTIONS))
    if unknown:
        raise ConfigError(f"{entry}: {', '.join(unknown)} is none of {', '.join(EMOTIONS)}")
    return np.array([float(values.get(name, otherwise)) for name in EMOTIONS])


def class_prior(config: TrainConfig, root: Path) -> tuple[float, ...]:
    """Return the class frequencies that a logit-adjusted loss leaves out of the logits.

    They are those of the training set with the layout of the validation set, or of all labelled
    sets where none has it, each image counted once.

    Returns:
        (7,) shares, sum 1; empty without ``loss: logit_adjustment``.
    """
    if not config.loss.logit_adjustment:
        return ()
    wanted = (config.validate or {}).get("layout", "fer2013")
    entries = {
        name: values or {}
        for name, values in config.data.items()
        if name != "background" and (values or {}).get("layout", name) == wanted
    } or {name: values or {} for name, values in config.data.items() if name != "background"}
    distributions = []
    for name, values in entries.items():
        layout = layout_of(str(values.get("layout", name)))
        options = {key: values[key] for key in LAYOUTS[layout].options if key in values}
        faces = read(layout, root / str(values.get("path", name)), training=True, **options)
        smoothing = float({**DEFAULTS.get(layout, {}), **values}.get("smoothing", 0.0))
        distributions += [record.distribution(smoothing) for record in faces.samples]
    emotions = np.array(distributions)
    return tuple(class_frequencies(emotions, np.ones(len(emotions))).tolist())
