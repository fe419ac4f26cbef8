"""Give a network that can be trained the function of a folded one, such as a model file holds.

Export folds each batch normalisation into the layer before it (``deployed.fold``). Here a new one
is put behind that layer: its mean and deviation are those that the layer's outputs have on some
inputs, its scale and shift undo them. Nothing is changed by that when the network is evaluated,
and hardly anything when it is trained, where a batch has much the same mean and deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn

Norm: TypeAlias = nn.BatchNorm1d | nn.BatchNorm2d


def normalised_layers(network: nn.Module) -> dict[str, str]:
    """Name of each convolution or dense layer that a batch normalisation follows -> the name of
    that normalisation."""
    found = {}
    for path, parent in network.named_modules():
        prefix = f"{path}." if path else ""
        for (name, layer), (after, norm) in pairwise(parent.named_children()):
            if isinstance(norm, Norm) and isinstance(layer, nn.Conv2d | nn.Linear):
                found[prefix + name] = prefix + after
    return found


def unfused_name(name: str, norms: Mapping[str, str]) -> str:
    """What a parameter of the folded network is in the one with these normalised layers: the bias
    of such a layer is its normalisation's."""
    layer, kind = name.rsplit(".", 1)
    return f"{norms[layer]}.bias" if kind == "bias" and layer in norms else name


@torch.no_grad()
def restore_batchnorm(network: nn.Module, folded: Mapping[str, Tensor], inputs: Tensor) -> None:
    """Make ``network`` compute, in evaluation mode, what the folded one does.

    What ``folded`` does not name is left as it is. Filters before a normalisation keep the size
    that they have in ``network``, for on it depends how fast they learn.

    Args:
        network: its parameters and running statistics are replaced.
        folded: name of each parameter of the folded network -> its value.
        inputs: a batch for ``network``, of which the running statistics are taken. It should look
            like what the network is trained on.

    Raises:
        ValueError: if ``folded`` names a parameter that the network lacks, or has in another shape.
    """
    norms = normalised_layers(network)
    state = network.state_dict()
    gains: dict[nn.Module, Tensor] = {}
    for name, value in folded.items():
        layer, kind = name.rsplit(".", 1)
        target = unfused_name(name, norms)
        if target not in state or state[target].shape != value.shape:
            raise ValueError(f"the network has no {name} of shape {tuple(value.shape)}")
        if kind == "weight" and layer in norms:
            gain = _size(state[target]) / _size(value)
            gains[network.get_submodule(norms[layer])] = gain
            value = value * gain.view(-1, *[1] * (value.ndim - 1))
        state[target].copy_(value)
    for norm, gain in gains.items():
        _set(norm, torch.zeros_like(gain), torch.ones_like(gain), gain)
    for norm, seen in _outputs_seen(network, inputs, list(gains)).items():
        mean = seen.mean(dim=1)
        norm.bias += mean / gains[norm]
        _set(norm, mean, seen.var(dim=1).clamp_min(norm.eps).sqrt(), gains[norm])


def _size(weight: Tensor) -> Tensor:
    """The norm of each output's filter."""
    return weight.flatten(1).norm(dim=1).clamp_min(1e-6)


def _set(norm: Norm, mean: Tensor, deviation: Tensor, gain: Tensor) -> None:
    """Let a normalisation divide by ``gain`` when it is evaluated, whatever its statistics."""
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(deviation.square() - norm.eps)
    norm.weight.copy_(deviation / gain)


def _outputs_seen(
    network: nn.Module, inputs: Tensor, norms: list[nn.Module]
) -> dict[nn.Module, Tensor]:
    """What reaches each normalisation for a batch, (channels, n)."""
    seen: dict[nn.Module, Tensor] = {}

    def keep(norm: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen[norm] = arguments[0].float().transpose(0, 1).flatten(1)

    hooks = [norm.register_forward_pre_hook(keep) for norm in norms]
    was = network.training
    network.eval()(inputs)
    network.train(was)
    for hook in hooks:
        hook.remove()
    return seen
