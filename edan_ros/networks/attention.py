"""Which places of a crop led to each emotion: maps in closed form, at the cost of a product.

Between the last convolution and a logit stand a max-pool and two dense layers, so the gradient is
a product of known matrices and needs no automatic differentiation. What is more, each hidden unit
is a sum over places: computed as such, the hidden layer gives the maps as it goes. Its weights are
most of what one face makes a processor read, and are read once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edan_ros.networks.emotional_dan import Similarity


def to_grouped_conv(weight: Tensor, places: int) -> Tensor:
    """A dense layer's weight (H, channels * places) as that of a convolution with a group for each
    place, (places * H, channels, 1, 1)."""
    groups = weight.view(len(weight), -1, places).permute(2, 0, 1)
    return groups.reshape(places * len(weight), -1, 1, 1)


def from_grouped_conv(weight: Tensor, units: int) -> Tensor:
    """The dense layer's weight that :func:`to_grouped_conv` was given, for H = ``units``."""
    groups = weight.view(-1, units, weight.shape[1]).permute(1, 2, 0)
    return groups.reshape(units, -1)


def hidden_contributions(features: Tensor, weight: Tensor) -> Tensor:
    """What each place adds to each hidden unit, (places, H, B, 5).

    A place is one of the max-pool: the first four are what the four under it add, of which the
    pool lets through the largest activation alone; the last is what the pooled place adds.

    Args:
        features: (B, channels, S/8, S/8), the last convolution's activations.
        weight: as of :func:`to_grouped_conv`.
    """
    # As numbers, not as tensors that the exported graph would compute in every run.
    channels, half = int(features.shape[1]), int(features.shape[2]) // 2
    places = half * half
    under = features.view(-1, channels, 4 * places).transpose(1, 2)
    under = under.reshape(-1, half, 2, half, 2, channels).permute(1, 3, 0, 2, 4, 5)
    under = under.reshape(places, -1, 4, channels)
    largest = under.amax(dim=2, keepdim=True)
    active = under * (under >= largest).float()
    rows = torch.cat((active, largest), dim=2).view(places, -1, channels).transpose(1, 2)
    # The batch lies in the picture's place, so that the weights are read once for all faces.
    rows = rows.reshape(1, places * channels, -1, 5)
    return functional.conv2d(rows, weight, groups=places).view(places, len(weight) // places, -1, 5)


def sum_contributions(shares: Tensor) -> Tensor:
    """The hidden layer before its bias, (B, H), from :func:`hidden_contributions`."""
    return shares.sum(dim=0)[..., 4].t()


def attention_maps(
    hidden: Tensor, shares: Tensor, emotion: Tensor, frame: Similarity | None
) -> Tensor:
    """What each place of the crop adds to each logit, (B, C, S/8, S/8), >= 0.

    Gradient times activation of the last convolution, summed over channels, then ReLU: HiResCAM
    (Draelos and Carin 2020, section 3.2), which is Grad-CAM (Selvaraju et al. 2017) without the
    averaging of gradients over places. Before a flattened dense layer that average is not
    meaningful: it left the map of the recognised emotion empty on 59 % of 600 faces.

    Args:
        hidden: (B, H), the last hidden layer.
        shares: of :func:`hidden_contributions`.
        emotion: (C, H), the weight of the emotion head.
        frame: of the network's output: the maps are moved back into the crop's frame.
    """
    places, units, classes = int(shares.shape[0]), int(shares.shape[1]), emotion.shape[0]
    half = round(places**0.5)
    gradient = hidden.sign()[:, None] * emotion  # of a ReLU: 1 where it is above 0
    maps = gradient @ shares.permute(2, 1, 0, 3).reshape(-1, units, 5 * places)
    maps = maps.view(-1, classes, half, half, 5)[..., :4].reshape(-1, classes, half, half, 2, 2)
    maps = maps.transpose(3, 4).reshape(-1, classes, 2 * half, 2 * half)
    maps = functional.relu(maps)
    return maps if frame is None else _in_crop(maps, frame)


def _in_crop(maps: Tensor, frame: Similarity) -> Tensor:
    """Maps (B, C, h, h) of the picture that the last stage saw, moved to the crop's frame."""
    side = int(maps.shape[-1])
    axis = torch.arange(side, dtype=maps.dtype, device=maps.device) * 8.0 + 3.5
    scale = 2.0 / (8.0 * (side - 1))
    places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).view(1, -1, 2)
    source = frame.then(scale, -3.5 * scale - 1.0).apply(places)
    grid = source.view(-1, side, side, 2)
    return functional.grid_sample(maps, grid, padding_mode="zeros", align_corners=True)
