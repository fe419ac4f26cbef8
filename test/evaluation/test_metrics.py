"""Figures of merit against counts done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.evaluation import metrics


def test_confusion_accuracy_recall_and_f1_by_hand() -> None:
    """Truth 0 0 0 1 1, predicted 0 0 1 1 1: 4 of 5 right; recalls 2/3 and 1; F1 0.8 and 0.8."""
    confusion = metrics.confusion_matrix(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]), 3)
    np.testing.assert_array_equal(confusion, [[2, 1, 0], [0, 2, 0], [0, 0, 0]])
    assert metrics.accuracy(confusion) == pytest.approx(0.8)
    np.testing.assert_allclose(metrics.recalls(confusion), [2 / 3, 1.0, np.nan])
    assert metrics.macro_f1(confusion) == pytest.approx(0.8)


def test_landmark_error_is_in_outer_eye_distances() -> None:
    """Every point moved by a tenth of the distance of points 36 and 45."""
    face = MEAN_SHAPE[None] * 100
    distance = np.linalg.norm(face[0, 36] - face[0, 45])
    moved = face + np.array([0.1 * distance, 0.0])
    assert metrics.landmark_error(moved, face)[0] == pytest.approx(0.1)


def test_landmark_error_skips_unknown_points() -> None:
    face = MEAN_SHAPE[None] * 100
    distance = np.linalg.norm(face[0, 36] - face[0, 45])
    truth = face.copy()
    truth[0, 50:] = np.nan
    moved = face + np.array([0.1 * distance, 0.0])
    moved[0, 50:] += 1000.0
    assert metrics.landmark_error(moved, truth)[0] == pytest.approx(0.1)
    assert np.isnan(metrics.landmark_error(face * np.nan, face)[0])


def test_acceptance_at_one_percent_of_false_alarms() -> None:
    """100 negatives at 0.00 to 0.99: the threshold lets one pass; half of the faces lie above."""
    negatives = np.arange(100) / 100
    accepted, threshold = metrics.acceptance(np.array([0.5, 0.985, 0.999, 0.2]), negatives)
    assert 0.98 < threshold < 0.99
    assert np.mean(negatives > threshold) == pytest.approx(0.01)
    assert accepted == pytest.approx(0.5)


def test_calibration_error_by_hand() -> None:
    """Confidence 0.9 with half of the predictions right is 0.4 off."""
    confidence = np.full(10, 0.9)
    assert metrics.expected_calibration_error(confidence, np.arange(10) < 5) == pytest.approx(0.4)


def test_missed_faces_are_errors() -> None:
    """Two of class 0 found (one right), two more missed: recall 1/4, precision 1, F1 0.4."""
    confusion, missed = np.array([[1, 1], [0, 1]]), np.array([2, 0])
    assert metrics.accuracy(confusion, missed) == pytest.approx(2 / 5)
    np.testing.assert_allclose(metrics.recalls(confusion, missed), [1 / 4, 1])
    np.testing.assert_allclose(metrics.precisions(confusion), [1, 1 / 2])
    np.testing.assert_allclose(metrics.f1_scores(confusion, missed), [0.4, 2 / 3])
    assert metrics.macro_f1(confusion, missed) == pytest.approx((0.4 + 2 / 3) / 2)


def test_a_class_without_detections_counts_in_the_mean() -> None:
    assert metrics.macro_f1(np.array([[3, 0], [0, 0]]), np.array([0, 5])) == pytest.approx(0.5)


def test_metrics_without_images_are_nan() -> None:
    nothing = np.zeros((2, 2), int)
    assert np.isnan(metrics.macro_f1(nothing))
    assert np.isnan(metrics.accuracy(nothing))
    assert np.isnan(metrics.Proportion(0, 0).interval).all()


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_interval(right: int, n: int, low: float, high: float) -> None:
    """Published values, as in Newcombe 1998 and textbooks."""
    assert metrics.Proportion(right, n).interval == pytest.approx((low, high), abs=1e-4)


def test_reliability_by_hand() -> None:
    """Two bins: 4 predictions at 0.9, half of them right; 1 at 0.3, wrong."""
    curve = metrics.reliability(
        np.array([0.9, 0.9, 0.9, 0.9, 0.3]), np.array([True, True, False, False, False]), bins=10
    )
    np.testing.assert_array_equal(curve.count, [1, 4])
    np.testing.assert_allclose(curve.confidence, [0.3, 0.9])
    np.testing.assert_allclose(curve.accuracy, [0.0, 0.5])
    assert curve.error == pytest.approx((0.3 + 4 * 0.4) / 5)
