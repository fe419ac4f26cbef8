"""What every network of emotions takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from edan_ros.networks.emotional_dan import Similarity


class NetworkOutput(NamedTuple):
    """What a network says of a batch of B crops; None for what it does not give.

    logits (B, C); landmarks (B, 68, 2) pixels of the crop; presence (B,) logit; units (B, U)
    logits of facial action units; features (B, channels, h, w) the last convolution's
    activations; hidden (B, 256) the last hidden layer; stages: the landmarks of each stage, the
    last equal to ``landmarks``; frame: leads from pixels of the crop to those of the picture that
    the last stage saw, None where it is the crop.
    """

    logits: Tensor
    landmarks: Tensor | None = None
    presence: Tensor | None = None
    units: Tensor | None = None
    features: Tensor | None = None
    hidden: Tensor | None = None
    stages: tuple[Tensor, ...] = ()
    frame: Similarity | None = None


class EmotionNetwork(nn.Module):
    """A network whose emotion logits come from a dense layer called ``emotion``.

    config: the arguments that build it anew, ``size`` (side of the grey crop in pixels) among
    them. outputs: the names of what its ONNX file gives, in the order of the file.
    """

    outputs: tuple[str, ...] = ("logits",)
    config: dict[str, Any]
    emotion: nn.Linear

    def penalty(self) -> Tensor | None:
        """What the network's paper adds to the loss, a scalar; None for nothing."""
        return None

    def load_backbone(self, _state: dict[str, Tensor]) -> None:
        """Take the weights of a standard backbone that was trained on colour pictures.

        Raises ValueError: this network has no standard backbone.
        """
        raise ValueError(f"{type(self).__name__} has no backbone to start from")


def normalise(crops: Tensor) -> Tensor:
    """Zero mean and unit deviation of each crop; (B, 1, S, S) grey levels 0 to 255.

    The deviation is kept above 4 grey levels: a flat crop must not become amplified noise.
    """
    x = crops.float() * (1.0 / 64.0)  # squares stay small enough for half precision
    x = x - x.mean(dim=(2, 3), keepdim=True)
    variance = x.square().mean(dim=(2, 3), keepdim=True)
    return x / torch.sqrt(variance + (4.0 / 64.0) ** 2)


def check_size(size: int, least: int) -> None:
    """Raises ValueError when crops of this side are too small for a network."""
    if size < least:
        raise ValueError(f"size must be at least {least} pixels, not {size}")
