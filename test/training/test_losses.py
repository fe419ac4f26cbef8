"""The joint loss against values worked out by hand, and its masks."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="losses need the train extra (torch)")

from edan_ros.core.geometry import MEAN_SHAPE, pupil_distance  # noqa: E402
from edan_ros.networks.base import EmotionNetwork, NetworkOutput  # noqa: E402
from edan_ros.training.emotion.learner import EmotionLearner  # noqa: E402
from edan_ros.training.emotion.losses import (  # noqa: E402
    LossWeights,
    consistency_loss,
    distillation_loss,
    landmark_loss,
    loss_terms,
    unit_loss,
)

FACE = torch.tensor(MEAN_SHAPE, dtype=torch.float32)[None] * 50


def output(landmarks: torch.Tensor, logits: torch.Tensor, presence: torch.Tensor) -> NetworkOutput:
    return NetworkOutput(logits, landmarks=landmarks, presence=presence, stages=(landmarks,))


class Fixed(EmotionNetwork):
    """Returns a given output."""

    outputs = ("landmarks", "logits", "presence")

    def __init__(self, given: NetworkOutput, **config: object) -> None:
        super().__init__()
        self.given, self.config = given, config
        self.stage1 = torch.nn.BatchNorm2d(1)

    def forward(self, _crops: torch.Tensor) -> NetworkOutput:
        return self.given


def batch(n: int) -> dict[str, torch.Tensor]:
    return {
        "crop": torch.zeros(n, 16, 16, dtype=torch.uint8),
        "landmarks": FACE.repeat(n, 1, 1),
        "emotion": torch.eye(7)[:1].repeat(n, 1),
        "face": torch.ones(n),
        "landmark_weight": torch.ones(n),
    }


@pytest.mark.parametrize("subset", [68, 51, 42, 32])
def test_landmark_error_of_a_shift(subset: int) -> None:
    """All points moved by (3, 4) are 5 pixels off, whatever the subset."""
    moved = FACE + torch.tensor([3.0, 4.0])
    expected = 5.0 / float(pupil_distance(FACE.numpy())[0])
    assert landmark_loss(moved, FACE, subset).item() == pytest.approx(expected, rel=1e-4)


def test_total_by_hand() -> None:
    """alpha 0.4 times the error, beta 0.6 times ln 7 for equal logits, presence ln 2."""
    out = output(FACE + torch.tensor([3.0, 4.0]), torch.zeros(1, 7), torch.zeros(1))
    losses = EmotionLearner(Fixed(out), LossWeights(presence=0.2))(batch(1))
    error = 5.0 / float(pupil_distance(FACE.numpy())[0])
    assert losses["emotion"].item() == pytest.approx(math.log(7), rel=1e-5)
    assert losses["total"].item() == pytest.approx(
        0.4 * error + 0.6 * math.log(7) + 0.2 * math.log(2), rel=1e-4
    )


def test_only_the_subset_of_landmarks_of_a_network_counts() -> None:
    """Errors of outline, brows and nose do not count for a network of eyes and mouth."""
    moved = FACE.clone()
    moved[:, :36] += torch.tensor([3.0, 4.0])
    out = output(moved, torch.zeros(1, 7), torch.zeros(1))
    assert (
        EmotionLearner(Fixed(out, landmarks=32), LossWeights())(batch(1))["landmarks"].item()
        < 0.001
    )
    assert EmotionLearner(Fixed(out), LossWeights())(batch(1))["landmarks"].item() > 0.01


def test_intermediate_stages_have_their_own_factor() -> None:
    far, near = FACE + torch.tensor([3.0, 4.0]), FACE.clone()
    two_stages = output(near, torch.zeros(1, 7), torch.zeros(1))._replace(stages=(far, near))
    without, with_it = (
        EmotionLearner(Fixed(two_stages), LossWeights(intermediate=factor))(batch(1))
        for factor in (0.0, 2.0)
    )
    added = with_it["total"] - without["total"]
    assert added.item() == pytest.approx(2.0 * with_it["intermediate"].item(), rel=1e-3)
    assert with_it["intermediate"].item() > 10 * with_it["landmarks"].item()


def test_learned_factors_converge_to_their_optimum() -> None:
    """With exp(-s) L + s / 2 for an entropy L, the best s is ln 2 L; for a distance ln L."""
    out = output(FACE + torch.tensor([3.0, 4.0]), torch.zeros(1, 7), torch.zeros(1))
    learner = EmotionLearner(Fixed(out), LossWeights(uncertainty=True))
    assert set(learner.log_variance) == {"landmarks", "emotion", "presence"}
    optimiser = torch.optim.Adam(learner.log_variance.parameters(), lr=0.05)
    for _ in range(400):
        losses = learner(batch(1))
        optimiser.zero_grad()
        losses["total"].backward()
        optimiser.step()
    s = {name: value.item() for name, value in learner.log_variance.items()}
    assert s["emotion"] == pytest.approx(math.log(2 * math.log(7)), abs=0.02)
    assert s["landmarks"] == pytest.approx(math.log(losses["landmarks"].item()), abs=0.02)


def test_unknown_labels_give_no_loss_and_no_gradient() -> None:
    """A sample without landmarks and emotion affects the presence term alone."""
    landmarks = (FACE + 7.0).repeat(2, 1, 1).requires_grad_()
    logits = torch.randn(2, 7, requires_grad=True)
    labels = batch(2)
    labels["landmarks"][1] = float("nan")
    labels["emotion"][1] = float("nan")
    total = EmotionLearner(Fixed(output(landmarks, logits, torch.zeros(2))), LossWeights())(labels)[
        "total"
    ]
    total.backward()
    assert torch.isfinite(total)
    assert landmarks.grad is not None
    assert logits.grad is not None
    assert landmarks.grad[1].abs().max() == 0
    assert landmarks.grad[0].abs().max() > 0
    assert logits.grad[1].abs().max() == 0


def test_a_batch_without_labels_has_no_loss() -> None:
    labels = batch(2)
    labels["landmarks"][:] = float("nan")
    labels["emotion"][:] = float("nan")
    out = output(FACE.repeat(2, 1, 1), torch.zeros(2, 7), torch.zeros(2))
    terms = loss_terms(out, labels)
    assert terms["landmarks"].item() == 0
    assert terms["emotion"].item() == 0


def test_a_network_of_logits_alone_has_one_term() -> None:
    assert set(loss_terms(NetworkOutput(torch.zeros(1, 7)), batch(1))) == {"emotion"}


def test_three_classes_learn_the_sums_of_seven() -> None:
    """Half sad, half disgust is negative: predicting negative has no loss."""
    labels = batch(1)
    labels["emotion"] = torch.tensor([[0.0, 0.0, 0.5, 0.0, 0.0, 0.5, 0.0]])
    sure = NetworkOutput(torch.tensor([[0.0, 0.0, 50.0]]))
    assert loss_terms(sure, labels)["emotion"].item() == pytest.approx(0.0, abs=1e-6)


def test_units_without_a_label_have_no_gradient() -> None:
    """The last of three units has no label, the second none in this sample."""
    logits = torch.zeros(1, 3, requires_grad=True)
    loss = unit_loss(logits, torch.tensor([[1.0, float("nan")]]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2), rel=1e-5)
    assert logits.grad.tolist() == [[-0.5, 0.0, 0.0]]


def test_a_student_equal_to_its_teacher_has_no_loss() -> None:
    """Logits that differ by a constant have no divergence; crops without a face do not count."""
    teacher = torch.randn(2, 7, generator=torch.Generator().manual_seed(1))
    faces = torch.tensor([1.0, 0.0])
    student = teacher + 3.0
    student[1] = 0.0
    assert distillation_loss(student, teacher, faces, 2.0).item() == pytest.approx(0.0, abs=1e-6)
    assert distillation_loss(student.flip(1), teacher, faces, 2.0).item() > 0.1


def test_views_with_equal_predictions_have_no_loss() -> None:
    """Confident opposite predictions diverge by ln 2; images with a missed face do not count."""
    alike = torch.tensor([[5.0, 0.0], [6.0, 1.0]])
    opposite = torch.tensor([[50.0, 0.0], [0.0, 50.0]])
    faces = torch.ones(2)
    assert consistency_loss(alike, faces, 2).item() == pytest.approx(0.0, abs=1e-6)
    assert consistency_loss(opposite, faces, 2).item() == pytest.approx(math.log(2), rel=1e-4)
    both, seen = torch.cat([opposite, alike]), torch.tensor([1.0, 0.0, 1.0, 1.0])
    assert consistency_loss(both, seen, 2).item() == pytest.approx(0.0, abs=1e-6)


def test_consistency_moves_the_predictions_of_views_together() -> None:
    """The gradient moves the predictions for two views towards each other."""
    logits = torch.tensor([[2.0, *[0.0] * 6], [0.0, 2.0, *[0.0] * 5]], requires_grad=True)
    weights = LossWeights(emotion=0.0, landmarks=0.0, presence=0.0, consistency=2.0)
    losses = EmotionLearner(Fixed(NetworkOutput(logits)), weights, views=2)(batch(2))
    assert losses["total"].item() == pytest.approx(2.0 * losses["consistency"].item())
    losses["total"].backward()
    assert (logits.grad[0, :2].sign() == torch.tensor([1.0, -1.0])).all()
    assert (logits.grad[1, :2].sign() == torch.tensor([-1.0, 1.0])).all()


def test_a_frozen_first_stage_keeps_its_statistics() -> None:
    learner = EmotionLearner(Fixed(NetworkOutput(torch.zeros(1, 7))), LossWeights(), frozen=True)
    learner.train()
    assert not learner.network.stage1.training
    assert not any(p.requires_grad for p in learner.network.stage1.parameters())
