"""The detector's loss against values worked out by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.networks.face_detector import DetectorOutput  # noqa: E402
from edan_ros.training.detector.loss import (  # noqa: E402
    DetectorLossWeights,
    box_loss,
    detector_loss,
    focal_loss,
)


def test_focal_loss_by_hand() -> None:
    """At p = 0.5 a face costs balance * 0.25 * ln 2, background (1 - balance) * 0.25 * ln 2."""
    loss = focal_loss(torch.zeros(3), torch.tensor([1.0, 0.0, -1.0]), 0.3, 2.0)
    unit = 0.25 * math.log(2)
    assert loss.tolist() == pytest.approx([0.3 * unit, 0.7 * unit, 0.0])


def test_focal_loss_equals_its_formula() -> None:
    """Alpha-balanced cross-entropy times (1 - p_t) ** gamma, and so its gradient."""
    generator = torch.Generator().manual_seed(0)
    logits = 4.0 * torch.randn(500, generator=generator, dtype=torch.float64)
    logits.requires_grad_()
    target = torch.randint(-1, 2, (500,), generator=generator).double()
    probability, truth = logits.sigmoid(), target.clamp_min(0.0)
    right = torch.where(truth > 0, probability, 1.0 - probability)
    alpha = torch.where(truth > 0, 0.3, 0.7)
    expected = -alpha * (1 - right) ** 2 * right.log() * (target >= 0)
    loss = focal_loss(logits, target, 0.3, 2.0)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-6)
    gradients = [torch.autograd.grad(value.sum(), logits)[0] for value in (loss, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_box_loss_equals_its_formula() -> None:
    """1 - IoU + the share of the enclosing box that neither box fills."""
    a, b = torch.rand(2, 300, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a[:, 2:], b[:, 2:] = a[:, 2:] + 0.05, b[:, 2:] + 0.05
    low, high = torch.maximum(a, b)[:, :2], torch.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    shared = (high - low).clamp_min(0).prod(dim=1)
    union = a[:, 2:].prod(dim=1) + b[:, 2:].prod(dim=1) - shared
    outer = torch.maximum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]) - torch.minimum(a, b)[:, :2]
    outer = outer.prod(dim=1)
    expected = 1.0 - shared / union + (outer - union) / outer
    torch.testing.assert_close(box_loss(a, b), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0, 0, 10, 10], 1.0),
        ([0, 5, 10, 10], 50 / 150),
        ([10, 0, 10, 10], 0.0),
        ([20, 0, 10, 10], 0.0 - 100 / 300),
    ],
)
def test_box_loss_by_hand(other: list[float], expected: float) -> None:
    a, b = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([other], dtype=torch.float32)
    assert box_loss(a, b).item() == pytest.approx(1.0 - expected, abs=1e-6)


def cell(logit: float, score: float) -> tuple[DetectorOutput, dict]:
    box = torch.tensor([[[4.0, 4.0, 20.0, 20.0]]])
    points = torch.ones(1, 1, 5, 2)
    found = DetectorOutput(torch.tensor([[logit]]), box, points)
    return found, {"score": torch.tensor([[score]]), "box": box.clone(), "points": points.clone()}


def test_a_correct_prediction_has_no_loss() -> None:
    losses = detector_loss(*cell(20.0, 1.0), DetectorLossWeights())
    assert losses["total"].item() == pytest.approx(0.0, abs=1e-5)


def test_distances_of_points_are_relative_to_the_face() -> None:
    found, batch = cell(20.0, 1.0)
    batch["points"] += 5.0
    assert detector_loss(found, batch, DetectorLossWeights())["points"].item() == pytest.approx(
        0.25
    )


def test_cells_without_a_face_have_no_box_loss() -> None:
    found, batch = cell(0.0, 0.0)
    batch["box"] += 100.0
    losses = detector_loss(found, batch, DetectorLossWeights())
    assert losses["box"].item() == losses["points"].item() == 0.0
    assert losses["score"].item() > 0.0


def test_small_faces_are_weighted() -> None:
    """The face has 20 pixels: below the limit, its score and box terms double."""
    found, batch = cell(0.0, 1.0)
    batch["box"] += torch.tensor([2.0, 0.0, 0.0, 0.0])
    one = detector_loss(found, batch, DetectorLossWeights())
    two = detector_loss(found, batch, DetectorLossWeights(small=2.0, small_px=21.0))
    same = detector_loss(found, batch, DetectorLossWeights(small=2.0, small_px=20.0))
    assert two["score"].item() == pytest.approx(2 * one["score"].item())
    assert two["box"].item() == pytest.approx(2 * one["box"].item())
    assert same["total"].item() == pytest.approx(one["total"].item())
