"""The detector's loss: is there a face, where is its box, where are its points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edan_ros.networks.face_detector import DetectorOutput


@dataclass(frozen=True)
class DetectorWeights:
    """Factors of the terms, the focal loss's balance and focus, and what small faces count.

    A face below ``small_px`` (mean of the sides, pixels) counts ``small`` times: it has fewer cells
    that answer for it than a large one.
    """

    score: float = 1.0
    box: float = 2.0
    points: float = 3.0
    balance: float = 0.3
    focus: float = 2.0
    small: float = 1.0
    small_px: float = 32.0


@dataclass
class DetectorLosses:
    """Each term as a sum over cells divided by the number of cells that answer for a face."""

    total: Tensor
    score: Tensor
    box: Tensor
    points: Tensor


def focal_loss(logits: Tensor, target: Tensor, balance: float, focus: float) -> Tensor:
    """Focal loss of each cell (Lin et al. 2017, equation 5); 0 where the target is negative.

    logits and target have one shape; target is 1, 0, or below 0 for a cell to leave out.
    """
    truth = target.clamp_min(0.0)
    probability = logits.sigmoid()
    error = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    wrong = probability * (1 - truth) + (1 - probability) * truth
    share = balance * truth + (1 - balance) * (1 - truth)
    return share * wrong**focus * error * (target >= 0)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU (Rezatofighi et al. 2019), -1 to 1, of (n, 4) boxes x, y, width, height."""
    a_low, a_high = a[:, :2], a[:, :2] + a[:, 2:]
    b_low, b_high = b[:, :2], b[:, :2] + b[:, 2:]
    shared = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp_min(0).prod(dim=1)
    union = a[:, 2:].prod(dim=1) + b[:, 2:].prod(dim=1) - shared
    around = (torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)).prod(dim=1)
    return shared / union.clamp_min(1e-6) - (around - union) / around.clamp_min(1e-6)


def detector_loss(
    found: DetectorOutput, batch: dict[str, Tensor], weights: DetectorWeights
) -> DetectorLosses:
    """Focal loss of the scores, generalised IoU of the boxes, distance of the points.

    ``batch``: score (B, N), box (B, N, 4) and points (B, N, 5, 2) as ``assign`` makes them.
    Distances of points count in sizes of their face.
    """
    answers = batch["score"] > 0.5
    count = answers.sum().clamp_min(1)
    sizes = batch["box"][..., 2:].mean(dim=-1)
    share = torch.where(answers & (sizes < weights.small_px), weights.small, 1.0)
    errors = focal_loss(found.logits, batch["score"], weights.balance, weights.focus)
    score = (errors * share).sum() / count
    truth = batch["box"][answers]
    box = ((1 - generalised_iou(found.boxes[answers], truth)) * share[answers]).sum() / count
    size = truth[:, 2:].mean(dim=1).clamp_min(1.0)[:, None, None]
    off = (found.points[answers] - batch["points"][answers]) / size
    points = off.abs().mean(dim=(1, 2)).sum() / count
    total = weights.score * score + weights.box * box + weights.points * points
    return DetectorLosses(total, score, box, points)
