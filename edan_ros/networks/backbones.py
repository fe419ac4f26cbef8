"""Standard backbones from torchvision, adapted to grey crops. Nothing is downloaded."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from torch import Tensor, nn


def torchvision_module(name: str) -> ModuleType:
    """Return the module ``torchvision.<name>``.

    A torchvision wheel is built for one build of torch. With another build (the CUDA wheel beside
    torch for the CPU) its compiled operators do not load, and registering their shapes fails.
    Nothing here uses them, so that step is skipped and the rest is imported.
    """
    try:
        return importlib.import_module(f"torchvision.{name}")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        registrations = "torchvision._meta_registrations"
        sys.modules[registrations] = ModuleType(registrations)
        return importlib.import_module(f"torchvision.{name}")


def gray_entry(conv: nn.Conv2d) -> nn.Conv2d:
    """Return a one-channel replacement for a backbone's first convolution."""
    shape: dict[str, Any] = {
        "kernel_size": conv.kernel_size,
        "stride": conv.stride,
        "padding": conv.padding,
    }
    gray = nn.Conv2d(1, conv.out_channels, bias=conv.bias is not None, **shape)
    nn.init.kaiming_normal_(gray.weight, mode="fan_out", nonlinearity="relu")
    return gray


def load_colour(
    backbone: nn.Module, state: dict[str, Tensor], *, entry: str, heads: tuple[str, ...]
) -> None:
    """Load torchvision's weights for colour images into a grey backbone.

    Args:
        backbone: the network to fill.
        state: the weights by name.
        entry: name of the first convolution's weight, which is summed over the colours: a grey
            image then gives the result of a colour image with three equal channels.
        heads: prefixes of the names that are ignored, such as the classifier's.

    Raises:
        ValueError: if the weights belong to another network.
    """
    kept = {name: value for name, value in state.items() if not name.startswith(heads)}
    if entry in kept:
        kept[entry] = kept[entry].sum(dim=1, keepdim=True)
    try:
        backbone.load_state_dict(kept)
    except RuntimeError as error:
        raise ValueError(f"the weights belong to another network: {error}") from error
