"""Inception-V3 with a new head.

Papers: X.-L. Xia, C. Xu, B. Nan, "Facial Expression Recognition Based on TensorFlow Platform",
ITM Web of Conferences 2017 (Inception-V3 with its softmax layer trained anew for emotions); the
network: C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR
2016, from torchvision.

Where this differs: all layers are trained, and from random weights unless the training's
``backbone`` names a file of ImageNet weights (nothing is downloaded); the first convolution takes
one grey channel; the auxiliary classifier is left out. The network cannot see less than 75
pixels: smaller crops are enlarged to that.
"""

from __future__ import annotations

import warnings

from torch import Tensor, nn
from torch.nn import functional

from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.backbones import gray_entry, load_colour, torchvision_module
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise

#: The side below which its last maps would be empty.
LEAST = 75
FEATURES = 2048


class InceptionV3(EmotionNetwork):
    """(B, 1, S, S) grey levels 0 to 255 -> logits. Raises ValueError for a size below 32."""

    def __init__(self, *, size: int = 96, classes: int = len(EMOTIONS)) -> None:
        super().__init__()
        check_size(size, 32)
        self.config = {"size": size, "classes": classes}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a default that is given here
            self.backbone = torchvision_module("models").inception_v3(
                weights=None, aux_logits=False, transform_input=False, init_weights=False
            )
        entry = self.backbone.Conv2d_1a_3x3
        entry.conv = gray_entry(entry.conv)
        self.backbone.fc = nn.Identity()
        self.emotion = nn.Linear(FEATURES, classes)

    def forward(self, crops: Tensor) -> NetworkOutput:
        image = normalise(crops)
        if self.config["size"] < LEAST:
            image = functional.interpolate(image, size=(LEAST, LEAST), mode="bilinear")
        return NetworkOutput(logits=self.emotion(self.backbone(image)).float())

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """Take torchvision's weights of ``inception_v3``. Raises ValueError for others."""
        load_colour(
            self.backbone, state, entry="Conv2d_1a_3x3.conv.weight", heads=("fc.", "AuxLogits.")
        )
