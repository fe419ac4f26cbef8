"""The route over facial action units: picture -> units -> emotion.

Source: the third seed, "Deep emotion recognition": a network fine-tuned from VGG16 on faces
predicts the action units of the Facial Action Coding System (Ekman and Friesen 1978), and a small
network on top of them decides the emotion; the backbone: K. Simonyan, A. Zisserman, "Very Deep
Convolutional Networks", 2015, from torchvision.

Where this differs: VGG with batch normalisation, trained from random weights unless the
training's ``backbone`` names a file, and on one grey channel. No data set here has units labelled
by people: those that landmarks show are taught by core/action_units.py from the landmarks of the
training picture, against the usual neutral face; the units of texture (6, 11, 14) have no label
and are learned from the emotion alone, so they are whatever else helps.
"""

from __future__ import annotations

from torch import Tensor, nn

from edan_ros.core.action_units import ACTION_UNITS
from edan_ros.core.emotions import EMOTIONS
from edan_ros.networks.backbones import gray_entry, load_colour, torchvision_module
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, check_size, normalise

#: All units of the bottleneck: those of core/action_units.py first, then those without a label.
UNITS: tuple[str, ...] = (*ACTION_UNITS, "AU6", "AU11", "AU14")
LAYERS = (11, 13, 16)
FEATURES = 512


class ActionUnitNetwork(EmotionNetwork):
    """(B, 1, S, S) grey levels 0 to 255 -> logits of the units and, from them alone, emotions.

    Raises ValueError for a size below 32 and for a number of ``layers`` that is none of LAYERS.
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
        """Take torchvision's weights of ``vgg<layers>_bn``. Raises ValueError for others."""
        features = {
            name.removeprefix("features."): value
            for name, value in state.items()
            if name.startswith("features.")
        }
        load_colour(self.backbone, features, entry="0.weight", heads=())
