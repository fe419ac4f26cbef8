"""Restore batch normalisation in a network whose weights were folded for export.

Export folds each batch normalisation into the preceding layer (``deployed.fold``). This module
inserts it again: mean and deviation are those of the layer's outputs on some inputs, and scale
and shift compensate for them. The function is unchanged in evaluation mode and almost unchanged
in training mode, where a batch has nearly the same mean and deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn

Norm: TypeAlias = nn.BatchNorm1d | nn.BatchNorm2d


def normalised_layers(network: nn.Module) -> dict[str, str]:
    """Map each convolution or dense layer before a batch normalisation to that normalisation."""
    found = {}
    for path, parent in network.named_modules():
        prefix = f"{path}." if path else ""
        for (name, layer), (after, norm) in pairwise(parent.named_children()):
            if isinstance(norm, Norm) and isinstance(layer, nn.Conv2d | nn.Linear):
                found[prefix + name] = prefix + after
    return found


def unfused_name(name: str, norms: Mapping[str, str]) -> str:
    """Return the name of a folded parameter in the network with batch normalisation.

    The bias of a normalised layer becomes the bias of its normalisation.

    Args:
        name: name of the parameter in the folded network.
        norms: from :func:`normalised_layers`.
    """
    layer, kind = name.rsplit(".", 1)
    return f"{norms[layer]}.bias" if kind == "bias" and layer in norms else name


@torch.no_grad()
def restore_batchnorm(network: nn.Module, folded: Mapping[str, Tensor], inputs: Tensor) -> None:
    """Give ``network`` the function of a folded network in evaluation mode.

    Parameters that ``folded`` lacks stay unchanged. Filters before a normalisation keep the norm
    that they have in ``network``, because it determines how fast they learn.

    Args:
        network: the network whose parameters and running statistics are replaced.
        folded: the parameters of the folded network by name.
        inputs: a batch for ``network`` that resembles the training data, from which the running
            statistics are computed.

    Raises:
        ValueError: if ``network`` lacks a parameter of ``folded``, or has it in another shape.
    """
    norms = normalised_layers(network)
    state = network.state_dict()
    gains: dict[Norm, Tensor] = {}
    for name, value in folded.items():
        layer, kind = name.rsplit(".", 1)
        target = unfused_name(name, norms)
        if target not in state or state[target].shape != value.shape:
            raise ValueError(f"the network has no {name} of shape {tuple(value.shape)}")
        if kind == "weight" and layer in norms:
            gain = _filter_norms(state[target]) / _filter_norms(value)
            norm = network.get_submodule(norms[layer])
            assert isinstance(norm, Norm)
            gains[norm] = gain
            value = value * gain.view(-1, *[1] * (value.ndim - 1))
        state[target].copy_(value)
    for norm, gain in gains.items():
        _set(norm, torch.zeros_like(gain), torch.ones_like(gain), gain)
    for norm, values in _normalisation_inputs(network, inputs, list(gains)).items():
        mean = values.mean(dim=1)
        norm.bias.add_(mean / gains[norm])
        _set(norm, mean, values.var(dim=1).clamp_min(norm.eps).sqrt(), gains[norm])


def _filter_norms(weight: Tensor) -> Tensor:
    """Return the norm of each output's filter."""
    norms: Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1)
    return norms.clamp_min(1e-6)


def _set(norm: Norm, mean: Tensor, deviation: Tensor, gain: Tensor) -> None:
    """Set the statistics of a normalisation and make it divide by ``gain`` in evaluation mode."""
    norm.get_buffer("running_mean").copy_(mean)
    norm.get_buffer("running_var").copy_(deviation.square() - norm.eps)
    norm.weight.copy_(deviation / gain)


def _normalisation_inputs(
    network: nn.Module, inputs: Tensor, norms: list[Norm]
) -> dict[Norm, Tensor]:
    """Return the inputs of each normalisation for a batch, (channels, n)."""
    values: dict[Norm, Tensor] = {}

    def store(norm: Norm, arguments: tuple[Tensor, ...]) -> None:
        values[norm] = arguments[0].float().transpose(0, 1).flatten(1)

    hooks = [norm.register_forward_pre_hook(store) for norm in norms]
    training = network.training
    network.eval()(inputs)
    network.train(training)
    for hook in hooks:
        hook.remove()
    return values
