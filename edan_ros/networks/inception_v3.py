"""Inception-V3 with a new last layer.

Papers: X.-L. Xia, C. Xu, B. Nan, "Facial Expression Recognition Based on TensorFlow Platform",
ITM Web of Conferences 2017 (Inception-V3 with a retrained softmax layer). Backbone: C. Szegedy et
al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, from torchvision.

Differences: all layers are trained, from random weights unless the training configuration names a
``backbone`` file of ImageNet weights; the first convolution takes one grey channel; there is no
auxiliary classifier. Crops smaller than 75 pixels, the network's minimum, are enlarged.
"""

from __future__ import annotations

import warnings

from torch import Tensor, nn
from torch.nn import functional

from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.backbones import gray_entry, load_colour, torchvision_module
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise

#: Side in pixels below which the last feature maps would be empty.
MIN_SIDE = 75
FEATURES = 2048


class InceptionV3(EmotionNetwork):
    """Inception-V3 for emotions. Raises ValueError for a size below 32 pixels."""

    def __init__(self, *, size: int = 96, classes: int = len(EMOTIONS)) -> None:
        super().__init__()
        check_size(size, 32)
        self.config = {"size": size, "classes": classes}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about the default of init_weights
            self.backbone = torchvision_module("models").inception_v3(
                weights=None, aux_logits=False, transform_input=False, init_weights=False
            )
        entry = self.backbone.Conv2d_1a_3x3
        entry.conv = gray_entry(entry.conv)
        self.backbone.fc = nn.Identity()
        self.emotion = nn.Linear(FEATURES, classes)

    def forward(self, crops: Tensor) -> NetworkOutput:
        image = normalise(crops)
        if self.config["size"] < MIN_SIDE:
            image = functional.interpolate(image, size=(MIN_SIDE, MIN_SIDE), mode="bilinear")
        return NetworkOutput(logits=self.emotion(self.backbone(image)).float())

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """Load torchvision's weights of ``inception_v3``. Raises ValueError for others."""
        load_colour(
            self.backbone, state, entry="Conv2d_1a_3x3.conv.weight", heads=("fc.", "AuxLogits.")
        )
