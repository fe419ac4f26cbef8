"""The detector's loss: focal loss of scores, generalised IoU of boxes, distance of points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edan_ros.networks.backbones import torchvision_module
from edan_ros.networks.face_detector import DetectorOutput

ops = torchvision_module("ops")


@dataclass(frozen=True)
class DetectorLossWeights:
    """Factors of the terms, parameters of the focal loss, and the weight of small faces.

    Attributes:
        balance: alpha of the focal loss, the share of cells with a face, 0 to 1.
        focus: gamma of the focal loss.
        small: factor on the score and box of faces below ``small_px`` (mean of width and height,
            pixels), which have fewer cells than large ones.
    """

    score: float = 1.0
    box: float = 2.0
    points: float = 3.0
    balance: float = 0.3
    focus: float = 2.0
    small: float = 1.0
    small_px: float = 32.0


def focal_loss(logits: Tensor, target: Tensor, balance: float, focus: float) -> Tensor:
    """Return the focal loss of each cell (Lin et al. 2017, equation 5), 0 for ignored cells.

    Args:
        logits: of any shape.
        target: of the same shape; 1, 0, or below 0 for a cell to ignore.
    """
    loss: Tensor = ops.sigmoid_focal_loss(logits, target.clamp_min(0.0), balance, focus)
    return loss * (target >= 0)


def box_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return 1 - generalised IoU (Rezatofighi et al. 2019), 0 to 2, of (n, 4) boxes.

    Boxes are x, y, width, height.
    """
    corners = (ops.box_convert(boxes, "xywh", "xyxy") for boxes in (predicted, truth))
    loss: Tensor = ops.generalized_box_iou_loss(*corners)
    return loss


def detector_loss(
    output: DetectorOutput, batch: dict[str, Tensor], weights: DetectorLossWeights
) -> dict[str, Tensor]:
    """Return the terms ``score``, ``box`` and ``points``, and their weighted sum ``total``.

    Each term is a sum over cells divided by the number of cells assigned to a face. Distances of
    points are relative to the size of their face.

    Args:
        batch: score (B, N), box (B, N, 4) and points (B, N, 5, 2) from ``assign_targets``.
    """
    positive = batch["score"] > 0.5
    count = positive.sum().clamp_min(1)
    sizes = batch["box"][..., 2:].mean(dim=-1)
    factor = torch.where(positive & (sizes < weights.small_px), weights.small, 1.0)
    focal = focal_loss(output.logits, batch["score"], weights.balance, weights.focus)
    truth = batch["box"][positive]
    size = truth[:, 2:].mean(dim=1).clamp_min(1.0)[:, None, None]
    distance = (output.points[positive] - batch["points"][positive]).abs() / size
    terms = {
        "score": (focal * factor).sum() / count,
        "box": (box_loss(output.boxes[positive], truth) * factor[positive]).sum() / count,
        "points": distance.mean(dim=(1, 2)).sum() / count,
    }
    total = sum(getattr(weights, name) * term for name, term in terms.items())
    return {**terms, "total": torch.as_tensor(total)}
