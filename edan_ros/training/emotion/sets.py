"""The data sets of a configuration as one training set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.images import Image
from edan_ros.core.wording import did_you_mean, plural
from edan_ros.datasets import LAYOUTS, DataError, FaceSample, FaceSet, face_crop, read
from edan_ros.datasets.layouts import is_validation_only, layout_of
from edan_ros.detection.base import Detector
from edan_ros.detection.factory import create_detector
from edan_ros.evaluation.recognition import largest_crop
from edan_ros.training.common.config import (
    ConfigError,
    check_at_least,
    check_entries,
    refuse_unknown,
)
from edan_ros.training.common.run_log import terminal_progress
from edan_ros.training.emotion.config import RecogniserConfig
from edan_ros.training.emotion.negatives import background_crops
from edan_ros.training.emotion.pseudo_labels import with_landmarks
from edan_ros.training.emotion.samples import (
    TrainingSet,
    class_frequencies,
    concatenate,
    face_region,
    make_training_set,
)

#: Factor on the landmark loss of landmarks from a model: those that come with a data set, and
#: those from a model trained by this package.
SET_LANDMARK_WEIGHT, OWN_LANDMARK_WEIGHT = 0.5, 0.3
#: Images with a longer side, in pixels, are reduced to the region of the face.
LARGEST = 416
#: Entries of a data set by its layout, unless the configuration has them.
DEFAULTS: dict[str, dict[str, Any]] = {
    "fer2013": {"balance": 0.3},
    "muxspace": {"smoothing": 0.15, "sampling_weight": {"neutral": 0.4, "happy": 0.4}},
    "landmarks68": {"sampling_weight": 6},
}
#: Entries for every layout that are arguments of :func:`training_set_of`.
_COMMON = ("smoothing", "balance", "sampling_weight", "landmark_weight")


def load_training_set(
    data: Mapping[str, Mapping[str, Any] | None],
    root: Path,
    log: Callable[[str], None] | None = None,
) -> TrainingSet:
    """Load every data set of a configuration, one after the other.

    Args:
        data: name -> entries. The name is the layout and the folder under ``root``, unless the
            entries name a ``layout`` or a ``path`` (under ``root`` unless absolute). The name
            ``background`` stands for crops without a face. ``max_images`` limits a set,
            ``landmarks`` names a model that adds missing landmarks; for others see
            :func:`training_set_of` and the readers of the layouts.
        root: folder of the data sets.
        log: called with a line before and after each set is read.

    Raises:
        ConfigError: for an impossible entry.
        DataError: for a folder that does not have the layout.
    """
    entries = {name: _checked(name, values, root) for name, values in data.items()}
    parts = []
    for name, options in entries.items():
        if log is not None:
            log(f"{name}: reading")
        if name == "background":
            options["detector"] = root / options["detector"]
            parts.append(background_crops(root / "landmarks68", held_out=False, **options))
        else:
            parts.append(_load(name, options, root, log))
    if not parts:
        raise ConfigError("data: names no data set")
    return concatenate(parts)


@dataclass(frozen=True)
class _Entries:
    """Entries of every data set; all others are options of the layout's reader."""

    layout: str = ""
    path: str = ""
    max_images: int | None = None
    landmarks: str | None = None
    smoothing: float = 0.0
    balance: float = 0.0
    sampling_weight: float | dict[str, float] = 1.0
    landmark_weight: float | None = None


def _checked(name: str, values: Any, root: Path) -> dict[str, Any]:
    """Return the entries of a data set. Raises ConfigError for an impossible one."""
    where = f"data: {name}"
    values = {} if values is None else values
    if name == "background":
        options = check_entries(background_crops, values, where, ("folder", "held_out"))
        check_at_least(where, crops_per_image=(options["crops_per_image"], 1))
        return options
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: should hold a mapping of entries, not {values!r}")
    layout, path = _layout_and_path(name, values, root)
    if is_validation_only(layout, path):
        raise ConfigError(f"{where}: {path} is for validation only; remove it from data")
    common = {field.name for field in fields(_Entries)}
    refuse_unknown(values, [*common, *LAYOUTS[layout].options], where)
    shared = {key: value for key, value in values.items() if key in common}
    entries = _Entries(**check_entries(_Entries, shared, where))
    weights = entries.sampling_weight
    if isinstance(weights, dict):
        _check_weights(weights, f"{where}: sampling_weight")
        weights = 1.0
    if not 0.0 <= entries.smoothing <= 1.0:
        raise ConfigError(f"{where}: smoothing is {entries.smoothing:g}; it should be from 0 to 1")
    check_at_least(
        where,
        balance=(entries.balance, 0),
        sampling_weight=(weights, 0),
        landmark_weight=(entries.landmark_weight or 0, 0),
        max_images=(1 if entries.max_images is None else entries.max_images, 1),
    )
    own = {"part": LAYOUTS[layout].train} if LAYOUTS[layout].train else {}
    own |= {key: value for key, value in values.items() if key not in common}
    own = check_entries(LAYOUTS[layout].read, own, where, ("path",))
    return own | {key: getattr(entries, key) for key in shared}


