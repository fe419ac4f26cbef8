"""net2wider keeps the function, and copied channels diverge in training."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edan_ros.networks.emotional_dan import EmotionalDAN  # noqa: E402
from edan_ros.networks.net2wider import net2wider  # noqa: E402


def network(*, stages: int, width: float) -> EmotionalDAN:
    torch.manual_seed(5)
    made = EmotionalDAN(size=32, width=width, stages=stages)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
    for parameter in made.parameters():
        parameter.data.add_(0.01 * torch.randn_like(parameter))
    return made.eval()


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("width", [0.25, 0.3])
def test_net2wider_keeps_the_function(stages: int, width: float) -> None:
    narrow = network(stages=stages, width=0.125)
    wide = net2wider(narrow, width, seed=1).eval()
    crops = torch.rand(3, 1, 32, 32) * 255
    with torch.no_grad():
        before, after = narrow(crops), wide(crops)
    assert wide.config["width"] == width
    torch.testing.assert_close(after.landmarks, before.landmarks, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(after.logits, before.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after.presence, before.presence, atol=1e-4, rtol=1e-4)


def test_copies_of_a_channel_receive_different_gradients() -> None:
    wide = net2wider(network(stages=1, width=0.125), 0.25, seed=1)
    wide(torch.rand(2, 1, 32, 32) * 255).logits.square().sum().backward()
    gradient = wide.stage1.blocks[1][0].weight.grad
    half = len(gradient) // 2
    assert (gradient[:half] - gradient[half:]).abs().max() > 0.1 * gradient.abs().max()


def test_net2wider_rejects_a_width_that_is_not_larger() -> None:
    with pytest.raises(ValueError, match="not wider"):
        net2wider(network(stages=1, width=0.25), 0.25, seed=1)
