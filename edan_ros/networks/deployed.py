"""EmotionalDAN as it is exported: batch normalisation folded, attention maps as an output."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from edan_ros.networks.attention import (
    attention_maps,
    hidden_contributions,
    sum_contributions,
    to_grouped_conv,
)
from edan_ros.networks.emotional_dan import EmotionalDAN, Stage


class DeployedStage(nn.Module):
    """The last stage, folded, whose hidden layer is the sum of the contributions of locations.

    ``forward`` returns what :class:`Stage` does, with :func:`hidden_contributions` in place of the
    activations of the last convolution.
    """

    def __init__(self, stage: Stage, locations: int) -> None:
        super().__init__()
        self.blocks, self.pool = stage.blocks, stage.pool
        # The parameter is called "shares" in the ONNX files of all versions.
        self.shares = nn.Parameter(to_grouped_conv(stage.hidden.weight.detach(), locations))
        self.hidden_bias = nn.Parameter(stage.hidden.bias.detach())
        self.landmark_step = stage.landmark_step

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        for block in self.blocks[:-1]:
            x = self.pool(block(x))
        contributions = hidden_contributions(self.blocks[-1](x), self.shares)
        hidden = functional.relu(sum_contributions(contributions) + self.hidden_bias)
        return self.landmark_step(hidden), hidden, contributions


class Deployed(nn.Module):
    """The folded network.

    ``forward`` takes (B, 1, S, S) grey levels 0 to 255 and returns landmarks (B, 68, 2), logits
    (B, C), presence (B,) 0 to 1 and attention (B, C, S/8, S/8).
    """

    def __init__(self, network: EmotionalDAN) -> None:
        super().__init__()
        self.network = fold(network)
        locations = (network.config["size"] // 16) ** 2
        last = f"stage{network.config['stages']}"
        setattr(self.network, last, DeployedStage(getattr(self.network, last), locations))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        out = self.network(crops)
        maps = attention_maps(out.hidden, out.features, self.network.emotion.weight, out.frame)
        return out.landmarks, out.logits, out.presence.sigmoid(), maps


def fold(network: EmotionalDAN) -> EmotionalDAN:
    """Return a copy for inference with batch normalisation folded into the preceding layers."""
    network = copy.deepcopy(network).eval()
    for stage in network.modules():
        if isinstance(stage, Stage):
            for block in stage.blocks:
                for conv, norm in ((0, 1), (3, 4)):
                    block[conv] = fuse_conv_bn_eval(block[conv], block[norm])
                    block[norm] = nn.Identity()
            assert isinstance(stage.hidden_norm, nn.BatchNorm1d)
            stage.hidden = fuse_linear_bn_eval(stage.hidden, stage.hidden_norm)
            stage.hidden_norm = nn.Identity()
    return network
