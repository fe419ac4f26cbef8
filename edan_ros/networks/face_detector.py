"""A small anchor-free face detector: one score, one box and five points per cell.

Depthwise-separable convolutions (Howard et al., "MobileNets", 2017) down to strides 8, 16 and 32,
a top-down path that adds the coarser maps to the finer ones (Lin et al., "Feature Pyramid
Networks", 2017, section 3), and one small head per stride. A cell predicts the face whose centre
is near its own (Tian et al., "FCOS", 2019). A box is the tight bounding box of the 68 landmarks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Distance between neighbouring cells of each map, in pixels of the input.
STRIDES = (8, 16, 32)
#: Score, box (4), five points (10).
CHANNELS = 15
#: Score of an untrained network everywhere: few cells contain a face (Lin et al., "Focal Loss",
#: 2017, section 4.1).
PRIOR = 0.01
#: Boxes are at most exp of this times the stride, so that untrained networks stay finite.
MAX_LOG_SIZE = 4.0


@dataclass
class DetectorOutput:
    """The predictions of all N cells, fine maps first, row by row.

    Coordinates are pixels of the input, with pixel centres at integers.

    Attributes:
        logits: (B, N).
        boxes: (B, N, 4) left, top, width, height.
        points: (B, N, 5, 2) eyes, nose and corners of the mouth.
    """

    logits: Tensor
    boxes: Tensor
    points: Tensor


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def _separable(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a depthwise and a pointwise convolution with nothing between, to train faster."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, kernel, stride, kernel // 2, groups=inputs, bias=False),
        *_convolution(inputs, outputs, 1),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """A separable convolution added to its input."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.body = _separable(channels, channels, kernel)

    def start_small(self) -> None:
        """Start near the identity, so that the block can be added to a trained network."""
        norm = self.body[2]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.constant_(norm.weight, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def cells(heights: list[int], widths: list[int]) -> Tensor:
    """Return (N, 3): x and y of each cell's centre in pixels of the input, and its stride."""
    rows = []
    for stride, height, width in zip(STRIDES, heights, widths, strict=True):
        x = torch.arange(width) * float(stride) + 0.5 * (stride - 1)
        y = torch.arange(height) * float(stride) + 0.5 * (stride - 1)
        grid = torch.stack(
            [x[None, :].expand(height, width), y[:, None].expand(height, width)], dim=-1
        )
        grid = grid.reshape(-1, 2)
        rows.append(torch.cat([grid, torch.full_like(grid[:, :1], float(stride))], dim=1))
    return torch.cat(rows)


class FaceDetector(nn.Module):
    """The detector's network.

    ``forward`` takes (B, 1, H, W) float grey levels 0 to 255, H and W multiples of 32, and returns
    a :class:`DetectorOutput`.

    Args:
        widths: channels at strides 2, 4, 8, 16 and 32.
        blocks: residual blocks at strides 4, 8, 16 and 32.
        neck: channels of the three maps that the heads read.
        refined: residual blocks on the finest of these maps, which detects small faces.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (16, 24, 48, 80, 96),
        blocks: tuple[int, ...] = (0, 3, 4, 3),
        neck: int = 48,
        refined: int = 0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "widths": list(widths),
            "blocks": list(blocks),
            "neck": neck,
            "refined": refined,
        }
        self.stem = nn.Sequential(*_convolution(1, widths[0], 3, 2), nn.ReLU(inplace=True))
        self.stages = nn.ModuleList()
        for number, count in enumerate(blocks):
            kernel = 3 if number < 2 else 5
            self.stages.append(
                nn.Sequential(
                    _separable(widths[number], widths[number + 1], 3, 2),
                    *(Residual(widths[number + 1], kernel) for _ in range(count)),
                )
            )
        self.lateral = nn.ModuleList(
            nn.Sequential(*_convolution(width, neck, 1)) for width in widths[2:]
        )
        self.refined = nn.Sequential(*(Residual(neck, 3) for _ in range(refined)))
        self.heads = nn.ModuleList(
            nn.Sequential(_separable(neck, neck), nn.Conv2d(neck, CHANNELS, 1)) for _ in STRIDES
        )
        for stride in range(len(STRIDES)):
            weight = self.get_parameter(f"heads.{stride}.1.weight")
            bias = self.get_parameter(f"heads.{stride}.1.bias")
            nn.init.normal_(weight, std=0.01)
            nn.init.zeros_(bias)
            nn.init.constant_(bias[:1], -math.log(1 / PRIOR - 1))
            nn.init.constant_(bias[3:5], math.log(3.0))

    def forward(self, image: Tensor) -> DetectorOutput:
        x = self.stem(image / 128.0 - 1.0)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        maps = [lateral(m) for lateral, m in zip(self.lateral, maps[1:], strict=True)]
        for fine in (1, 0):
            maps[fine] = maps[fine] + functional.interpolate(
                maps[fine + 1], scale_factor=2.0, mode="nearest"
            )
        maps[0] = self.refined(maps[0])
        heads = [head(functional.relu(m)) for head, m in zip(self.heads, maps, strict=True)]
        raw = torch.cat([head.flatten(2) for head in heads], dim=2).transpose(1, 2)
        grid = cells([h.shape[2] for h in heads], [h.shape[3] for h in heads])
        return decode_outputs(raw.float(), grid.to(raw.device))


def decode_outputs(raw: Tensor, grid: Tensor) -> DetectorOutput:
    """Convert the heads' outputs to pixels.

    The centre of the box and the points are offsets from the cell's centre in strides; width and
    height are exponentials in strides.

    Args:
        raw: (B, N, 15) outputs of the heads.
        grid: (N, 3) from :func:`cells`.
    """
    cell, stride = grid[:, :2], grid[:, 2:]
    center = cell + raw[..., 1:3] * stride
    size = raw[..., 3:5].clamp(max=MAX_LOG_SIZE).exp() * stride
    boxes = torch.cat([center - 0.5 * size, size], dim=-1)
    points = torch.stack(
        [
            raw[..., 5:15:2] * stride + cell[:, :1],
            raw[..., 6:15:2] * stride + cell[:, 1:],
        ],
        dim=-1,
    )
    return DetectorOutput(raw[..., 0], boxes, points)
