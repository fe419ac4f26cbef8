"""Deep-Emotion: an attentional network with a spatial transformer.

Paper: S. Minaee, A. Abdolrashidi, "Deep-Emotion: Facial Expression Recognition Using Attentional
Convolutional Network", 2019, section III: four convolutions, max-pooling and ReLU after each pair,
dropout, two dense layers. An affine spatial transformer (two convolutions with max-pooling and
ReLU, two dense layers) first warps the image. The loss is cross-entropy plus the norm of the
weights of the last two dense layers. The paper does not give the widths; these are those of the
common reimplementations, 67,000 parameters at 48 pixels.

Differences from the reimplementations: dropout is a module, so that it is off at inference; the
sampling grid uses `align_corners=True` consistently; the transformer starts as the identity. The
grid is a product with fixed coordinates, because ONNX opset 17 has no operator AffineGrid.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise

MAPS = 10


class DeepEmotion(EmotionNetwork):
    """A small network behind a spatial transformer.

    Args:
        size: side of the crop in pixels, at least 32; the paper's is 48.
        classes: number of emotions.
        l2: factor of the squared norm of the last two dense layers' weights in the loss.

    Raises:
        ValueError: for a size below 32.
    """

    def __init__(self, *, size: int = 48, classes: int = len(EMOTIONS), l2: float = 1e-3) -> None:
        super().__init__()
        check_size(size, 32)
        self.config = {"size": size, "classes": classes, "l2": l2}
        self.l2 = l2
        side = ((size - 6) // 2 - 4) // 2
        self.localisation = nn.Sequential(
            nn.Conv2d(1, 8, 7),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, MAPS, 5),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(MAPS * side * side, 32),
            nn.ReLU(inplace=True),
        )
        self.affine = nn.Linear(32, 6)
        nn.init.zeros_(self.affine.weight)
        with torch.no_grad():
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
        side = ((size - 4) // 2 - 4) // 2
        self.features = nn.Sequential(
            nn.Conv2d(1, MAPS, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(MAPS, MAPS, 3),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(MAPS, MAPS, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(MAPS, MAPS, 3),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(0.5),
        )
        self.hidden = nn.Linear(MAPS * side * side, 50)
        self.emotion = nn.Linear(50, classes)
        axis = torch.linspace(-1.0, 1.0, size)
        x, y = torch.meshgrid(axis, axis, indexing="xy")
        self.register_buffer("grid", torch.stack((x, y, torch.ones_like(x)), -1), persistent=False)

    def forward(self, crops: Tensor) -> NetworkOutput:
        image = normalise(crops)
        theta = self.affine(self.localisation(image)).float().view(-1, 1, 2, 3)
        grid = self.grid @ theta.transpose(2, 3)
        warped = functional.grid_sample(image, grid, align_corners=True)
        hidden = functional.relu(self.hidden(self.features(warped)))
        return NetworkOutput(logits=self.emotion(hidden).float())

    def penalty(self) -> Tensor:
        """Return the paper's regularisation of the last two dense layers."""
        weights = self.hidden.weight, self.emotion.weight
        return self.l2 * torch.stack([w.square().sum() for w in weights]).sum()
