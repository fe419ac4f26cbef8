"""EmotionNet 2: a ResNet on the crop of a detected face.

Sources: B. Kennedy, A. Balint, "EmotionNet2", published code (a ResNet with 101 layers), which
Tautkute et al. 2018 cite as the extension of C. F. Benitez-Quiroz, R. Srinivasan,
A. M. Martinez, "EmotioNet", CVPR 2016. Backbone: K. He et al., "Deep Residual Learning for Image
Recognition", CVPR 2016, from torchvision.

Differences: one grey channel; 18, 34, 50 or 101 layers; any training set instead of aligned colour
faces of KDEF. The backbone is unchanged and reduces the side of the crop by 32, to 2 x 2 at 48
pixels.
"""

from __future__ import annotations

from torch import Tensor, nn

from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.backbones import gray_entry, load_colour, torchvision_module
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise

LAYERS = (18, 34, 50, 101)


class EmotionNet2(EmotionNetwork):
    """ResNet with a new last layer.

    Args:
        size: side of the crop in pixels, at least 32.
        layers: number of layers of the ResNet, one of LAYERS.
        classes: number of emotions.

    Raises:
        ValueError: for an invalid size or number of layers.
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
        """Load torchvision's weights of the same ResNet. Raises ValueError for others."""
        load_colour(self.backbone, state, entry="conv1.weight", heads=("fc.",))
