"""A training set in memory, whatever its layout on disk, and the samples of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edan_ros.core.action_units import ACTION_UNITS, ActionUnitEstimator
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.training.emotion.augment import Augmentation, augment


@dataclass
class TrainingSet:
    """n images, each with the annotation of one face.

    Attributes:
        images: n grey images, (h, w) uint8.
        crops: n crops of the face, before jitter.
        landmarks: (n, 68, 2) float32 pixels of the image; NaN where unknown.
        emotions: (n, 7) float32 target distributions over EMOTIONS; NaN where unknown.
        faces: (n,) float32, 1 for a face and 0 for background.
        sampling_weights: (n,) how often an image is expected in an epoch, whose length is their
            sum.
        landmark_weights: (n,) factor on the landmark loss, below 1 for landmarks from a model.
        log_prior: (n, 7) logarithm of the class frequencies of the data set of each image.
    """

    images: list[NDArray[np.uint8]]
    crops: list[Crop]
    landmarks: NDArray[np.float32]
    emotions: NDArray[np.float32]
    faces: NDArray[np.float32]
    sampling_weights: NDArray[np.float64]
    landmark_weights: NDArray[np.float32]
    log_prior: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def epoch_indices(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the shuffled indices of one epoch, on average ``sampling_weights`` of each."""
        whole = np.floor(self.sampling_weights)
        count = whole + (rng.random(len(self)) < self.sampling_weights - whole)
        order = np.repeat(np.arange(len(self)), count.astype(np.intp))
        rng.shuffle(order)
        return order

    def subset(self, keep: NDArray[np.bool_] | NDArray[np.integer]) -> TrainingSet:
        """Return the images of a boolean mask or of indices, in order."""
        index = np.flatnonzero(keep) if keep.dtype == bool else keep

        def chosen(values: Any) -> Any:
            return [values[i] for i in index] if isinstance(values, list) else values[index]

        return TrainingSet(**{f.name: chosen(getattr(self, f.name)) for f in fields(self)})


def make_training_set(
    images: Sequence[NDArray[np.uint8]],
    *,
    crops: Sequence[Crop],
    landmarks: NDArray[np.floating] | None = None,
    emotions: NDArray[np.floating] | None = None,
    face: bool = True,
    sampling_weights: NDArray[np.floating] | float = 1.0,
    landmark_weight: float = 1.0,
    class_shares: NDArray[np.floating] | None = None,
) -> TrainingSet:
    """Return a training set with NaN for what is unknown; shapes as in :class:`TrainingSet`.

    Args:
        class_shares: (n, 7) by which the class frequencies are counted; ``emotions`` by default.
    """
    n = len(images)
    if landmarks is None:
        landmarks = np.full((n, 68, 2), np.nan, np.float32)
    if emotions is None:
        emotions = np.full((n, len(EMOTIONS)), np.nan, np.float32)
    weights = np.broadcast_to(np.asarray(sampling_weights, np.float64), (n,)).copy()
    prior = class_frequencies(emotions if class_shares is None else class_shares, weights)
    return TrainingSet(
        images=list(images),
        crops=list(crops),
        landmarks=np.asarray(landmarks, np.float32),
        emotions=np.asarray(emotions, np.float32),
        faces=np.full(n, float(face), np.float32),
        sampling_weights=weights,
        landmark_weights=np.full(n, landmark_weight, np.float32),
        log_prior=np.tile(np.log(prior).astype(np.float32), (n, 1)),
    )


