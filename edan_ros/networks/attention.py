"""Which places of a crop led to each emotion: maps in closed form, at the cost of a product."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edan_ros.networks.base import Output
from edan_ros.networks.emotional_dan import Similarity


def attention_maps(output: Output, emotion: Tensor, hidden_weight: Tensor) -> Tensor:
    """What each place of the crop adds to each logit, (B, C, S/8, S/8), >= 0.

    Gradient times activation of the last convolution, summed over channels, then ReLU: HiResCAM
    (Draelos and Carin 2020, section 3.2), which is Grad-CAM (Selvaraju et al. 2017) without the
    averaging of gradients over places. Before a flattened dense layer that average is not
    meaningful: it left the map of the recognised emotion empty on 59 % of 600 faces.

    Between the last convolution and a logit stand a max-pool and two dense layers, so the
    gradient is a product of known matrices and needs no automatic differentiation.

    Args:
        output: of the network in evaluation mode.
        emotion: (C, 256), the weight of the emotion head.
        hidden_weight: :meth:`Stage.hidden_weight` of the last stage.
    """
    features = output.features
    # As numbers, not as tensors that the exported graph would compute in every run.
    classes, channels, side = emotion.shape[0], int(features.shape[1]), int(features.shape[2])
    half = side // 2
    gate = (output.hidden > 0).float()  # the gradient of the hidden layer's ReLU
    gradient = (gate[:, None] * emotion[None]) @ hidden_weight
    pooled = functional.max_pool2d(features, 2)
    largest = functional.interpolate(pooled, scale_factor=2.0, mode="nearest")
    # The max-pool sends its gradient to the place of the largest activation alone.
    active = features * (features >= largest).float()
    # One product (C x channels) @ (channels x 4) for each pooled place and the four under it: the
    # gradient need not be spread out first, which took a third of the time of it all.
    gradient = gradient.view(-1, classes, channels, half * half).permute(0, 3, 1, 2)
    places = active.flatten(2).transpose(1, 2).reshape(-1, half, 2, half, 2, channels)
    places = places.transpose(2, 3).reshape(-1, half * half, 4, channels)
    maps = (gradient @ places.transpose(2, 3)).view(-1, half, half, classes, 2, 2)
    maps = maps.permute(0, 3, 1, 4, 2, 5).reshape(-1, classes, side, side)
    maps = functional.relu(maps)
    return maps if output.frame is None else _in_crop(maps, output.frame)


def _in_crop(maps: Tensor, frame: Similarity) -> Tensor:
    """Maps (B, C, h, h) of the picture that the last stage saw, moved to the crop's frame."""
    side = int(maps.shape[-1])
    axis = torch.arange(side, dtype=maps.dtype, device=maps.device) * 8.0 + 3.5
    places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).view(1, -1, 2)
    source = (frame.apply(places) - 3.5) * (2.0 / (8.0 * (side - 1))) - 1.0
    grid = source.view(-1, side, side, 2)
    return functional.grid_sample(maps, grid, padding_mode="zeros", align_corners=True)
