"""Standard backbones from torchvision, for grey crops and without weights from the net."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from torch import Tensor, nn


def torchvision_module(name: str) -> ModuleType:
    """Return the module ``torchvision.<name>``.

    torchvision's wheels are built for one build of torch each. Beside another one (as the wheel
    for CUDA beside torch for the CPU) its compiled operators do not load, and registering their
    shapes then fails. Nothing here uses them, so that step is skipped and the rest imported.
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
    """The first convolution of a backbone for colour pictures, for one channel instead."""
    size, stride, padding = conv.kernel_size, conv.stride, conv.padding
    gray = nn.Conv2d(1, conv.out_channels, size, stride, padding, bias=conv.bias is not None)
    nn.init.kaiming_normal_(gray.weight, mode="fan_out", nonlinearity="relu")
    return gray


def load_colour(
    backbone: nn.Module, state: dict[str, Tensor], *, entry: str, heads: tuple[str, ...]
) -> None:
    """Fill a backbone with torchvision's weights for colour pictures.

    entry: name of the first convolution's weight, which is summed over the colours: a grey
    picture then gives what it gave as a colour picture of three equal channels. heads: beginnings
    of the names that are left out, the classifier above all.

    Raises ValueError when the weights are those of another network.
    """
    kept = {name: value for name, value in state.items() if not name.startswith(heads)}
    if entry in kept:
        kept[entry] = kept[entry].sum(dim=1, keepdim=True)
    try:
        backbone.load_state_dict(kept)
    except RuntimeError as error:
        raise ValueError(f"these are weights of another network: {error}") from error