def _check_weights(weights: dict[str, float], where: str) -> None:
    for name, weight in weights.items():
        if name not in EMOTIONS:
            hint = did_you_mean(str(name), EMOTIONS)
            raise ConfigError(f"{where}: {name} is none of {', '.join(EMOTIONS)}{hint}")
        if isinstance(weight, bool) or not isinstance(weight, (int, float)):
            raise ConfigError(f"{where}: {name} is {weight!r}; it should be a number")
        check_at_least(where, **{name: (weight, 0)})


def _layout_and_path(name: str, options: Mapping[str, Any], root: Path) -> tuple[str, Path]:
    try:
        layout = layout_of(str(options.get("layout", name)))
    except DataError as error:
        raise ConfigError(f"data: {name}: {error}; or background") from error
    return layout, root / str(options.get("path", name))


def _load(
    name: str, options: dict[str, Any], root: Path, log: Callable[[str], None] | None
) -> TrainingSet:
    layout, path = _layout_and_path(name, options, root)
    given = {key: value for key, value in options.items() if key not in ("layout", "path")}
    options = {**DEFAULTS.get(layout, {}), **given}
    common = {key: options.pop(key) for key in _COMMON if key in options}
    model, max_images = options.pop("landmarks", None), options.pop("max_images", None)
    faces = read(layout, path, training=True, **options)
    if max_images is not None:
        faces = faces.subset(max_images)
    own = None
    if model is not None:
        faces, own = with_landmarks(faces, model)
    left_out: Counter[str] = Counter()
    training_set = training_set_of(faces, own=own, left_out=left_out, title=name, **common)
    if log is not None:
        notes = [*faces.notes, *(f"left out: {what} ({n})" for what, n in left_out.items())]
        log("; ".join([f"{name}: {faces.about}: {plural(len(training_set), 'image')}", *notes]))
    if not len(training_set):
        raise DataError(f"{path}: no image of {name} can be used: {'; '.join(left_out)}")
    return training_set


def training_set_of(
    faces: FaceSet,
    *,
    smoothing: float = 0.0,
    balance: float = 0.0,
    sampling_weight: float | Mapping[str, float] = 1.0,
    landmark_weight: float | None = None,
    own: NDArray[np.bool_] | None = None,
    left_out: Counter[str] | None = None,
    title: str = "images",
) -> TrainingSet:
    """Return a data set in memory, with NaN for missing annotations.

    Faces without an annotated place are detected, and the largest one is used. Without a
    detection, the whole image is used if the data set is cropped to faces.

    Args:
        faces: the data set.
        smoothing: share of a label that is spread over all emotions, 0 to 1.
        balance: exponent of (median count / count), by which rarer emotions are sampled more.
        sampling_weight: expected samples of each image per epoch, or of each emotion by name (1
            for those not named).
        landmark_weight: factor on the landmark loss; by default 1 for human landmarks and
            SET_LANDMARK_WEIGHT for others.
        own: (n,) whether landmarks are from a model trained by this package, for which the
            default is OWN_LANDMARK_WEIGHT.
        left_out: counts images by the reason why they are left out: they cannot be read, or no
            face is detected. Without it, the former raise DataError, and of the latter the whole
            image is used.
        title: of the progress bar, in a terminal.

    """
    prepared, kept = _prepare_all(faces, left_out, title)
    emotions = np.array([faces.samples[i].distribution(smoothing) for i in kept], np.float32)
    emotions = emotions.reshape(len(kept), len(EMOTIONS))
    shares = np.array([faces.samples[i].class_shares(smoothing) for i in kept], np.float32)
    weights = _balance(emotions, balance) * _sampling_weights(emotions, sampling_weight)
    usual = SET_LANDMARK_WEIGHT if faces.pseudo_landmarks else 1.0
    training_set = make_training_set(
        [gray for gray, _, _ in prepared],
        crops=[crop for _, crop, _ in prepared],
        landmarks=np.array([points for _, _, points in prepared]).reshape(-1, 68, 2),
        emotions=emotions,
        sampling_weights=weights,
        class_shares=shares.reshape(emotions.shape),
        landmark_weight=usual if landmark_weight is None else landmark_weight,
    )
    if own is not None and landmark_weight is None:
        training_set.landmark_weights[own[kept]] = OWN_LANDMARK_WEIGHT
    return training_set


