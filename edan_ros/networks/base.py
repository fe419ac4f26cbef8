"""The interface of all emotion networks, and their input normalisation."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from edan_ros.networks.similarity import Similarity


class NetworkOutput(NamedTuple):
    """The outputs of a network for B crops; None for outputs that it does not have.

    Attributes:
        logits: (B, C) emotion logits.
        landmarks: (B, 68, 2) in pixels of the crop.
        presence: (B,) logit that the crop shows a face.
        units: (B, U) logits of facial action units.
        features: (B, channels, h, w) activations of the last convolution.
        hidden: (B, 256) last hidden layer.
        stages: landmarks after each stage; the last equal ``landmarks``.
        frame: transform from pixels of the crop to the input of the last stage; None where that
            is the crop.
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

    ``forward`` takes (B, 1, S, S) grey levels 0 to 255 and returns a :class:`NetworkOutput`.

    Attributes:
        outputs: names of the outputs of its ONNX file, in order.
        config: the constructor's arguments, among them ``size``, the side S in pixels.
        emotion: the last layer.
    """

    outputs: tuple[str, ...] = ("logits",)
    config: dict[str, Any]
    emotion: nn.Linear

    def penalty(self) -> Tensor | None:
        """Return the regularisation term of the network's paper, a scalar; None without one."""
        return None

    def load_backbone(self, state: dict[str, Tensor]) -> None:  # noqa: ARG002
        """Load the weights of a standard backbone that was trained on colour images.

        Raises ValueError when the network has no standard backbone or the weights do not fit.
        """
        raise ValueError(f"{type(self).__name__} has no backbone to start from")


def normalise(crops: Tensor) -> Tensor:
    """Normalise each crop to zero mean and unit deviation; (B, 1, S, S) grey levels 0 to 255.

    The deviation is bounded below by about 4 grey levels, so that noise in a flat crop is not
    amplified.
    """
    x = crops.float() * (1.0 / 64.0)  # keeps the squares small enough for half precision
    x = x - x.mean(dim=(2, 3), keepdim=True)
    variance = x.square().mean(dim=(2, 3), keepdim=True)
    return x / torch.sqrt(variance + (4.0 / 64.0) ** 2)


def check_size(size: int, minimum: int) -> None:
    """Raise ValueError when crops of this side are too small for a network."""
    if size < minimum:
        raise ValueError(f"size must be at least {minimum} pixels, not {size}")
