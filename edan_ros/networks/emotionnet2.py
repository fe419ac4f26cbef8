"""EmotionNet 2: a ResNet on the detected face.

Papers: B. Kennedy, A. Balint, "EmotionNet2", its published code (a ResNet of 101 layers on faces
cut out by a detector), cited by the seed paper as the extension of C. F. Benitez-Quiroz,
R. Srinivasan, A. M. Martinez, "EmotioNet", CVPR 2016; the network: K. He et al., "Deep Residual
Learning for Image Recognition", CVPR 2016, from torchvision.

Where this differs: one grey channel; 18, 34, 50 or 101 layers; no aligned colour faces of KDEF
but whatever is trained on. The backbone is torchvision's as it is, which ends at a thirty-second
of the crop's side: 2 x 2 places at 48 pixels.
"""

from __future__ import annotations

from torch import Tensor, nn

from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.backbones import gray_entry, load_colour, torchvision_module
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise

LAYERS = (18, 34, 50, 101)


class EmotionNet2(EmotionNetwork):
    """(B, 1, S, S) grey levels 0 to 255 -> logits.

    Raises ValueError for a size below 32 and for a number of ``layers`` that is none of LAYERS.
    """

    def __init__(self, *, size: int = 96, layers: int = 101, classes: int = len(EMOTIONS)) -> None:
        super().__init__()
        check_size(size, 32)
        if layers not in LAYERS:
            raise ValueError(f"layers must be one of {LAYERS}, not {layers}")
        self.config = {"size": size, "layers": layers, "classes": classes}
        self.backbone = getattr(torchvision_module("models"), f"resnet{layers}")(weights=None)
        self.backbone.conv1 = gray_entry(self.backbone.conv1)
        self.emotion = nn.Linear(self.backbone.fc.in_features, classes)
        self.backbone.fc = nn.Identity()

    def forward(self, crops: Tensor) -> NetworkOutput:
        return NetworkOutput(logits=self.emotion(self.backbone(normalise(crops))).float())

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """Take torchvision's weights of the ResNet with as many layers. Raises ValueError."""
        load_colour(self.backbone, state, entry="conv1.weight", heads=("fc.",))
