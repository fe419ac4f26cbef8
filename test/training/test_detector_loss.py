"""The detector's loss by hand, and that it leads a network to a face."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.networks.face_detector import DetectorOutput  # noqa: E402
from edan_ros.training.detector.loss import (  # noqa: E402
    DetectorWeights,
    detector_loss,
    focal_loss,
    generalised_iou,
)


def test_focal_loss_by_hand() -> None:
    """At p = 0.5 a face costs balance * 0.25 * ln 2, background (1 - balance) * 0.25 * ln 2."""
    loss = focal_loss(torch.zeros(3), torch.tensor([1.0, 0.0, -1.0]), 0.3, 2.0)
    unit = 0.25 * math.log(2)
    assert loss.tolist() == pytest.approx([0.3 * unit, 0.7 * unit, 0.0])


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0, 0, 10, 10], 1.0),
        ([0, 5, 10, 10], 50 / 150),
        ([10, 0, 10, 10], 0.0),
        ([20, 0, 10, 10], 0.0 - 100 / 300),
    ],
)
def test_generalised_iou_by_hand(other: list[float], expected: float) -> None:
    a, b = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([other], dtype=torch.float32)
    assert generalised_iou(a, b).item() == pytest.approx(expected, abs=1e-6)


def cell(logit: float, score: float) -> tuple[DetectorOutput, dict]:
    box = torch.tensor([[[4.0, 4.0, 20.0, 20.0]]])
    points = torch.ones(1, 1, 5, 2)
    found = DetectorOutput(torch.tensor([[logit]]), box, points)
    return found, {"score": torch.tensor([[score]]), "box": box.clone(), "points": points.clone()}


def test_a_right_answer_costs_nothing() -> None:
    losses = detector_loss(*cell(20.0, 1.0), DetectorWeights())
    assert losses.total.item() == pytest.approx(0.0, abs=1e-5)


def test_points_count_in_sizes_of_the_face() -> None:
    found, batch = cell(20.0, 1.0)
    batch["points"] += 5.0
    assert detector_loss(found, batch, DetectorWeights()).points.item() == pytest.approx(0.25)


def test_cells_without_a_face_have_no_box_to_learn() -> None:
    found, batch = cell(0.0, 0.0)
    batch["box"] += 100.0
    losses = detector_loss(found, batch, DetectorWeights())
    assert losses.box.item() == losses.points.item() == 0.0
    assert losses.score.item() > 0.0


def test_small_faces_count_as_often_as_asked() -> None:
    """The cell's face has 20 pixels: below the limit all its terms but the points double."""
    found, batch = cell(0.0, 1.0)
    batch["box"] += torch.tensor([2.0, 0.0, 0.0, 0.0])
    one = detector_loss(found, batch, DetectorWeights())
    two = detector_loss(found, batch, DetectorWeights(small=2.0, small_px=21.0))
    same = detector_loss(found, batch, DetectorWeights(small=2.0, small_px=20.0))
    assert two.score.item() == pytest.approx(2 * one.score.item())
    assert two.box.item() == pytest.approx(2 * one.box.item())
    assert same.total.item() == pytest.approx(one.total.item())
