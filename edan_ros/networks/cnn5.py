"""CNN (5): five convolutions with subsampling and one dense layer.

Paper: I. Tautkute, T. Trzcinski, A. Bielski, "I Know How You Feel", CVPRW 2018, section 3, which
names it as a baseline without giving its layers. This version has five blocks of 3x3 convolution,
batch normalisation, ReLU and 2x2 max-pooling with 32, 64, 128, 128 and 256 maps, then a dense
layer of 256 with dropout, as in CNN (2).
"""

from __future__ import annotations

from torch import Tensor, nn

from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise

CHANNELS = (32, 64, 128, 128, 256)


class CNN5(EmotionNetwork):
    """Five convolutions and a dense layer. Raises ValueError for a size below 32 pixels."""

    def __init__(self, *, size: int = 48, classes: int = len(EMOTIONS)) -> None:
        super().__init__()
        check_size(size, 32)
        self.config = {"size": size, "classes": classes}
        layers: list[nn.Module] = []
        for inputs, outputs in zip((1, *CHANNELS), CHANNELS, strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
        self.features = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(CHANNELS[-1] * (size // 32) ** 2, 256),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
        )
        self.emotion = nn.Linear(256, classes)

    def forward(self, crops: Tensor) -> NetworkOutput:
        return NetworkOutput(logits=self.emotion(self.features(normalise(crops))).float())
