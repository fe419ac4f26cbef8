"""Emotions of one face over time: exponential smoothing, hysteresis, and 'unknown'."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import UNKNOWN


@dataclass(frozen=True, slots=True)
class SmoothingConfig:
    """How emotions are smoothed.

    time_constant: seconds after which a change has come through by 63 %; 0 does not smooth.
    confidence_threshold: smoothed probability, 0 to 1, below which the label is 'unknown'.
    margin: how far, 0 to 1, another emotion must exceed the labelled one to replace it.
    """

    time_constant: float = 0.4
    confidence_threshold: float = 0.4
    margin: float = 0.1


@dataclass(frozen=True, slots=True)
class Smoothed:
    """An emotion at one time.

    probabilities: (7,), sum 1. emotion: index or UNKNOWN. confidence: smoothed probability of
    that emotion, of the strongest while it is UNKNOWN.
    """

    probabilities: NDArray[np.float64]
    emotion: int
    confidence: float


class EmotionSmoother:
    """The memory of one face."""

    def __init__(self) -> None:
        self._probabilities: NDArray[np.float64] | None = None
        self._emotion = UNKNOWN
        self._unread = 0.0

    def update(
        self,
        raw: NDArray[np.floating],
        elapsed: float,
        config: SmoothingConfig,
        readable: bool = True,
    ) -> Smoothed:
        """Take in (7,) probabilities of an image ``elapsed`` seconds (>= 0) after the last.

        The weight of an image is 1 - exp(-elapsed / time_constant), the discrete form of a
        first-order low-pass: the result depends on time, not on the number of images. readable:
        False leaves the image out and says 'unknown', as for a head turned too far; what was
        known then fades by the time that passed once it can be read again.
        """
        self._unread += elapsed
        raw = np.asarray(raw, np.float64) / float(np.sum(raw))
        if not readable:
            self._emotion = UNKNOWN
            known = raw if self._probabilities is None else self._probabilities
            return Smoothed(known.copy(), UNKNOWN, float(known.max()))
        if self._probabilities is None:
            self._probabilities = raw
        else:
            tau = config.time_constant
            weight = 1.0 - math.exp(-self._unread / tau) if tau > 0.0 else 1.0
            mixed = self._probabilities + weight * (raw - self._probabilities)
            self._probabilities = mixed / mixed.sum()
        self._unread = 0.0
        p = self._probabilities
        self._emotion = _choose(p, self._emotion, config)
        best = int(p.argmax()) if self._emotion == UNKNOWN else self._emotion
        return Smoothed(p.copy(), self._emotion, float(p[best]))


def _choose(p: NDArray[np.float64], current: int, config: SmoothingConfig) -> int:
    """The label after ``current``, as the configuration's margin and threshold allow."""
    best = int(p.argmax())
    keep = current != UNKNOWN and p[best] <= p[current] + config.margin
    if keep and p[current] >= config.confidence_threshold:
        return current
    return best if p[best] >= config.confidence_threshold else UNKNOWN
