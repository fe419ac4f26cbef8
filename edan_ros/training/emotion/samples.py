"""What a training set is in memory, whatever its layout on disk was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS


@dataclass
class Samples:
    """n pictures with what is known of the one face that each is about.

    images: n grey pictures, (h, w) uint8. crops: n, where the face is, before any jitter.
    landmarks: (n, 68, 2) float32 pixels of the picture; NaN where unknown.
    emotions: (n, 7) float32 target distribution in the order of EMOTIONS; NaN where unknown.
    faces: (n,) float32, 1 for a face and 0 for a negative.
    weights: (n,) how often a picture is drawn in an epoch, relative to the others: an epoch
    draws ``weights.sum()`` pictures.
    trust: (n,) factor on the landmark loss, below 1 for labels made by a model.
    log_prior: (n, 7) log of the class frequencies among the draws of the set that the picture comes
    from; zeros where the set has no emotions.
    """

    images: list[NDArray[np.uint8]]
    crops: list[Crop]
    landmarks: NDArray[np.float32]
    emotions: NDArray[np.float32]
    faces: NDArray[np.float32]
    weights: NDArray[np.float64]
    trust: NDArray[np.float32]
    log_prior: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Indices of one epoch: every weight is the expected number of draws of its picture."""
        whole = np.floor(self.weights)
        count = whole + (rng.random(len(self)) < self.weights - whole)
        order = np.repeat(np.arange(len(self)), count.astype(np.intp))
        rng.shuffle(order)
        return order

    def subset(self, keep: NDArray) -> Samples:
        """The pictures of a boolean mask or of indices, in order."""
        index = np.flatnonzero(keep) if keep.dtype == bool else keep
        return Samples(
            [self.images[i] for i in index],
            [self.crops[i] for i in index],
            self.landmarks[index],
            self.emotions[index],
            self.faces[index],
            self.weights[index],
            self.trust[index],
            self.log_prior[index],
        )


def make_samples(
    images: Sequence[NDArray[np.uint8]],
    *,
    crops: Sequence[Crop],
    landmarks: NDArray[np.floating] | None = None,
    emotions: NDArray[np.floating] | None = None,
    face: bool = True,
    weights: NDArray[np.floating] | float = 1.0,
    trust: float = 1.0,
) -> Samples:
    """Samples with the unknown parts filled in as NaN."""
    n = len(images)
    if landmarks is None:
        landmarks = np.full((n, 68, 2), np.nan, np.float32)
    if emotions is None:
        emotions = np.full((n, len(EMOTIONS)), np.nan, np.float32)
    prior = class_frequencies(emotions, np.broadcast_to(weights, (n,)))
    return Samples(
        images=list(images),
        crops=list(crops),
        landmarks=np.asarray(landmarks, np.float32),
        emotions=np.asarray(emotions, np.float32),
        faces=np.full(n, float(face), np.float32),
        weights=np.broadcast_to(np.asarray(weights, np.float64), (n,)).copy(),
        trust=np.full(n, trust, np.float32),
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


def surroundings(
    gray: NDArray[np.uint8], crop: Crop, largest: int = 224
) -> tuple[NDArray[np.uint8], Crop]:
    """The surroundings of a crop with room for jitter, so that whole photographs are not kept.

    Returns a picture of at most ``largest`` pixels a side and the crop in its pixels.
    """
    reach = 1.1 * crop.side
    x0, y0 = np.maximum(np.floor(crop.center - reach), 0).astype(int)
    x1, y1 = np.maximum(np.ceil(crop.center + reach).astype(int) + 1, 1)
    patch = gray[y0:y1, x0:x1]
    scale = min(1.0, largest / max(patch.shape))
    if scale < 1.0:
        patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    center = (crop.center - (x0, y0) + 0.5) * scale - 0.5
    return np.ascontiguousarray(patch), Crop(center, crop.side * scale, crop.roll)


def concatenate(parts: Sequence[Samples]) -> Samples:
    """All parts, one behind the other."""
    return Samples(
        images=[image for part in parts for image in part.images],
        crops=[crop for part in parts for crop in part.crops],
        landmarks=np.concatenate([p.landmarks for p in parts]),
        emotions=np.concatenate([p.emotions for p in parts]),
        faces=np.concatenate([p.faces for p in parts]),
        weights=np.concatenate([p.weights for p in parts]),
        trust=np.concatenate([p.trust for p in parts]),
        log_prior=np.concatenate([p.log_prior for p in parts]),
    )
