"""Figures of merit of emotion, landmarks and presence. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import outer_eye_distance


def confusion_matrix(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """(classes, classes) counts: row the truth, column the prediction. Both arguments (n,)."""
    flat = np.asarray(truth, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def accuracy(confusion: NDArray[np.integer]) -> float:
    """Share of pictures on the diagonal, 0 to 1; NaN without pictures."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def recalls(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    """(classes,) recall of each class; NaN for a class without pictures."""
    total = confusion.sum(axis=1).astype(np.float64)
    return np.divide(np.diag(confusion), total, out=np.full(len(total), np.nan), where=total > 0)


def macro_f1(confusion: NDArray[np.integer]) -> float:
    """Mean F1 over the classes that have pictures, 0 to 1."""
    hits = np.diag(confusion).astype(np.float64)
    truth, said = confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = np.divide(2 * hits, truth + said, out=np.zeros_like(hits), where=(truth + said) > 0)
    return float(f1[truth > 0].mean())


def landmark_error(
    predicted: NDArray[np.floating], truth: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(n,) mean point distance over the distance of the outer eye corners; both (n, 68, 2)."""
    distance = np.linalg.norm(np.asarray(predicted, np.float64) - truth, axis=2).mean(axis=1)
    return distance / outer_eye_distance(truth)


def acceptance(
    faces: NDArray[np.floating], negatives: NDArray[np.floating], false_alarms: float = 0.01
) -> tuple[float, float]:
    """Share of ``faces`` accepted where ``false_alarms`` of the ``negatives`` are, and the
    presence threshold that does it. Both arguments are presence scores (n,)."""
    threshold = float(np.quantile(negatives, 1.0 - false_alarms))
    return float(np.mean(faces > threshold)), threshold


def expected_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 15
) -> float:
    """ECE (Guo et al. 2017, equation 3) over equal-width bins of the top confidence (n,)."""
    index = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    gap = np.bincount(index, np.asarray(confidence) - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))
