"""Emotion from facial action units: image -> action units -> emotion.

Source: "Deep emotion recognition", in which a VGG16 fine-tuned on faces predicts the action units
of the Facial Action Coding System (Ekman and Friesen 1978) and a small network on top predicts
the emotion. Backbone: K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks", 2015, from
torchvision.

Differences: VGG with batch normalisation, one grey channel, and random initial weights unless the
training configuration names a ``backbone`` file. No supported data set has annotated action
units: core/action_units.py computes the labels of the units that landmarks show, relative to the
average neutral face. The texture units (6, 11, 14) have no labels and learn from the emotion only.
"""

from __future__ import annotations

from torch import Tensor, nn

from edan_ros.core.action_units import ACTION_UNITS
from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.backbones import gray_entry, load_colour, torchvision_module
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise

#: Units of the bottleneck: those of core/action_units.py first, then those without labels.
UNITS: tuple[str, ...] = (*ACTION_UNITS, "AU6", "AU11", "AU14")
LAYERS = (11, 13, 16)
FEATURES = 512


class ActionUnitNetwork(EmotionNetwork):
    """VGG that predicts action units and, from them alone, emotions.

    Args:
        size: side of the crop in pixels, at least 32.
        layers: number of layers of the VGG, one of LAYERS.
        classes: number of emotions.

    Raises:
        ValueError: for an invalid size or number of layers.
    """

    outputs = ("logits", "units")

    def __init__(self, *, size: int = 48, layers: int = 16, classes: int = len(EMOTIONS)) -> None:
        super().__init__()
        check_size(size, 32)
        if layers not in LAYERS:
            raise ValueError(f"layers must be one of {LAYERS}, not {layers}")
        self.config = {"size": size, "layers": layers, "classes": classes}
        self.backbone = getattr(torchvision_module("models"), f"vgg{layers}_bn")(
            weights=None, init_weights=False
        ).features
        for module in self.backbone.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.backbone[0] = gray_entry(self.backbone[0])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.units = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(FEATURES, len(UNITS)))
        self.rule = nn.Sequential(nn.Linear(len(UNITS), 32), nn.ReLU(inplace=True))
        self.emotion = nn.Linear(32, classes)

    def forward(self, crops: Tensor) -> NetworkOutput:
        units = self.units(self.pool(self.backbone(normalise(crops)))).float()
        return NetworkOutput(logits=self.emotion(self.rule(units.sigmoid())).float(), units=units)

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """Load torchvision's weights of ``vgg<layers>_bn``. Raises ValueError for others."""
        features = {
            name.removeprefix("features."): value
            for name, value in state.items()
            if name.startswith("features.")
        }
        load_colour(self.backbone, features, entry="0.weight", heads=())
