"""Figures of merit of emotion, landmarks and presence. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import outer_eye_distance


def confusion_matrix(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """(classes, classes) counts: row the truth, column the prediction. Both arguments (n,)."""
    flat = np.asarray(truth, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def accuracy(confusion: NDArray[np.integer], missed: NDArray[np.integer] | None = None) -> float:
    """Share of pictures on the diagonal, 0 to 1; NaN without pictures.

    missed: (classes,) further pictures of each class in which no face was found: all wrong.
    """
    total = _totals(confusion, missed).sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def recalls(
    confusion: NDArray[np.integer], missed: NDArray[np.integer] | None = None
) -> NDArray[np.float64]:
    """(classes,) recall of each class; NaN for a class without pictures."""
    return _share(np.diag(confusion), _totals(confusion, missed))


def precisions(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    """(classes,) precision of each class; NaN for a class that was never said."""
    return _share(np.diag(confusion), confusion.sum(axis=0))


def f1_scores(
    confusion: NDArray[np.integer], missed: NDArray[np.integer] | None = None
) -> NDArray[np.float64]:
    """(classes,) F1 of each class, 0 to 1; NaN for a class without pictures."""
    truth, said = _totals(confusion, missed), confusion.sum(axis=0)
    f1 = _share(2 * np.diag(confusion), truth + said)
    return np.where(truth > 0, f1, np.nan)


def macro_f1(confusion: NDArray[np.integer], missed: NDArray[np.integer] | None = None) -> float:
    """Mean F1 over the classes that have pictures, 0 to 1; NaN without pictures."""
    scores = f1_scores(confusion, missed)
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else float("nan")


def _totals(
    confusion: NDArray[np.integer], missed: NDArray[np.integer] | None
) -> NDArray[np.integer]:
    return confusion.sum(axis=1) + (0 if missed is None else missed)


def _share(part: NDArray[np.integer], whole: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of ``right`` in ``n`` independent pictures (Wilson 1927).

    NaN without pictures.
    """
    if not n:
        return float("nan"), float("nan")
    z = 1.959964  # the normal distribution holds 95 % within so many deviations
    middle = (right + z * z / 2) / (n + z * z)
    reach = z / (n + z * z) * np.sqrt(right * (n - right) / n + z * z / 4)
    return float(middle - reach), float(middle + reach)


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


@dataclass(frozen=True)
class Reliability:
    """Answers sorted by confidence into equal-width bins from 0 to 1, those without any left out.

    count, confidence, accuracy: (bins,) answers, their mean confidence, and the share of them
    that is right. error: the expected calibration error.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def error(self) -> float:
        """ECE (Guo et al. 2017, equation 3), 0 to 1; NaN without answers."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float(self.count @ gaps / self.count.sum()) if len(gaps) else float("nan")


def reliability(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 15
) -> Reliability:
    """How often answers of each confidence are right. Both arguments (n,), by top confidence."""
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
    """ECE (Guo et al. 2017, equation 3) over equal-width bins of the top confidence (n,)."""
    return reliability(confidence, correct, bins).error
