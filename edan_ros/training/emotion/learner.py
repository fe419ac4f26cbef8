"""The recogniser together with its loss, and the teacher of a distillation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edan_ros.engines.evaluation_model import EvaluationModel
from edan_ros.networks.base import EmotionNetwork, NetworkOutput
from edan_ros.training.common.checkpoints import load_average, newest_checkpoint
from edan_ros.training.common.config import ConfigError
from edan_ros.training.common.task import Learner
from edan_ros.training.emotion.config import TeacherOptions
from edan_ros.training.emotion.losses import (
    LossWeights,
    consistency_loss,
    distillation_loss,
    loss_terms,
)

#: Terms that are distances; all others are entropies, whose factor is twice as large.
DISTANCES = ("landmarks", "intermediate")


class Teacher:
    """A trained model whose logits the network learns: an ONNX file of this package, or a run.

    Raises:
        ConfigError: if it has other classes than the network.
        ModelError: if the file is not a model of this package.
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
            raise ConfigError(f"the teacher {path} has {known} classes, the network {classes}")

    @torch.no_grad()
    def logits(self, crops: Tensor) -> Tensor:
        """Return the logits (B, C) of crops (B, 1, S, S), resized to the teacher's input."""
        if crops.shape[-1] != self.size:
            size = (self.size, self.size)
            crops = functional.interpolate(crops, size, mode="bilinear", antialias=True)
        if self._network is not None:
            output: NetworkOutput = self._network(crops)
            return output.logits
        logits = self._model.run(crops.cpu().numpy().astype(np.float32))["logits"]
        return torch.from_numpy(logits).to(self.device)


def supported_terms(network: EmotionNetwork) -> list[str]:
    """Return the terms of the loss that a network has outputs for."""
    terms = ["emotion", *(n for n in ("landmarks", "presence", "units") if n in network.outputs)]
    return [*terms, "intermediate"] if network.config.get("stages") == 2 else terms


class EmotionLearner(Learner):
    """A network and the factors of its loss, which are learned if ``weights.uncertainty`` is set.

    Args:
        frozen: whether the first of two stages keeps its weights and running statistics.
        half: whether convolutions run in bfloat16; the loss is always FP32.
        views: number of crops in a row that show one image.
        teacher: model whose logits the network also learns.
    """

    network: EmotionNetwork

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
        self.use_half, self.views = half, views
        self.factors = weights.factors()
        self.logit_adjustment = weights.logit_adjustment
        self.log_variance: nn.ParameterDict | None = None
        if weights.uncertainty:
            # A factor without a term would be a weight without a gradient, which DDP refuses.
            used = [name for name in supported_terms(network) if self.factors[name]]
            self.log_variance = nn.ParameterDict({name: torch.zeros(()) for name in used})
        if frozen:
            network.get_submodule("stage1").requires_grad_(False)

    def train(self, mode: bool = True) -> EmotionLearner:
        super().train(mode)
        if self.frozen:
            self.network.get_submodule("stage1").eval()
        return self

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        crops = batch["crop"][:, None].float()
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.use_half):
            output = self.network(crops)
        subset = self.network.config.get("landmarks", 68)
        terms = loss_terms(output, batch, subset, logit_adjustment=self.logit_adjustment)
        if self.views > 1:
            terms["consistency"] = consistency_loss(output.logits, batch["face"], self.views)
        total = torch.stack([self._weighted(name, term) for name, term in terms.items()]).sum()
        if self.teacher is not None:
            options = self.teacher.options
            target = self.teacher.logits(crops)
            terms["teacher"] = distillation_loss(
                output.logits, target, batch["face"], options.temperature
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
        s: Tensor = self.log_variance[name]
        half = 0.5 if name in DISTANCES else 1.0
        return half * torch.exp(-s) * term + 0.5 * s
