"""A network for tests whose outputs depend on all of its parameters."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from edan_ros.networks.emotional_dan import EmotionalDAN


def network_with_random_state(**options) -> EmotionalDAN:
    """Return a network whose outputs depend on every weight and statistic."""
    torch.manual_seed(0)
    network = EmotionalDAN(**options)
    for module in network.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    for name, parameter in network.named_parameters():
        if "landmark_step" in name:
            torch.nn.init.normal_(parameter, 0.0, 0.002)
    return network.eval()


def need_torchvision() -> None:
    """Skip the test unless torchvision, which provides the backbones, is installed."""
    # importorskip fails where torchvision was built for another build of torch.
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision (extra train) provides the backbones")
