"""Initialise a wide EmotionalDAN from a trained narrow one, with the same function.

Method: T. Chen, I. Goodfellow, J. Shlens, "Net2Net: Accelerating Learning via Knowledge
Transfer", ICLR 2016, section 2.3 (Net2WiderNet). Difference: the outgoing weight of a copied
channel is split at random, not evenly, into parts that sum to it. The function stays the same,
and the copies receive different gradients from the first step on without added noise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edan_ros.networks.emotional_dan import EmotionalDAN, Stage

#: Amplitude of the random split: the parts of a weight copied n times are (1 +- SPLIT) / n.
SPLIT = 0.5


def net2wider(narrow: EmotionalDAN, width: float, *, seed: int) -> EmotionalDAN:
    """Return a wider network with the function of ``narrow`` in evaluation mode.

    Args:
        narrow: the trained network.
        width: width of the new network.
        seed: seed of the random split.

    Raises:
        ValueError: if ``width`` is not above that of ``narrow``.
    """
    if width <= narrow.config["width"]:
        raise ValueError(f"width {width} is not wider than {narrow.config['width']}")
    wide = EmotionalDAN(**{**narrow.config, "width": width})
    random = torch.Generator().manual_seed(seed)
    state = wide.state_dict()
    for name, value in narrow.state_dict().items():
        if state[name].shape == value.shape:
            state[name] = value.clone()
    wide.load_state_dict(state)
    with torch.no_grad():
        _widen_stage(narrow.stage1, wide.stage1, random)
        if narrow.config["stages"] == 2:
            _widen_stage(narrow.stage2, wide.stage2, random)
    return wide


def _widen_stage(narrow: Stage, wide: Stage, random: torch.Generator) -> None:
    entry = narrow.blocks[0][0].in_channels
    source = torch.arange(entry)  # the narrow channel that each wide channel copies
    for old_block, new_block in zip(narrow.blocks, wide.blocks, strict=True):
        for old, new in zip(old_block, new_block, strict=True):
            if isinstance(old, nn.Conv2d):
                target = torch.arange(new.out_channels) % old.out_channels
                new.weight.copy_(_split(old.weight[target], source, random))
                source = target
            elif isinstance(old, nn.BatchNorm2d):
                for name, value in old.state_dict().items():
                    if value.ndim:
                        new.state_dict()[name].copy_(value[source])
    cells = narrow.hidden.in_features // narrow.blocks[-1][0].out_channels
    weight = narrow.hidden.weight.view(narrow.hidden.out_features, -1, cells)
    wide.hidden.weight.copy_(_split(weight, source, random).flatten(1))


def _split(weight: Tensor, source: Tensor, random: torch.Generator) -> Tensor:
    """Split (out, in, ...) into (out, len(source), ...), where the parts of an input sum to it."""
    count = torch.bincount(source, minlength=weight.shape[1]).to(weight.dtype)
    shape = (weight.shape[0], len(source), *weight.shape[2:])
    noise = SPLIT * (2 * torch.rand(shape, generator=random) - 1)
    mean = torch.zeros_like(weight).index_add_(1, source, noise)
    ones = [1, -1] + [1] * (weight.ndim - 2)
    mean = mean / count.view(ones)
    share = (1 + noise - mean[:, source]) / count[source].view(ones)
    return weight[:, source] * share
