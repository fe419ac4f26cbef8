"""CNN (2): two convolutions with subsampling and one dense layer.

Paper: A. T. Lopes, E. de Aguiar, T. Oliveira-Santos, "A Facial Expression Recognition System
Using Convolutional Networks", SIBGRAPI 2015: 5x5 convolution to 32 maps, 2x2 max-pooling, 7x7
convolution to 64 maps, 2x2 max-pooling, a dense layer of 256.

Differences: crops of any size from 32 pixels (the paper's) upwards, the normalisation of all
networks of this package instead of local contrast, and dropout of 0.5 after the dense layer,
without which the network overfits.
"""

from __future__ import annotations

from torch import Tensor, nn

from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise


class CNN2(EmotionNetwork):
    """Two convolutions and a dense layer. Raises ValueError for a size below 32 pixels."""

    def __init__(self, *, size: int = 48, classes: int = len(EMOTIONS)) -> None:
        super().__init__()
        check_size(size, 32)
        self.config = {"size": size, "classes": classes}
        side = ((size - 4) // 2 - 6) // 2
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 7),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * side * side, 256),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
        )
        self.emotion = nn.Linear(256, classes)

    def forward(self, crops: Tensor) -> NetworkOutput:
        return NetworkOutput(logits=self.emotion(self.features(normalise(crops))).float())
