"""EmotionalDAN: 68 landmarks and the emotion from a two-stage Deep Alignment Network (DAN).

Papers: I. Tautkute, T. Trzcinski, A. Bielski, "I Know How You Feel: Emotion Recognition with
Facial Landmarks", CVPRW 2018 (network and loss), based on M. Kowalski, J. Naruniec,
T. Trzcinski, "Deep Alignment Network", CVPRW 2017 (stages and connection layers).

Differences from the authors' published code:

* The order is convolution, batch normalisation, ReLU, as in DAN, so that the normalisation folds
  into the convolution at export.
* Each crop is normalised by its own mean and standard deviation inside the graph, not by a mean
  image of the training set: the result does not depend on a camera's gain and offset.
* A presence logit beside the emotion logits lets the tracker drop crops without a face.
* Attention maps for each emotion are an output (attention.py).
* All operators of the connection layers exist in ONNX opset 17 and in TensorRT's parser.

Shapes: B crops, S input side in pixels, C classes, L = 68 landmarks. Coordinates are (x, y) in
pixels of the crop, pixel centres at integers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.geometry import CROP_SCALE, MEAN_SHAPE, SUBSETS
from edan_ros.networks.base import EmotionNetwork, NetworkOutput, normalise
from edan_ros.networks.similarity import Similarity, fit_similarity

TRUNK_CHANNELS = (64, 128, 256, 512)
HIDDEN = 256


class ConvBlock(nn.Sequential):
    """3x3 convolution, batch normalisation, ReLU; twice (DAN, table 1)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class Stage(nn.Module):
    """The feed-forward part of a DAN stage: trunk, hidden layer, landmark step.

    ``forward`` takes (B, in_channels, S, S) and returns the landmark step (B, 2 L) in units of
    the face size, the hidden layer (B, 256) and the activations of the last convolution.
    """

    blocks: Any  # a ModuleList of ConvBlock, whose elements have no type for mypy
    hidden_norm: nn.Module  # an identity once it is folded

    def __init__(self, *, in_channels: int, size: int, width: float, landmarks: int) -> None:
        super().__init__()
        channels = [max(8, round(c * width)) for c in TRUNK_CHANNELS]
        ins = [in_channels, *channels[:-1]]
        self.blocks = nn.ModuleList(ConvBlock(i, o) for i, o in zip(ins, channels, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.5)
        self.hidden = nn.Linear(channels[-1] * (size // 16) ** 2, HIDDEN, bias=False)
        self.hidden_norm = nn.BatchNorm1d(HIDDEN)
        self.landmark_step = nn.Linear(HIDDEN, 2 * landmarks)
        nn.init.zeros_(self.landmark_step.weight)
        nn.init.zeros_(self.landmark_step.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        for block in self.blocks[:-1]:
            x = self.pool(block(x))
        features = self.blocks[-1](x)
        flat = self.dropout(self.pool(features).flatten(1))
        hidden = functional.relu(self.hidden_norm(self.hidden(flat)))
        return self.landmark_step(hidden), hidden, features


class Connection(nn.Module):
    """DAN's connection layers (section 3.2): normalised image, heat-map and feature image."""

    axis: Tensor
    grid: Tensor
    canonical: Tensor

    def __init__(self, *, size: int, canonical: Tensor) -> None:
        super().__init__()
        self.size = size
        self.feature = nn.Linear(HIDDEN, (size // 2) ** 2)
        axis = torch.arange(size, dtype=torch.float32)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).view(1, -1, 2)
        self.register_buffer("axis", axis, persistent=False)
        self.register_buffer("grid", grid, persistent=False)
        self.register_buffer("canonical", canonical, persistent=False)

    def forward(
        self, image: Tensor, landmarks: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor, Similarity]:
        """Return the next stage's input, the landmarks in its frame, and the transform to it.

        Args:
            image: (B, 1, S, S), the normalised crop.
            landmarks: (B, L, 2) of the previous stage.
            hidden: (B, 256) hidden layer of the previous stage.

        Returns:
            Normalised image, heat-map and feature image (B, 3, S, S); (B, L, 2); from pixels of
            the crop to those of the input.
        """
        transform = fit_similarity(landmarks, self.canonical)
        source = transform.inverse().then(2.0 / (self.size - 1), -1.0).apply(self.grid)
        grid = source.view(-1, self.size, self.size, 2)
        warped = functional.grid_sample(image, grid, padding_mode="border", align_corners=True)
        aligned = transform.apply(landmarks)
        half = self.size // 2
        feature = functional.relu(self.feature(hidden)).view(-1, 1, half, half)
        feature = functional.interpolate(feature.float(), scale_factor=2.0, mode="nearest")
        return torch.cat((warped, self.heatmap(aligned), feature), dim=1), aligned, transform

    def heatmap(self, landmarks: Tensor) -> Tensor:
        """Return 1 / (1 + distance to the nearest landmark), (B, 1, S, S) (DAN, equation 6)."""
        # (B, rows, landmarks, columns): ONNX Runtime reduces neighbouring rows of memory 2.5 times
        # as fast as whole images.
        x, y = torch.split(landmarks, 1, dim=2)
        dx = (self.axis - x).square()[:, None]
        dy = (self.axis[:, None] - y.transpose(1, 2)).square()[..., None]
        nearest = (dx + dy).amin(dim=2)[:, None]
        heat: Tensor = 1.0 / (1.0 + nearest.sqrt())
        return heat


class EmotionalDAN(EmotionNetwork):
    """EmotionalDAN with one or two stages; the last has the emotion and presence heads.

    Args:
        size: side of the square grey input in pixels, a multiple of 16.
        width: factor on the channels of the trunk; 1.0 in the paper.
        classes: number of emotions, 7 or 3.
        stages: 2 as in the paper; 1 omits the connection and the second stage, to train the
            first stage alone and as a baseline for the second.
        landmarks: number of the 68 points that are learned: 68, 51 (no jaw line), 42 (brows, eyes,
            mouth) or 32 (eyes, mouth), as in the extended paper. The connection uses only these;
            the others come from the mean shape, fitted to the face.

    Raises:
        ValueError: if the size is not a multiple of 16, the number of stages is not 1 or 2, or
            there is no such subset of landmarks.
    """

    outputs = ("landmarks", "logits", "presence", "attention")
    canonical: Tensor
    rest: Tensor
    order: Tensor

    def __init__(
        self,
        *,
        size: int = 112,
        width: float = 1.0,
        classes: int = len(EMOTIONS),
        stages: int = 2,
        landmarks: int = 68,
    ) -> None:
        super().__init__()
        if size <= 0 or size % 16:
            raise ValueError(f"size must be a positive multiple of 16, not {size}")
        if stages not in (1, 2):
            raise ValueError(f"stages must be 1 or 2, not {stages}")
        if landmarks not in SUBSETS:
            raise ValueError(f"landmarks must be one of {tuple(SUBSETS)}, not {landmarks}")
        self.config = {
            "size": size,
            "width": width,
            "classes": classes,
            "stages": stages,
            "landmarks": landmarks,
        }
        self.face_px = size / CROP_SCALE
        mean_shape = torch.tensor(MEAN_SHAPE, dtype=torch.float32)
        shape = mean_shape * self.face_px + (size - 1) / 2.0
        learned = torch.tensor(SUBSETS[landmarks])
        rest = torch.tensor([i for i in range(len(shape)) if i not in SUBSETS[landmarks]]).long()
        canonical, count = shape[learned], len(learned)
        self.register_buffer("canonical", canonical, persistent=False)
        self.register_buffer("rest", shape[rest][None], persistent=False)
        self.register_buffer("order", torch.cat((learned, rest)).argsort(), persistent=False)
        self.stage1 = Stage(in_channels=1, size=size, width=width, landmarks=count)
        if stages == 2:
            self.connection = Connection(size=size, canonical=canonical)
            self.stage2 = Stage(in_channels=3, size=size, width=width, landmarks=count)
        self.emotion = nn.Linear(HIDDEN, classes)
        self.presence = nn.Linear(HIDDEN, 1)

    @property
    def last_stage(self) -> Stage:
        """The stage whose hidden layer the heads read."""
        return self.stage2 if self.config["stages"] == 2 else self.stage1

    def forward(self, crops: Tensor) -> NetworkOutput:
        """Run the network on (B, 1, S, S) crops, grey levels 0 to 255."""
        image = normalise(crops)
        step, hidden, features = self.stage1(image)
        landmarks = self.canonical + self._points(step)
        stages: tuple[Tensor, ...] = (self.complete_landmarks(landmarks),)
        frame = None
        if self.config["stages"] == 2:
            x, aligned, frame = self.connection(image, landmarks, hidden)
            step, hidden, features = self.stage2(x.contiguous(memory_format=torch.channels_last))
            landmarks = frame.inverse().apply(aligned + self._points(step))
            stages = (*stages, self.complete_landmarks(landmarks))
        return NetworkOutput(
            landmarks=stages[-1],
            logits=self.emotion(hidden).float(),
            presence=self.presence(hidden).float().squeeze(1),
            features=features,
            hidden=hidden,
            stages=stages,
            frame=frame,
        )

    def _points(self, step: Tensor) -> Tensor:
        # The geometry stays in FP32 when the convolutions run in half precision.
        return step.float().view(step.shape[0], -1, 2) * self.face_px

    def complete_landmarks(self, points: Tensor) -> Tensor:
        """Complete (B, L, 2) learned points to (B, 68, 2) with the fitted mean shape."""
        if not self.rest.shape[1]:
            return points
        rest = fit_similarity(points, self.canonical).inverse().apply(self.rest)
        return torch.cat((points, rest), dim=1)[:, self.order]

    def warm_start(self, first: EmotionalDAN) -> None:
        """Initialise stage 1, the heads and the trunk of stage 2 from a one-stage network.

        The weights of the two new input channels of stage 2 and of its landmark step start at
        zero, so that both stages give the same landmarks before the first update.

        Raises ValueError if ``first`` has another size, width, number of classes or landmarks.
        """
        if {**first.config, "stages": 2} != self.config:
            raise ValueError(f"{first.config} cannot start {self.config}")
        state = first.stage1.state_dict()
        self.stage1.load_state_dict(state)
        entry = "blocks.0.0.weight"
        state[entry] = functional.pad(state[entry], (0, 0, 0, 0, 0, 2))
        for name in ("landmark_step.weight", "landmark_step.bias"):
            state[name] = torch.zeros_like(state[name])
        self.stage2.load_state_dict(state)
        self.emotion.load_state_dict(first.emotion.state_dict())
        self.presence.load_state_dict(first.presence.state_dict())
