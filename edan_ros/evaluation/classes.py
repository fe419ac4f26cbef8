"""The classes of an evaluation: the seven emotions, or positive, negative and neutral."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, POLARITIES, polarity_probabilities


@dataclass(frozen=True)
class ClassScheme:
    """A grouping of the emotions into classes.

    Attributes:
        names: of the classes.
        title: of a table.
        class_of: (7,) class of each emotion; -1 for an emotion that is left out.
    """

    names: tuple[str, ...]
    title: str
    class_of: NDArray[np.intp]

    def probabilities(self, emotions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n, classes) sums of (n, 7) probabilities of the emotions.

        Each row sums to 1: the probability of emotions that are left out is redistributed.
        """
        members = np.zeros((len(EMOTIONS), len(self.names)))
        kept = np.flatnonzero(self.class_of >= 0)
        members[kept, self.class_of[kept]] = 1.0
        sums = np.asarray(emotions, np.float64) @ members
        return np.asarray(sums / sums.sum(axis=1, keepdims=True))


SEVEN = ClassScheme(EMOTIONS, "seven emotion categories", np.arange(len(EMOTIONS)))


def polarities(surprise: str = "positive") -> ClassScheme:
    """Return the scheme of neutral, positive and negative.

    surprise: "positive", or "ignore" to leave it out.
    """
    class_of = np.array([polarity_probabilities(row).argmax() for row in np.eye(len(EMOTIONS))])
    title = "three emotion categories, surprise as positive"
    if surprise == "ignore":
        class_of[EMOTIONS.index("surprise")] = -1
        title = "three emotion categories, surprise left out"
    return ClassScheme(POLARITIES, title, class_of)
