"""The network together with its loss: what is trained, and what is spread over processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edan_ros.engines.evaluation_model import EvaluationModel
from edan_ros.networks.base import EmotionNetwork
from edan_ros.training.common.checkpoints import load_average, newest_checkpoint
from edan_ros.training.common.config import TeacherOptions
from edan_ros.training.common.errors import ConfigError
from edan_ros.training.emotion.losses import (
    LossWeights,
    consistency_loss,
    distillation_loss,
    loss_terms,
)

#: Terms that are distances; all others are entropies, which Kendall weighs twice as much.
DISTANCES = ("landmarks", "intermediate")


class Teacher:
    """A trained model whose emotion logits are to be imitated: an ONNX file of ours or a run.

    Raises ConfigError when it has other classes than the network, ModelError when the file is
    not a model of this package.
    """

    def __init__(self, options: TeacherOptions, classes: int, device: torch.device) -> None:
        self.options, self.device = options, device
        path = Path(options.model)
        self._network: EmotionNetwork | None = None
        if path.is_dir():
            self._network = load_average(newest_checkpoint(path)).to(device)
            self.size, known = self._network.config["size"], self._network.config["classes"]
        else:
            self._model = EvaluationModel(options.model)
            self.size, known = self._model.manifest.input_size, len(self._model.manifest.labels)
        if known != classes:
            raise ConfigError(f"teacher {path} knows {known} classes, the network {classes}")

    @torch.no_grad()
    def logits(self, crops: Tensor) -> Tensor:
        """(B, C) for the crops (B, 1, S, S) of the student, resized to the teacher's side."""
        if crops.shape[-1] != self.size:
            size = (self.size, self.size)
            crops = functional.interpolate(crops, size, mode="bilinear", antialias=True)
        if self._network is not None:
            return self._network(crops).logits
        said = self._model.run(crops.cpu().numpy().astype(np.float32))["logits"]
        return torch.from_numpy(said).to(self.device)


def given_terms(network: EmotionNetwork) -> list[str]:
    """The terms of the loss that a network has outputs for."""
    terms = ["emotion", *(n for n in ("landmarks", "presence", "units") if n in network.outputs)]
    return [*terms, "intermediate"] if network.config.get("stages") == 2 else terms


class Learner(nn.Module):
    """A network and the factors of its loss, which are learned with it if the weights say so.

    ``frozen``: the first of two stages is left as it is, also in its running statistics. ``half``:
    the network runs in bfloat16 where its operators allow; its loss does not. ``views``: so many
    crops in a row are of one picture.
    """

    def __init__(
        self,
        network: EmotionNetwork,
        weights: LossWeights,
        *,
        frozen: bool = False,
        half: bool = True,
        views: int = 1,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self.network, self.frozen, self.teacher = network, frozen, teacher
        self.half, self.views = half, views
        self.factors = weights.factors()
        self.logit_adjustment = weights.logit_adjustment
        self.log_variance: nn.ParameterDict | None = None
        if weights.uncertainty:
            # A factor without a term would be a weight without a gradient, which DDP refuses.
            used = [name for name in given_terms(network) if self.factors[name]]
            self.log_variance = nn.ParameterDict({name: torch.zeros(()) for name in used})
        if frozen:
            network.stage1.requires_grad_(False)

    def train(self, mode: bool = True) -> Learner:
        super().train(mode)
        if self.frozen:
            self.network.stage1.eval()
        return self

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each term of the loss, and their weighted sum as ``total``."""
        crops = batch["crop"][:, None].float()
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.half):
            output = self.network(crops)
        subset = self.network.config.get("landmarks", 68)
        terms = loss_terms(output, batch, subset, logit_adjustment=self.logit_adjustment)
        if self.views > 1:
            terms["consistency"] = consistency_loss(output.logits, batch["face"], self.views)
        total = torch.stack([self._weighted(name, term) for name, term in terms.items()]).sum()
        if self.teacher is not None:
            options = self.teacher.options
            wanted = self.teacher.logits(crops)
            terms["teacher"] = distillation_loss(
                output.logits, wanted, batch["face"], options.temperature
            )
            total = total + options.weight * terms["teacher"]
        penalty = self.network.penalty()
        if penalty is not None:
            terms["penalty"] = penalty
            total = total + penalty
        return {**terms, "total": total}

    def _weighted(self, name: str, term: Tensor) -> Tensor:
        if self.log_variance is None or name not in self.log_variance:
            return self.factors[name] * term
        s = self.log_variance[name]
        half = 0.5 if name in DISTANCES else 1.0
        return half * torch.exp(-s) * term + 0.5 * s
