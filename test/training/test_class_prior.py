"""The class prior: class frequencies and the logit-adjusted loss."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from edan_ros.core.crops import Crop  # noqa: E402
from edan_ros.core.emotions import softmax  # noqa: E402
from edan_ros.training.emotion.losses import (  # noqa: E402
    TO_POLARITY,
    emotion_loss,
    polarity_prior,
)
from edan_ros.training.emotion.samples import (  # noqa: E402
    class_frequencies,
    concatenate,
    make_training_set,
)
from edan_ros.training.emotion.validation import fit_prior  # noqa: E402

IMAGE, CROP = np.zeros((8, 8), np.uint8), Crop(np.zeros(2), 10.0, 0.0)


def one_sample(label: int, weight: float):
    return make_training_set(
        [IMAGE], crops=[CROP], emotions=np.eye(7)[[label]], sampling_weights=weight
    )


def test_class_frequencies_count_labelled_samples_by_weight() -> None:
    emotions = np.vstack([np.eye(7)[1], np.eye(7)[2], np.full(7, np.nan)])
    shares = class_frequencies(emotions, np.array([3.0, 1.0, 5.0]))
    np.testing.assert_allclose(shares[1:3], [0.75, 0.25], rtol=1e-3)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.min() > 0.0


def test_class_frequencies_without_labels_are_uniform() -> None:
    np.testing.assert_allclose(class_frequencies(np.full((2, 7), np.nan), np.ones(2)), 1.0 / 7.0)


def test_each_sample_carries_the_log_prior_of_its_own_set() -> None:
    happy, sad = one_sample(1, 1.0), one_sample(2, 1.0)
    both = concatenate([happy, sad])
    assert both.log_prior[0].argmax() == 1
    assert both.log_prior[1].argmax() == 2
    np.testing.assert_array_equal(both.subset(np.array([1])).log_prior, sad.log_prior)


def test_adjusted_loss_learns_logits_without_the_class_frequencies() -> None:
    """Train on two classes 9:1 with one uninformative feature: logits end up equal.

    Without the adjustment they differ by log 9.
    """
    labels = torch.tensor([0] * 90 + [1] * 10)
    target = torch.nn.functional.one_hot(labels, 7).float()
    prior = torch.full((7,), 1e-4)
    prior[:2] = torch.tensor([0.9, 0.1])
    differences = []
    for log_prior in (prior.log().expand(100, 7), None):
        bias = torch.zeros(7, requires_grad=True)
        optimiser = torch.optim.LBFGS([bias], max_iter=200)

        def closure(bias=bias, optimiser=optimiser, log_prior=log_prior):
            optimiser.zero_grad()
            loss = emotion_loss(bias.expand(100, 7), target, log_prior)
            loss.backward()
            return loss

        optimiser.step(closure)
        differences.append(float((bias[0] - bias[1]).detach()))
    assert differences[0] == pytest.approx(0.0, abs=0.01)
    assert differences[1] == pytest.approx(np.log(9.0), abs=0.01)


def test_adjusted_loss_sums_the_prior_for_three_classes() -> None:
    logits, target = torch.randn(4, 3), torch.eye(7)[:4]
    prior = torch.tensor([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])
    adjusted = emotion_loss(logits, target, prior.log().expand(4, 7))
    summed = logits + (prior @ TO_POLARITY).log()
    assert torch.allclose(adjusted, emotion_loss(summed, target))


def test_fit_prior_finds_the_frequencies_and_the_temperature() -> None:
    """Labels drawn from softmax((logits + log prior) / T) are explained best by both."""
    rng = np.random.default_rng(0)
    prior = np.array([0.4, 0.2, 0.15, 0.1, 0.05, 0.05, 0.05])
    logits = rng.normal(0.0, 2.0, (40_000, 7))
    chances = softmax(logits + np.log(prior), 0.7).cumsum(axis=1)
    labels = (rng.random((len(logits), 1)) < chances).argmax(axis=1)
    found, temperature = fit_prior(logits, labels)
    np.testing.assert_allclose(found, prior, rtol=0.12)
    assert temperature == pytest.approx(0.7, rel=0.05)


def test_class_frequencies_are_counted_by_votes_where_a_target_mixes_labels() -> None:
    """The second annotator smooths the target and leaves the class frequencies as they are."""
    happy, sad = np.eye(7)[[1]], np.eye(7)[[2]]
    mixed = make_training_set(
        [IMAGE], crops=[CROP], emotions=0.75 * happy + 0.25 * sad, class_shares=happy
    )
    assert np.exp(mixed.log_prior[0, 2]) < 1e-3
    np.testing.assert_allclose(mixed.emotions[0, 2], 0.25)


def test_the_prior_of_three_classes_is_the_sum_of_seven() -> None:
    prior = [0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05]
    np.testing.assert_allclose(polarity_prior(prior, 7), prior)
    np.testing.assert_allclose(polarity_prior(prior, 3), [0.4, 0.3, 0.3])
