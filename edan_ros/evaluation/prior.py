"""The class prior in an evaluation: of the training set, uniform, or between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.inference import calibration
from edan_ros.engines import Engine, Prediction
from edan_ros.evaluation.classes import polarities
from edan_ros.pipeline.config import PipelineConfig

#: Prior strengths by name.
STRENGTHS = {"uniform": 0.0, "natural": 1.0}
#: Strength by default: that of the pipeline.
DEFAULT_STRENGTH = PipelineConfig().prior_strength


def prior_strength(text: str) -> float:
    """Return the strength of ``uniform``, ``natural`` or a number from 0 to 1.

    Raises ValueError for any other text.
    """
    try:
        strength = STRENGTHS[text] if text in STRENGTHS else float(text)
    except ValueError:
        strength = -1.0
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"must be uniform, natural or a number from 0 to 1, not {text}")
    return strength


class PriorEngine:
    """An engine whose logits include the class prior of the model's training set.

    Adds ``strength * log(class_prior)`` to the logits and sets the temperature, as
    :func:`edan_ros.core.inference.class_probabilities` does, so that whatever computes
    probabilities from them uses the prior. Models whose logits include the prior are unchanged.

    Args:
        engine: runs the model.
        strength: 0 for uniform classes to 1 for the frequencies of the training set.
    """

    def __init__(self, engine: Engine, strength: float) -> None:
        self._engine = engine
        self.name, self.device, self.precision = engine.name, engine.device, engine.precision
        self.selection_reason = engine.selection_reason
        #: The model's manifest with the prior taken out, since the logits include it.
        shift, temperature = calibration(engine.manifest, strength)
        self.manifest = replace(engine.manifest, class_prior=(), temperature=temperature)
        prior = engine.manifest.class_prior
        #: Prior strength; None for a model whose logits include the prior.
        self.strength = strength if len(prior) else None
        self._shift = np.zeros(len(EMOTIONS), np.float32)
        if len(prior):
            if len(prior) < len(EMOTIONS):  # such a model's classes stand for emotions
                shift = shift[polarities().class_of]
            self._shift = shift.astype(np.float32)

    @property
    def input_size(self) -> int:
        """Side of the crops in pixels."""
        return self._engine.input_size

    def infer(self, crops: NDArray[np.float32]) -> Prediction:
        """Run the model on (n, 1, S, S) crops. Raises what the engine raises."""
        prediction = self._engine.infer(crops)
        return replace(prediction, logits=prediction.logits + self._shift)


def describe_prior(strength: float | None) -> str:
    """Return a line about the prior in use; None means that the logits include it."""
    if strength is None:
        return "class prior: inside the logits of this model; --prior has no effect"
    name = next((name for name, value in STRENGTHS.items() if value == strength), "")
    return f"class prior: {name or 'of the training set'}, strength {strength:g}"
