"""Attention maps: against automatic differentiation, and where they lie."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need the train extra (torch)")

from random_network import network_with_random_state  # noqa: E402

from edan_ros.networks.attention import attention_maps  # noqa: E402
from edan_ros.networks.emotional_dan import Similarity  # noqa: E402


@pytest.mark.parametrize("stages", [1, 2])
def test_maps_equal_gradient_times_activation_by_automatic_differentiation(stages: int) -> None:
    """The closed form against autograd through the last stage's head, one logit at a time."""
    network = network_with_random_state(size=64, width=0.25, stages=stages)
    out = network(torch.rand(3, 1, 64, 64) * 255)._replace(frame=None)
    stage = network.last_stage
    maps = attention_maps(out, network.emotion.weight, stage.hidden_weight())
    assert (maps.amax(dim=(2, 3)) > 0).all()

    for label in range(7):
        features = out.features.detach().requires_grad_(True)
        flat = stage.pool(features).flatten(1)
        hidden = torch.relu(stage.hidden_norm(stage.hidden(flat)))
        logit = network.emotion(hidden)[:, label].sum()
        (gradient,) = torch.autograd.grad(logit, features)
        expected = torch.relu((gradient * features).sum(dim=1))
        assert torch.allclose(maps[:, label], expected, atol=1e-5)


@pytest.mark.parametrize("stages", [1, 2])
def test_maps_equal_those_of_captum_through_the_whole_network(stages: int) -> None:
    """Captum's gradient times activation of the last convolution, summed over its channels."""
    attr = pytest.importorskip("captum.attr", reason="compares with captum (the train extra)")
    network = network_with_random_state(size=64, width=0.25, stages=stages)
    crops = torch.rand(2, 1, 64, 64) * 255
    out = network(crops)._replace(frame=None)
    maps = attention_maps(out, network.emotion.weight, network.last_stage.hidden_weight())
    layer = network.last_stage.blocks[-1]
    method = attr.LayerGradientXActivation(lambda x: network(x).logits, layer)
    for label in range(7):
        expected = torch.relu(method.attribute(crops, target=label).sum(dim=1))
        assert torch.allclose(maps[:, label], expected, atol=1e-5)


def test_maps_lie_over_the_crop_and_not_over_what_the_second_stage_saw() -> None:
    """A frame moved by two cells of the map to the right: the map moves back by two."""
    network = network_with_random_state(size=64, width=0.25)
    out = network(torch.rand(1, 1, 64, 64) * 255)
    stay = Similarity(torch.ones(1, 1), torch.zeros(1, 1), torch.zeros(1, 2))
    move = stay._replace(t=torch.tensor([[16.0, 0.0]]))
    weights = network.emotion.weight, network.last_stage.hidden_weight()
    before, same, moved = (
        attention_maps(out._replace(frame=frame), *weights) for frame in (None, stay, move)
    )
    assert torch.allclose(before, same, atol=1e-5)
    assert torch.allclose(moved[..., :6], before[..., 2:], atol=1e-5)
    assert moved[..., 6:].abs().max() == 0
