"""Sharpness-aware steps against a loss whose worst neighbour is known."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra (torch)")

from torch import nn  # noqa: E402

from edan_ros.training.common.sam import perturb  # noqa: E402


def test_the_gradient_is_that_of_the_worst_neighbour() -> None:
    """Of x^2 / 2 + 2 y^2 at (3, 1) the gradient is (3, 4): 0.5 that way is (3.3, 1.4), where it is
    (3.3, 5.6). The weights stay."""
    module = nn.Module()
    module.weight = nn.Parameter(torch.tensor([3.0, 1.0]))
    scale = torch.tensor([0.5, 2.0])

    def backward() -> None:
        (scale * module.weight.square()).sum().backward()

    backward()
    assert torch.allclose(module.weight.grad, torch.tensor([3.0, 4.0]))
    perturb(module, 0.5, backward)
    assert torch.allclose(module.weight.grad, torch.tensor([3.3, 5.6]), atol=1e-5)
    assert torch.allclose(module.weight, torch.tensor([3.0, 1.0]), atol=1e-6)


def test_running_statistics_see_each_batch_once() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    batch = torch.randn(8, 2, generator=torch.Generator().manual_seed(1))

    def backward() -> None:
        module(batch).square().sum().backward()

    backward()
    once = module[1].running_mean.clone()
    perturb(module, 0.1, backward)
    assert torch.equal(module[1].running_mean, once)
    assert module[1].momentum == 0.1
