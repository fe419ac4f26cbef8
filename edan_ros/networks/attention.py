"""Attention maps: the contribution of each location of a crop to each emotion.

Between the last convolution and a logit there are a max-pool and two dense layers, so the
gradient is a product of known matrices and needs no automatic differentiation. Each hidden unit
is a sum over locations, so computing the hidden layer location by location gives the maps at
almost no cost: its weights, most of what one face reads from memory, are read only once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edan_ros.networks.similarity import Similarity


def to_grouped_conv(weight: Tensor, locations: int) -> Tensor:
    """Convert a dense layer's weight to a 1x1 convolution with one group per location.

    Args:
        weight: (H, channels * locations).
        locations: number of locations of the pooled feature map.

    Returns:
        (locations * H, channels, 1, 1).
    """
    groups = weight.view(len(weight), -1, locations).permute(2, 0, 1)
    return groups.reshape(locations * len(weight), -1, 1, 1)


def from_grouped_conv(weight: Tensor, units: int) -> Tensor:
    """Invert :func:`to_grouped_conv` for H = ``units``."""
    groups = weight.view(-1, units, weight.shape[1]).permute(1, 2, 0)
    return groups.reshape(units, -1)


def hidden_contributions(features: Tensor, weight: Tensor) -> Tensor:
    """Return the contribution of each location to each hidden unit.

    A location is a cell of the max-pool. The first four contributions belong to the four
    activations in the cell, of which only the largest passes the pool; the fifth belongs to the
    pooled activation.

    Args:
        features: (B, channels, S/8, S/8) activations of the last convolution.
        weight: from :func:`to_grouped_conv`.

    Returns:
        (locations, H, B, 5).
    """
    # Python integers: the exported graph would compute tensors in every run.
    channels, half = int(features.shape[1]), int(features.shape[2]) // 2
    locations = half * half
    cells = features.view(-1, channels, 4 * locations).transpose(1, 2)
    cells = cells.reshape(-1, half, 2, half, 2, channels).permute(1, 3, 0, 2, 4, 5)
    cells = cells.reshape(locations, -1, 4, channels)
    largest = cells.amax(dim=2, keepdim=True)
    active = cells * (cells >= largest).float()
    rows = torch.cat((active, largest), dim=2).view(locations, -1, channels).transpose(1, 2)
    # The batch takes the place of the image, so that the weights are read once for all faces.
    rows = rows.reshape(1, locations * channels, -1, 5)
    products = functional.conv2d(rows, weight, groups=locations)
    return products.view(locations, len(weight) // locations, -1, 5)


def sum_contributions(contributions: Tensor) -> Tensor:
    """Return the hidden layer before its bias, (B, H), from :func:`hidden_contributions`."""
    return contributions.sum(dim=0)[..., 4].t()


def attention_maps(
    hidden: Tensor, contributions: Tensor, emotion: Tensor, frame: Similarity | None
) -> Tensor:
    """Return the contribution of each location to each logit, (B, C, S/8, S/8), at least 0.

    The map is gradient times activation of the last convolution, summed over channels, then
    ReLU: HiResCAM (Draelos and Carin 2020, section 3.2). Grad-CAM (Selvaraju et al. 2017)
    averages the gradient over locations first, which is not meaningful before a flattened dense
    layer.

    Args:
        hidden: (B, H) last hidden layer.
        contributions: from :func:`hidden_contributions`.
        emotion: (C, H) weight of the emotion layer.
        frame: of the network's output; the maps are moved back to the crop.
    """
    locations, units, classes = (
        int(contributions.shape[0]),
        int(contributions.shape[1]),
        emotion.shape[0],
    )
    half = round(locations**0.5)
    gradient = hidden.sign()[:, None] * emotion  # a ReLU's gradient is 1 where its output is > 0
    maps = gradient @ contributions.permute(2, 1, 0, 3).reshape(-1, units, 5 * locations)
    maps = maps.view(-1, classes, half, half, 5)[..., :4].reshape(-1, classes, half, half, 2, 2)
    maps = maps.transpose(3, 4).reshape(-1, classes, 2 * half, 2 * half)
    maps = functional.relu(maps)
    return maps if frame is None else maps_in_crop(maps, frame)


def maps_in_crop(maps: Tensor, frame: Similarity) -> Tensor:
    """Move maps (B, C, h, h) over the input of the last stage to the crop."""
    side = int(maps.shape[-1])
    axis = torch.arange(side, dtype=maps.dtype, device=maps.device) * 8.0 + 3.5
    scale = 2.0 / (8.0 * (side - 1))
    centers = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).view(1, -1, 2)
    source = frame.then(scale, -3.5 * scale - 1.0).apply(centers)
    grid = source.view(-1, side, side, 2)
    return functional.grid_sample(maps, grid, padding_mode="zeros", align_corners=True)
