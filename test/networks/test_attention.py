"""Attention maps: agreement with automatic differentiation, and their position."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need the train extra (torch)")

from random_network import network_with_random_state  # noqa: E402

from edan_ros.networks.attention import (  # noqa: E402
    attention_maps,
    hidden_contributions,
    sum_contributions,
    to_grouped_conv,
)
from edan_ros.networks.base import NetworkOutput  # noqa: E402
from edan_ros.networks.deployed import fold  # noqa: E402
from edan_ros.networks.emotional_dan import EmotionalDAN  # noqa: E402
from edan_ros.networks.similarity import Similarity  # noqa: E402


def maps_of(network: EmotionalDAN, out: NetworkOutput) -> torch.Tensor:
    """Compute the maps from the last convolution's activations as the exported network does."""
    locations = out.features.shape[2] * out.features.shape[3] // 4
    weight = to_grouped_conv(fold(network).last_stage.hidden.weight, locations)
    contributions = hidden_contributions(out.features, weight)
    return attention_maps(out.hidden, contributions, network.emotion.weight, out.frame)


@pytest.mark.parametrize("stages", [1, 2])
def test_maps_equal_gradient_times_activation_by_automatic_differentiation(stages: int) -> None:
    """The closed form against autograd through the last stage's head, one logit at a time."""
    network = network_with_random_state(size=64, width=0.25, stages=stages)
    out = network(torch.rand(3, 1, 64, 64) * 255)._replace(frame=None)
    stage = network.last_stage
    maps = maps_of(network, out)
    assert (maps.amax(dim=(2, 3)) > 0).all()

    for label in range(7):
        features = out.features.detach().requires_grad_(True)
        flat = stage.pool(features).flatten(1)
        hidden = torch.relu(stage.hidden_norm(stage.hidden(flat)))
        logit = network.emotion(hidden)[:, label].sum()
        (gradient,) = torch.autograd.grad(logit, features)
        expected = torch.relu((gradient * features).sum(dim=1))
        assert torch.allclose(maps[:, label], expected, atol=1e-5)


def test_contributions_of_all_locations_sum_to_the_hidden_layer() -> None:
    """Also with ties among the activations of a pooling cell, as in INT8."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randint(0, 3, (3, 8, 4, 4), generator=generator).float()
    weight = torch.rand(5, 8 * 4, generator=generator)
    pooled = torch.nn.functional.max_pool2d(features, 2)
    sums = sum_contributions(hidden_contributions(features, to_grouped_conv(weight, 4)))
    assert torch.allclose(sums, pooled.flatten(1) @ weight.t(), atol=1e-5)


@pytest.mark.parametrize("stages", [1, 2])
def test_maps_equal_captums_through_the_whole_network(stages: int) -> None:
    """Captum's gradient times activation of the last convolution, summed over its channels."""
    attr = pytest.importorskip("captum.attr", reason="compares with captum (the train extra)")
    network = network_with_random_state(size=64, width=0.25, stages=stages)
    crops = torch.rand(2, 1, 64, 64) * 255
    out = network(crops)._replace(frame=None)
    maps = maps_of(network, out)
    layer = network.last_stage.blocks[-1]
    method = attr.LayerGradientXActivation(lambda x: network(x).logits, layer)
    for label in range(7):
        expected = torch.relu(method.attribute(crops, target=label).sum(dim=1))
        assert torch.allclose(maps[:, label], expected, atol=1e-5)


def test_maps_are_moved_from_the_second_stages_frame_to_the_crop() -> None:
    """For a frame shifted right by two cells of the map, the map shifts left by two."""
    network = network_with_random_state(size=64, width=0.25)
    out = network(torch.rand(1, 1, 64, 64) * 255)
    stay = Similarity(torch.eye(2)[None], torch.zeros(1, 1, 2))
    move = stay._replace(t=torch.tensor([[[16.0, 0.0]]]))
    before, same, moved = (
        maps_of(network, out._replace(frame=frame)) for frame in (None, stay, move)
    )
    assert torch.allclose(before, same, atol=1e-5)
    assert torch.allclose(moved[..., :6], before[..., 2:], atol=1e-5)
    assert moved[..., 6:].abs().max() == 0
