"""Metrics of emotions, landmarks, presence and calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from edan_ros.core.geometry import outer_eye_distance


@dataclass(frozen=True)
class Proportion:
    """``hits`` of ``n`` independent trials."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """Share of hits, 0 to 1; NaN without trials."""
        return self.hits / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share (Wilson 1927); NaN without trials."""
        if not self.n:
            return math.nan, math.nan
        bounds = binomtest(self.hits, self.n).proportion_ci(method="wilson")
        return float(bounds.low), float(bounds.high)


def confusion_matrix(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Return (classes, classes) counts, a row per true class and a column per predicted one.

    truth, predicted: (n,) class indices.
    """
    flat = np.asarray(truth, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def accuracy(confusion: NDArray[np.integer], missed: NDArray[np.integer] | None = None) -> float:
    """Return the share of images on the diagonal, 0 to 1; NaN without images.

    missed: (classes,) further images of each class in which no face was found; they are errors.
    """
    total = _totals(confusion, missed).sum()
    return float(np.trace(confusion) / total) if total else math.nan


def recalls(
    confusion: NDArray[np.integer], missed: NDArray[np.integer] | None = None
) -> NDArray[np.float64]:
    """Return the (classes,) recalls, 0 to 1; NaN for a class without images."""
    return _share(np.diag(confusion), _totals(confusion, missed))


def precisions(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the (classes,) precisions, 0 to 1; NaN for a class that was never predicted."""
    return _share(np.diag(confusion), confusion.sum(axis=0))


def f1_scores(
    confusion: NDArray[np.integer], missed: NDArray[np.integer] | None = None
) -> NDArray[np.float64]:
    """Return the (classes,) F1 scores, 0 to 1; NaN for a class without images."""
    truth, predicted = _totals(confusion, missed), confusion.sum(axis=0)
    f1 = _share(2 * np.diag(confusion), truth + predicted)
    return np.where(truth > 0, f1, np.nan)


def macro_f1(confusion: NDArray[np.integer], missed: NDArray[np.integer] | None = None) -> float:
    """Return the mean F1 over the classes that have images, 0 to 1; NaN without images."""
    return finite_mean(f1_scores(confusion, missed))


def finite_mean(values: NDArray[np.floating]) -> float:
    """Return the mean over the finite values; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _totals(
    confusion: NDArray[np.integer], missed: NDArray[np.integer] | None
) -> NDArray[np.integer]:
    totals: NDArray[np.integer] = confusion.sum(axis=1)
    return totals if missed is None else totals + missed


def _share(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    share = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return np.asarray(share, np.float64)


def landmark_error(
    predicted: NDArray[np.floating], truth: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the (n,) mean point distances divided by the distance of the outer eye corners.

    predicted, truth: (n, 68, 2). Points of ``truth`` that are NaN do not count; the eye corners
    must be known.
    """
    distance = np.linalg.norm(np.asarray(predicted, np.float64) - truth, axis=2)
    known = np.isfinite(truth).all(axis=2)
    mean = np.where(known, distance, 0.0).sum(axis=1) / known.sum(axis=1)
    return np.asarray(mean / outer_eye_distance(truth))


def acceptance(
    faces: NDArray[np.floating], negatives: NDArray[np.floating], false_alarms: float = 0.01
) -> tuple[float, float]:
    """Return the share of faces accepted at a false-alarm rate, and the threshold that gives it.

    faces, negatives: (n,) presence scores of faces and of background.
    false_alarms: share of the negatives that is accepted.
    """
    threshold = float(np.quantile(negatives, 1.0 - false_alarms))
    return float(np.mean(faces > threshold)), threshold


@dataclass(frozen=True)
class Reliability:
    """Predictions in bins of equal width by confidence, 0 to 1; empty bins are left out.

    Attributes:
        count: (bins,) predictions.
        confidence: (bins,) their mean confidence.
        accuracy: (bins,) share of them that is right.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error (Guo et al. 2017, equation 3), 0 to 1; NaN if empty."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float(self.count @ gaps / self.count.sum()) if len(gaps) else math.nan


def reliability(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 15
) -> Reliability:
    """Return how often predictions of each confidence are right.

    confidence: (n,) probability of the predicted class. correct: (n,) whether it is right.
    """
    index = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    used = count > 0
    return Reliability(
        count[used],
        np.bincount(index, confidence, minlength=bins)[used] / count[used],
        np.bincount(index, correct, minlength=bins)[used] / count[used],
    )


def expected_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 15
) -> float:
    """Return the expected calibration error, see :class:`Reliability`. Both arguments (n,)."""
    return reliability(confidence, correct, bins).error
