"""Figures of merit against counts done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.evaluation import metrics


def test_confusion_accuracy_recall_and_f1_by_hand() -> None:
    """Truth 0 0 0 1 1, said 0 0 1 1 1: 4 of 5 right; recalls 2/3 and 1; F1 0.8 and 0.8."""
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


def test_acceptance_at_one_percent_of_false_alarms() -> None:
    """100 negatives at 0.00 to 0.99: the threshold lets one pass; half of the faces lie above."""
    negatives = np.arange(100) / 100
    accepted, threshold = metrics.acceptance(np.array([0.5, 0.985, 0.999, 0.2]), negatives)
    assert 0.98 < threshold < 0.99
    assert np.mean(negatives > threshold) == pytest.approx(0.01)
    assert accepted == pytest.approx(0.5)


def test_calibration_error_by_hand() -> None:
    """Confidence 0.9 with half of the answers right is 0.4 off."""
    confidence = np.full(10, 0.9)
    assert metrics.expected_calibration_error(confidence, np.arange(10) < 5) == pytest.approx(0.4)
