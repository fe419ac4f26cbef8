"""The terms of the recogniser's loss, with unknown labels masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edan_ros.core.emotions import EMOTIONS, polarity_probabilities
from edan_ros.core.geometry import SUBSETS
from edan_ros.networks.base import NetworkOutput

RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
#: (7, 3): maps distributions over emotions to those over neutral, positive, negative.
TO_POLARITY = torch.tensor(
    np.stack([polarity_probabilities(row) for row in np.eye(len(EMOTIONS))]), dtype=torch.float32
)


@dataclass(frozen=True)
class LossWeights:
    """Factors of the terms; terms without an output of the network are left out.

    The defaults of landmarks (alpha) and emotion (beta) are those of Tautkute et al. 2018.

    Attributes:
        intermediate: factor of the landmark error of the stages before the last.
        units: factor of the action units.
        consistency: factor of the divergence between the views of an image.
        uncertainty: whether the factors are learned (Kendall, Gal and Cipolla, "Multi-Task
            Learning Using Uncertainty to Weigh Losses", 2018, equation 10); a factor of 0 then
            only leaves out its term.
        logit_adjustment: factor of the log class frequencies that are added to the logits in the
            emotion term (Menon et al., "Long-tail learning via logit adjustment", 2021, equation
            10; 1 is the balanced softmax of Ren et al. 2020). The network then learns logits
            without the class frequencies of its training set.
    """

    landmarks: float = 0.4
    emotion: float = 0.6
    presence: float = 0.2
    intermediate: float = 0.0
    units: float = 0.5
    consistency: float = 0.0
    uncertainty: bool = False
    logit_adjustment: float = 0.0

    def factors(self) -> dict[str, float]:
        """Return the factor of each term by its name."""
        names = [f.name for f in fields(self) if f.name not in ("uncertainty", "logit_adjustment")]
        return {name: float(getattr(self, name)) for name in names}


def landmark_loss(predicted: Tensor, truth: Tensor, subset: int = 68) -> Tensor:
    """Return the (B,) mean point distances relative to the true pupil distance.

    Tautkute et al. 2018, section 2; pupils are the means of points 36-41 and 42-47.

    Args:
        predicted, truth: (B, 68, 2) pixels.
        subset: number of landmarks that count: 68, 51, 42 or 32.
    """
    index = torch.as_tensor(SUBSETS[subset])
    pupils = truth[:, RIGHT_EYE].mean(dim=1) - truth[:, LEFT_EYE].mean(dim=1)
    distance = (predicted[:, index] - truth[:, index]).square().sum(dim=-1).add(1e-6).sqrt()
    error: Tensor = distance.mean(dim=1) / pupils.norm(dim=1).clamp_min(1e-3)
    return error


def polarity_prior(class_prior: Sequence[float], classes: int) -> NDArray[np.float64]:
    """Return the class frequencies (7,) for a network of 7 classes, or summed for one of 3."""
    prior = np.asarray(class_prior, np.float64)
    return prior @ TO_POLARITY.numpy() if classes == TO_POLARITY.shape[1] else prior


def _mean_where(values: Tensor, known: Tensor) -> Tensor:
    return torch.where(known, values, 0.0).sum() / known.sum().clamp_min(1)


def loss_terms(
    output: NetworkOutput,
    batch: dict[str, Tensor],
    subset: int = 68,
    *,
    logit_adjustment: float = 0.0,
) -> dict[str, Tensor]:
    """Return the terms that the network has outputs for, each a mean over labelled samples.

    Args:
        output: of the network, for B samples.
        batch: landmarks (B, 68, 2), emotion (B, 7) target distributions, face (B,) 1 or 0,
            landmark_weight (B,), log_prior (B, 7) and, for a network with units, units (B, U) in
            0 to 1; NaN marks unknown labels.
        subset: number of landmarks that count.
        logit_adjustment: factor of ``log_prior``, which is added to the logits in the emotion
            term.
    """
    prior = logit_adjustment * batch["log_prior"] if logit_adjustment else None
    terms = {"emotion": emotion_loss(output.logits, batch["emotion"], prior)}
    if output.landmarks is not None:
        known = batch["landmarks"].isfinite().all(dim=(1, 2))
        truth = torch.where(known[:, None, None], batch["landmarks"], 0.0)
        errors = [landmark_loss(p, truth, subset) * batch["landmark_weight"] for p in output.stages]
        terms["landmarks"] = _mean_where(errors[-1], known)
        if len(errors) > 1:
            terms["intermediate"] = _mean_where(torch.stack(errors[:-1]).mean(dim=0), known)
    if output.presence is not None:
        terms["presence"] = functional.binary_cross_entropy_with_logits(
            output.presence, batch["face"]
        )
    if output.units is not None:
        terms["units"] = unit_loss(output.units, batch["units"])
    return terms


def emotion_loss(logits: Tensor, target: Tensor, log_prior: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy of logits (B, C) against target distributions (B, 7).

    Rows of the target with NaN are left out. ``log_prior`` (B, 7) is added to the logits. For a
    network of three classes both are summed to neutral, positive and negative.
    """
    known = target.isfinite().all(dim=1)
    target = torch.where(known[:, None], target, 0.0)
    if logits.shape[1] == TO_POLARITY.shape[1]:
        to_polarity = TO_POLARITY.to(target.device)
        target = target @ to_polarity
        log_prior = None if log_prior is None else (log_prior.exp() @ to_polarity).log()
    if log_prior is not None:
        logits = logits + log_prior
    cross_entropy = -(target * functional.log_softmax(logits, dim=1)).sum(dim=1)
    return _mean_where(cross_entropy, known)


def unit_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of action units.

    Args:
        logits: (B, V).
        target: (B, U) in 0 to 1, of the first U <= V units; NaN where unknown.
    """
    known = target.isfinite()
    labelled = logits[:, : target.shape[1]]
    entropy = functional.binary_cross_entropy_with_logits(
        labelled, torch.where(known, target, 0.0), reduction="none"
    )
    return _mean_where(entropy, known)


def consistency_loss(logits: Tensor, faces: Tensor, views: int) -> Tensor:
    """Return the Jensen-Shannon divergence between the views of an image, 0 to log(views).

    Hendrycks et al., "AugMix", 2020, section 3.

    Args:
        logits: (B, C), the views of each image in a row.
        faces: (B,) 1 where a crop shows its face; an image counts if all of its views do.
        views: crops per image.
    """
    predicted = functional.log_softmax(logits, dim=1).reshape(-1, views, logits.shape[1])
    mean = predicted.exp().mean(dim=1, keepdim=True).clamp_min(1e-7).log()
    divergence = (predicted.exp() * (predicted - mean)).sum(dim=2).mean(dim=1)
    return _mean_where(divergence, (faces > 0.5).reshape(-1, views).all(dim=1))


def distillation_loss(logits: Tensor, teacher: Tensor, faces: Tensor, temperature: float) -> Tensor:
    """Return the divergence from the teacher's softened probabilities, over crops with a face.

    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2:
    logits are divided by the temperature, and the result is multiplied by its square.

    Args:
        logits, teacher: (B, C).
        faces: (B,) 1 where a crop shows its face.
    """
    predicted = functional.log_softmax(logits / temperature, dim=1)
    target = functional.log_softmax(teacher / temperature, dim=1)
    divergence = (target.exp() * (target - predicted)).sum(dim=1) * temperature**2
    return _mean_where(divergence, faces > 0.5)
