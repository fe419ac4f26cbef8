"""The resting face of one person, and emotions relative to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS

_NEUTRAL, _HAPPY = EMOTIONS.index("neutral"), EMOTIONS.index("happy")


class RestingBaseline:
    """Running estimate of the logits that one person's resting face produces.

    A resting face shifts the logits by more than a slight expression does. The estimate starts at
    the mean of the population and moves slowly towards the logits of this person's neutral
    images. It stays within ``MAX_SHIFT`` of the population, so that a person who smiles all the
    time does not become neutral.

    Args:
        population: (7,) mean logits of neutral faces, without a class prior
            (``Manifest.resting_logits``).
    """

    #: Seconds of neutral images that the population mean counts as.
    PRIOR_SECONDS = 0.75
    #: Seconds of neutral images that are remembered; older ones fade.
    MEMORY_SECONDS = 60.0
    #: Seconds that one image counts for at most, however long ago the last one was.
    MAX_STEP = 0.5
    #: Largest shift of a logit relative to the logit of neutral.
    MAX_SHIFT = 1.3
    #: Rise of an emotion's logit over the resting face that counts as a full expression: the
    #: median of the posed expressions of KDEF.
    FULL_DISTANCE = 4.0
    #: Factor on the distance from a resting face that is known for certain.
    GAIN = 2.0
    #: Logits by which every emotion is at least below neutral in a resting face known for certain.
    MIN_MARGIN = 0.2
    #: Logits by which happy is at most below neutral there, so that a slight smile suffices.
    SMILE_MARGIN = 0.8

    def __init__(self, population: Sequence[float]) -> None:
        self._population = _relative(np.asarray(population, np.float64))
        self._rest = np.minimum(self._population, -self.MIN_MARGIN)
        self._rest[_HAPPY] = max(self._rest[_HAPPY], -self.SMILE_MARGIN)
        self._rest[_NEUTRAL] = 0.0
        self._estimate = self._population.copy()
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of neutral images behind the estimate, 0 to ``MEMORY_SECONDS``."""
        return self._seconds

    def update(self, logits: NDArray[np.floating], elapsed: float) -> None:
        """Add an image ``elapsed`` seconds after the last one; (7,) logits without class prior.

        The weight of the image is the probability that it is neutral under the estimate so far.
        """
        self.update_all([self], np.asarray(logits)[None], [elapsed])

    def adjust(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (7,) logits relative to the resting face of the person.

        As the estimate becomes certain, the result moves from the logits themselves to ``GAIN``
        times their distance from the estimate, added to the resting face of the population, with
        every emotion ``MIN_MARGIN`` below neutral or more, and happy ``SMILE_MARGIN`` or less.
        """
        adjusted, _ = self.update_all([self], np.asarray(logits)[None], [0.0])
        return np.asarray(adjusted[0])

    def intensity(self, logits: NDArray[np.floating]) -> float:
        """Return how far (7,) logits are from the resting face, 0, to a full expression, 1."""
        _, intensities = self.update_all([self], np.asarray(logits)[None], [0.0])
        return intensities[0]

    @classmethod
    def update_all(
        cls,
        baselines: Sequence[RestingBaseline],
        logits: NDArray[np.floating],
        elapsed: Sequence[float],
    ) -> tuple[NDArray[np.float64], list[float]]:
        """Add an image of each of n people, as ``update`` does for one of them.

        Args:
            baselines: one for each person.
            logits: (n, 7) without class prior.
            elapsed: n times in seconds; 0 leaves the estimate as it is.

        Returns:
            (n, 7) logits as of ``adjust`` before the image, and n values as of ``intensity`` after
            it.
        """
        population, rest, estimate = np.array(
            [(b._population, b._rest, b._estimate) for b in baselines]
        ).swapaxes(0, 1)
        seconds = np.array([[b._seconds] for b in baselines])
        known = seconds + cls.PRIOR_SECONDS
        certainty = seconds / known
        step = _relative(np.asarray(logits, np.float64)) - estimate
        gain = 1.0 + (cls.GAIN - 1.0) * certainty
        adjusted = population + certainty * (rest - population) + gain * step
        others = np.exp(_relative(adjusted)).sum(axis=1, keepdims=True)
        weight = np.minimum(elapsed, cls.MAX_STEP)[:, None] / others
        moved = estimate + step * (weight / (known + weight))
        # np.clip takes three times as long.
        low, high = population - cls.MAX_SHIFT, population + cls.MAX_SHIFT
        moved = np.minimum(np.maximum(moved, low), high)
        spent = np.minimum(seconds + weight, cls.MEMORY_SECONDS)[:, 0].tolist()
        for baseline, row, value in zip(baselines, moved, spent, strict=True):
            baseline._estimate, baseline._seconds = row, value
        distance = step + (estimate - moved)
        distance[:, _NEUTRAL] = 0.0  # it is 0 already, but for rounding
        intensities = np.minimum(distance.max(axis=1) / cls.FULL_DISTANCE, 1.0)
        return adjusted, intensities.tolist()


def _relative(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 7) logits minus the one of neutral: a constant added to all changes nothing."""
    return np.asarray(logits - logits[..., _NEUTRAL, None])
