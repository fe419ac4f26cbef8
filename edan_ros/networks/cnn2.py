"""CNN (2): two convolutions with subsampling and one dense layer.

Paper: A. T. Lopes, E. de Aguiar, T. Oliveira-Santos, "A Facial Expression Recognition System
Using Convolutional Networks", SIBGRAPI 2015: 5x5 convolution to 32 maps, 2x2 max-pooling, 7x7
convolution to 64 maps, 2x2 max-pooling, a dense layer of 256.

Where this differs: crops may have any size from 32 pixels on, the paper's; they are normalised as
all networks here do it, instead of by local contrast; and half of the dense layer is dropped out
in training, without which so many weights learn the training set by heart.
"""

from __future__ import annotations

from torch import Tensor, nn

from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise


class CNN2(EmotionNetwork):
    """(B, 1, S, S) grey levels 0 to 255 -> logits. Raises ValueError for a size below 32."""

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
