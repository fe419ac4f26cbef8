"""The joint loss of EmotionalDAN, with unknown labels masked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edan_ros.core.geometry import SUBSETS
from edan_ros.networks.emotional_dan import Output

RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)


@dataclass(frozen=True)
class LossWeights:
    """Factors of the terms. The paper's are landmarks 0.4 (alpha) and emotion 0.6 (beta)."""

    landmarks: float = 0.4
    emotion: float = 0.6
    presence: float = 0.2
    subset: int = 68


@dataclass
class Losses:
    """Each term as a mean over what is labelled, and their weighted sum."""

    total: Tensor
    landmarks: Tensor
    emotion: Tensor
    presence: Tensor


def landmark_error(predicted: Tensor, truth: Tensor, subset: int = 68) -> Tensor:
    """Mean point distance over the pupil distance of the truth, (B,); NaN where unknown.

    (seed paper, section 2; pupils are the means of points 36-41 and 42-47.)
    """
    index = torch.as_tensor(SUBSETS[subset])
    pupils = truth[:, RIGHT_EYE].mean(dim=1) - truth[:, LEFT_EYE].mean(dim=1)
    distance = (predicted[:, index] - truth[:, index]).square().sum(dim=-1).add(1e-6).sqrt()
    return distance.mean(dim=1) / pupils.norm(dim=1).clamp_min(1e-3)


def _mean_where(values: Tensor, known: Tensor) -> Tensor:
    return torch.where(known, values, 0.0).sum() / known.sum().clamp_min(1)


def joint_loss(output: Output, batch: dict[str, Tensor], weights: LossWeights) -> Losses:
    """``alpha * landmark error + beta * cross-entropy + presence`` (seed paper, section 2).

    ``batch``: landmarks (B, 68, 2), emotion (B, C) target distribution, face (B,), trust (B,);
    NaN marks what is unknown and takes no part.
    """
    has_points = batch["landmarks"].isfinite().all(dim=(1, 2))
    truth = torch.where(has_points[:, None, None], batch["landmarks"], 0.0)
    error = landmark_error(output.landmarks, truth, weights.subset) * batch["trust"]
    has_emotion = batch["emotion"].isfinite().all(dim=1)
    target = torch.where(has_emotion[:, None], batch["emotion"], 0.0)
    cross_entropy = -(target * functional.log_softmax(output.logits, dim=1)).sum(dim=1)
    landmarks = _mean_where(error, has_points)
    emotion = _mean_where(cross_entropy, has_emotion)
    presence = functional.binary_cross_entropy_with_logits(output.presence, batch["face"])
    total = weights.landmarks * landmarks + weights.emotion * emotion + weights.presence * presence
    return Losses(total, landmarks, emotion, presence)
