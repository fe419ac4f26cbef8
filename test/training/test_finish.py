"""What is done to a trained network before it ships."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from random_network import network_with_random_state  # noqa: E402

from edan_ros.core.crops import Crop  # noqa: E402
from edan_ros.core.emotions import softmax  # noqa: E402
from edan_ros.training.common.errors import ConfigError  # noqa: E402
from edan_ros.training.emotion.calibration import fit_temperature  # noqa: E402
from edan_ros.training.emotion.finish import (  # noqa: E402
    adjust_logits,
    emotion_prior,
    strengths,
)
from edan_ros.training.emotion.samples import concatenate, make_samples  # noqa: E402


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_fit_temperature_finds_the_one_that_made_the_labels(temperature: float) -> None:
    """Labels drawn from softmax(logits / T) are explained best by T."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 7))
    chances = softmax(logits, temperature).cumsum(axis=1)
    labels = (rng.random((20_000, 1)) < chances).argmax(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.06)


def test_emotion_prior_counts_draws_of_labelled_pictures() -> None:
    """Drawn three times happy and once sad, beside a picture without an emotion."""
    crop, image = Crop(np.zeros(2), 10.0, 0.0), np.zeros((8, 8), np.uint8)
    parts = [
        make_samples([image], crops=[crop], emotions=np.eye(7)[[label]], weights=draws)
        for label, draws in ((1, 3.0), (2, 1.0))
    ]
    samples = concatenate([*parts, make_samples([image], crops=[crop])])
    np.testing.assert_allclose(emotion_prior(samples), [0, 0.75, 0.25, 0, 0, 0, 0])


def test_adjusted_logits_forget_the_prior() -> None:
    """At strength 1 each logit loses the log of its prior; at 0 nothing changes."""
    network = network_with_random_state(size=32, width=0.125)
    crops = torch.rand(2, 1, 32, 32) * 255
    before = network(crops).logits
    prior = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])
    adjust_logits(network, prior, 0.0)
    assert torch.equal(network(crops).logits, before)
    adjust_logits(network, prior, 1.0)
    expected = before - torch.from_numpy(np.log(prior)).float()
    assert torch.allclose(network(crops).logits, expected, atol=1e-5)


@pytest.mark.parametrize("strength", [1.0, np.eye(7)[0]])
def test_an_emotion_that_is_never_drawn_is_left_as_it_is(strength: float | np.ndarray) -> None:
    network = network_with_random_state(size=32, width=0.125)
    before = network.emotion.bias.detach().clone()
    adjust_logits(network, np.array([0.5, 0.5, 0, 0, 0, 0, 0]), strength)
    after = network.emotion.bias.detach()
    assert after[0].item() == pytest.approx(before[0].item() + np.log(2), rel=1e-5)
    assert torch.equal(after[2:], before[2:])


def test_logits_can_be_adjusted_of_some_emotions_by_name() -> None:
    np.testing.assert_array_equal(strengths({"disgust": 0.2}, 7), [0, 0, 0, 0, 0, 0.2, 0])
    assert strengths(0.3, 3) == 0.3


@pytest.mark.parametrize(("given", "classes"), [({"digust": 0.2}, 7), ({"disgust": 0.2}, 3)])
def test_adjustment_of_what_is_no_class_is_refused(given: dict[str, float], classes: int) -> None:
    with pytest.raises(ConfigError, match=r"logit_adjustment: .* of neutral, happy"):
        strengths(given, classes)