#: Grey image, crop and landmarks of a sample.
_Prepared: TypeAlias = "tuple[NDArray[np.uint8], Crop, NDArray[np.float32]]"


def _prepare_all(
    faces: FaceSet, left_out: Counter[str] | None, title: str
) -> tuple[list[_Prepared], NDArray[np.intp]]:
    """Return all samples that can be used, and their indices."""
    located = all(sample.is_located for sample in faces.samples)
    detector = None if located else create_detector()
    prepared, kept = [], []
    unreadable = ""
    for i, sample in enumerate(terminal_progress(faces.samples, title)):
        try:
            found = _prepare(sample, detector, whole=faces.cropped or left_out is None)
        except DataError as error:
            if left_out is None:
                raise
            unreadable = unreadable or f"images that cannot be read, such as: {error}"
            left_out[unreadable] += 1
            continue
        if found is not None:
            prepared.append(found)
            kept.append(i)
        elif left_out is not None:
            left_out["images without a detected face"] += 1
    return prepared, np.array(kept, np.intp)


def _prepare(sample: FaceSample, detector: Detector | None, *, whole: bool) -> _Prepared | None:
    """Return a sample with NaN for unknown landmarks, and large images reduced to the face.

    None without a detected face, unless the ``whole`` image is used then.
    """
    image = sample.image()
    gray, crop = image.gray(), _find_crop(sample, image, detector, whole)
    if crop is None:
        return None
    points = np.full((68, 2), np.nan, np.float32) if sample.landmarks is None else sample.landmarks
    if max(gray.shape) <= LARGEST:
        return gray, crop, points
    region, local = face_region(gray, crop)
    return region, local, local.to_image(crop.to_crop(points, 1), 1).astype(np.float32)


def _find_crop(
    sample: FaceSample, image: Image, detector: Detector | None, whole: bool
) -> Crop | None:
    if detector is None or sample.is_located:
        return face_crop(sample, image)
    found = detector.detect(image)
    if found:
        return largest_crop(found)
    return face_crop(sample, image) if whole else None


def _balance(emotions: NDArray[np.float32], power: float) -> NDArray[np.float64]:
    """Return factors by emotion whose mean over the labelled samples is 1."""
    known = np.isfinite(emotions).all(axis=1)
    weights = np.ones(len(emotions))
    if power and known.any():
        labels = emotions[known].argmax(axis=1)
        counts = np.maximum(np.bincount(labels, minlength=len(EMOTIONS)), 1)
        by_class = ((np.median(counts) / counts) ** power)[labels]
        weights[known] = by_class * (known.sum() / by_class.sum())
    return weights


def _sampling_weights(
    emotions: NDArray[np.float32], weight: float | Mapping[str, float]
) -> NDArray[np.float64]:
    if not isinstance(weight, Mapping):
        return np.full(len(emotions), float(weight))
    by_emotion = np.array([float(weight.get(name, 1.0)) for name in EMOTIONS])
    known = np.isfinite(emotions).all(axis=1)
    return np.where(known, by_emotion[emotions.argmax(axis=1)], 1.0)


def class_prior(config: RecogniserConfig, root: Path) -> tuple[float, ...]:
    """Return the class frequencies that a logit-adjusted loss leaves out of the logits.

    They are those of the training set with the layout of the validation set, or of all labelled
    sets where none has it, each image counted once.

    Returns:
        (7,) shares, sum 1; empty without ``loss: logit_adjustment``.
    """
    if not config.loss.logit_adjustment:
        return ()
    entries = {n: values or {} for n, values in config.data.items() if n != "background"}
    wanted = (config.validate or {}).get("layout", "fer2013")
    same = {n: values for n, values in entries.items() if values.get("layout", n) == wanted}
    shares = []
    for name, values in (same or entries).items():
        layout, path = _layout_and_path(name, values, root)
        options = {key: values[key] for key in LAYOUTS[layout].options if key in values}
        faces = read(layout, path, training=True, **options)
        smoothing = float({**DEFAULTS.get(layout, {}), **values}.get("smoothing", 0.0))
        shares += [sample.class_shares(smoothing) for sample in faces.samples]
    return tuple(class_frequencies(np.array(shares), np.ones(len(shares))).tolist())
