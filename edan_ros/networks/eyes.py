"""The network that measures openness, gaze and quality of one eye."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from edan_ros.core.eye_crops import EYE_SIZE

#: Radians of gaze for an output of 1 of the last layer.
_GAZE_SCALE = 0.5


class EyeOutput(NamedTuple):
    """openness (n,) 0 to 1; gaze (n, 2) yaw and pitch in radians; quality (n, 3) logits."""

    openness: Tensor
    gaze: Tensor
    quality: Tensor


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_convolution(width, width), _convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.body(x))


class EyeNetwork(nn.Module):
    """Convolutions on a crop of one eye, and a head that also takes the head's angles.

    Args:
        widths: channels of the four levels, each with half the resolution of the one before.
        hidden: units of the hidden layers.
    """

    def __init__(self, widths: tuple[int, ...] = (8, 16, 32, 48), hidden: int = 48) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"widths": tuple(widths), "hidden": hidden}
        a, b, c, d = widths
        self.trunk = nn.Sequential(
            _convolution(1, a),
            _convolution(a, b, 2),
            _convolution(b, c, 2),
            _Residual(c),
            _convolution(c, d, 2),
            _Residual(d),
            nn.Conv2d(d, c, 1),
            nn.ReLU(),
            nn.Flatten(),
        )
        features = c * (EYE_SIZE[0] // 8) * (EYE_SIZE[1] // 8)
        self.features = nn.Sequential(nn.Linear(features, hidden), nn.ReLU())
        self.appearance = nn.Linear(hidden, 4)
        self.gaze = nn.Sequential(nn.Linear(hidden + 2, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def forward(self, image: Tensor, head: Tensor) -> EyeOutput:
        """Return the output for (n, 1, 32, 48) grey levels and (n, 2) yaw and pitch of the head.

        Angles are those of the view frame (``core/eye_crops.py``) in radians.
        """
        middle = image.mean(dim=(2, 3), keepdim=True)
        centred = image - middle
        spread = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
        features = self.features(self.trunk(centred / (spread + 4.0)))
        appearance = self.appearance(features)
        gaze = self.gaze(torch.cat([features, head / _GAZE_SCALE], dim=1)) * _GAZE_SCALE
        return EyeOutput(appearance[:, 0].sigmoid(), gaze, appearance[:, 1:])
