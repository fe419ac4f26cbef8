"""The network as it is exported and run: folded, with the outputs of the models that ship."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from edan_ros.networks.attention import attention_maps
from edan_ros.networks.emotional_dan import EmotionalDAN, Stage


class Deployed(nn.Module):
    """The folded network; ``forward`` takes (B, 1, S, S) grey levels 0 to 255 and returns
    landmarks (B, 68, 2), logits (B, C), presence (B,) 0 to 1 and attention (B, C, S/8, S/8)."""

    def __init__(self, network: EmotionalDAN) -> None:
        super().__init__()
        self.network = fold(network)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        out = self.network(crops)
        # Folded: the hidden layer's weight holds its normalisation. It is stored once for both.
        weights = self.network.emotion.weight, self.network.last_stage.hidden.weight
        maps = attention_maps(out, *weights)
        return out.landmarks, out.logits, out.presence.sigmoid(), maps


def fold(network: EmotionalDAN) -> EmotionalDAN:
    """A copy for inference, its batch normalisations folded into the layers before them."""
    network = copy.deepcopy(network).eval()
    for stage in network.modules():
        if isinstance(stage, Stage):
            for block in stage.blocks:
                for conv, norm in ((0, 1), (3, 4)):
                    block[conv] = fuse_conv_bn_eval(block[conv], block[norm])
                    block[norm] = nn.Identity()
            stage.hidden = fuse_linear_bn_eval(stage.hidden, stage.hidden_norm)
            stage.hidden_norm = nn.Identity()
    return network
