"""The joint loss against figures worked out by hand, and its masks."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="losses need the train extra (torch)")

from edan_ros.core.geometry import MEAN_SHAPE, pupil_distance  # noqa: E402
from edan_ros.networks.emotional_dan import Output  # noqa: E402
from edan_ros.training.losses import LossWeights, joint_loss, landmark_error  # noqa: E402

FACE = torch.tensor(MEAN_SHAPE, dtype=torch.float32)[None] * 50


def output(landmarks: torch.Tensor, logits: torch.Tensor, presence: torch.Tensor) -> Output:
    empty = torch.zeros(0)
    return Output(landmarks, logits, presence, empty, empty, (landmarks,), None)


def batch(n: int) -> dict[str, torch.Tensor]:
    return {
        "landmarks": FACE.repeat(n, 1, 1),
        "emotion": torch.eye(7)[:1].repeat(n, 1),
        "face": torch.ones(n),
        "trust": torch.ones(n),
    }


@pytest.mark.parametrize("subset", [68, 51, 42, 32])
def test_landmark_error_of_a_shift(subset: int) -> None:
    """All points moved by (3, 4) are 5 pixels off, whatever the subset."""
    moved = FACE + torch.tensor([3.0, 4.0])
    expected = 5.0 / float(pupil_distance(FACE.numpy())[0])
    assert landmark_error(moved, FACE, subset).item() == pytest.approx(expected, rel=1e-4)


def test_joint_loss_by_hand() -> None:
    """alpha 0.4 times the error, beta 0.6 times ln 7 for equal logits, presence ln 2."""
    out = output(FACE + torch.tensor([3.0, 4.0]), torch.zeros(1, 7), torch.zeros(1))
    losses = joint_loss(out, batch(1), LossWeights(presence=0.2))
    error = 5.0 / float(pupil_distance(FACE.numpy())[0])
    assert losses.emotion.item() == pytest.approx(math.log(7), rel=1e-5)
    assert losses.total.item() == pytest.approx(
        0.4 * error + 0.6 * math.log(7) + 0.2 * math.log(2), rel=1e-4
    )


def test_unknown_labels_give_no_loss_and_no_gradient() -> None:
    """A picture without landmarks and emotion teaches presence alone."""
    landmarks = (FACE + 7.0).repeat(2, 1, 1).requires_grad_()
    logits = torch.randn(2, 7, requires_grad=True)
    labels = batch(2)
    labels["landmarks"][1] = float("nan")
    labels["emotion"][1] = float("nan")
    losses = joint_loss(output(landmarks, logits, torch.zeros(2)), labels, LossWeights())
    losses.total.backward()
    assert torch.isfinite(losses.total)
    assert landmarks.grad is not None
    assert logits.grad is not None
    assert landmarks.grad[1].abs().max() == 0
    assert landmarks.grad[0].abs().max() > 0
    assert logits.grad[1].abs().max() == 0


def test_a_batch_without_any_label_is_no_error() -> None:
    labels = batch(2)
    labels["landmarks"][:] = float("nan")
    labels["emotion"][:] = float("nan")
    out = output(FACE.repeat(2, 1, 1), torch.zeros(2, 7), torch.zeros(2))
    losses = joint_loss(out, labels, LossWeights())
    assert losses.landmarks.item() == 0
    assert losses.emotion.item() == 0