def class_frequencies(
    emotions: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the share of each class among weighted samples.

    Args:
        emotions: (n, 7) target distributions; rows with NaN are left out.
        weights: (n,) sampling weights.

    Returns:
        (7,) shares, sum 1; uniform without a labelled sample. A class that never occurs gets a
        share of 1e-4 before normalisation, so that its logarithm is finite.
    """
    known = np.isfinite(emotions).all(axis=1)
    if not known.any():
        return np.full(len(EMOTIONS), 1.0 / len(EMOTIONS))
    total = (np.asarray(emotions)[known] * np.asarray(weights)[known, None]).sum(axis=0)
    shares = np.maximum(total / total.sum(), 1e-4)
    return np.asarray(shares / shares.sum(), np.float64)


def face_region(
    gray: NDArray[np.uint8], crop: Crop, largest: int = 224
) -> tuple[NDArray[np.uint8], Crop]:
    """Return the region around a crop with room for jitter, so that photographs need no memory.

    The region has at most ``largest`` pixels a side; the crop is returned in its pixels.
    """
    reach = 1.1 * crop.side
    x0, y0 = np.maximum(np.floor(crop.center - reach), 0).astype(int)
    x1, y1 = np.maximum(np.ceil(crop.center + reach).astype(int) + 1, 1)
    region = gray[y0:y1, x0:x1]
    scale = min(1.0, largest / max(region.shape))
    if scale < 1.0:
        resized = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        region = np.asarray(resized, np.uint8)
    center = (crop.center - (x0, y0) + 0.5) * scale - 0.5
    return np.ascontiguousarray(region), Crop(center, crop.side * scale, crop.roll)


def concatenate(parts: Sequence[TrainingSet]) -> TrainingSet:
    """Return one training set of all parts, in order."""

    def joined(values: list[Any]) -> Any:
        return list(chain(*values)) if isinstance(values[0], list) else np.concatenate(values)

    names = [f.name for f in fields(TrainingSet)]
    return TrainingSet(**{name: joined([getattr(part, name) for part in parts]) for name in names})


def epoch_length(training_set: TrainingSet, *, samples: int = 0, views: int = 1) -> int:
    """Return the length of an epoch, without ``samples`` its mean; arguments as of EpochData."""
    return samples or views * round(training_set.sampling_weights.sum())


class EpochData(Dataset[dict[str, Any]]):
    """The augmented samples of one epoch.

    Sample i depends on the seed, the epoch and i alone, not on the process that computes it.

    Args:
        training_set: the images to sample from.
        size: side of the crops in pixels.
        options: how they are augmented.
        seed, epoch: decide the order and the augmentation.
        samples: length of the epoch, 0 for all indices of :meth:`TrainingSet.epoch_indices`.
        views: how often in a row each image is sampled, with another augmentation each time.
        units: whether samples hold action units.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        size: int,
        options: Augmentation,
        seed: int,
        epoch: int,
        *,
        samples: int = 0,
        views: int = 1,
        units: bool = False,
    ) -> None:
        self.training_set, self.size, self.options = training_set, size, options
        self.units = units
        self.key = (seed, epoch)
        indices = training_set.epoch_indices(np.random.default_rng(self.key))
        self.order = np.repeat(indices, views)[: samples or None]

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> dict[str, Any]:
        """Return sample i: crop (S, S) uint8 and the labels of the loss, see ``loss_terms``."""
        data, index = self.training_set, int(self.order[i])
        face = augment(
            data.images[index],
            data.crops[index],
            data.landmarks[index],
            data.emotions[index],
            self.size,
            np.random.default_rng((*self.key, i)),
            self.options,
            has_face=bool(data.faces[index]),
        )
        sample = {
            "crop": face.pixels,
            "landmarks": face.landmarks,
            "emotion": face.emotion,
            "face": np.float32(face.has_face),
            "landmark_weight": data.landmark_weights[index],
            "log_prior": data.log_prior[index],
        }
        if self.units:
            sample["units"] = action_units(face.landmarks)
        return sample


def action_units(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each of ACTION_UNITS by (68, 2) landmarks against an average neutral face.

    Returns:
        (U,) intensities, 0 to 1; NaN without landmarks.
    """
    found = ActionUnitEstimator().update(landmarks, 0.0)
    return np.array([found.get(name, np.nan) for name in ACTION_UNITS], np.float32)
