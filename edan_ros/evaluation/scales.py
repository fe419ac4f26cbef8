"""The classes that a model is judged by: the seven emotions, or positive, negative, neutral."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import EMOTIONS, POLARITIES, polarity_probabilities


@dataclass(frozen=True)
class Scale:
    """Classes made of emotions.

    names: of the classes. title: in words. class_of: (7,) class of each emotion, -1 for one that
    is left out.
    """

    names: tuple[str, ...]
    title: str
    class_of: NDArray[np.intp]

    def probabilities(self, emotions: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 7) probabilities of the emotions -> (n, classes): sums of their members.

        What is left out takes its probability with it; the rest adds up to 1.
        """
        members = np.zeros((len(EMOTIONS), len(self.names)))
        kept = np.flatnonzero(self.class_of >= 0)
        members[kept, self.class_of[kept]] = 1.0
        sums = np.asarray(emotions, np.float64) @ members
        return sums / sums.sum(axis=1, keepdims=True)


SEVEN = Scale(EMOTIONS, "seven emotion categories", np.arange(len(EMOTIONS)))


def three(surprise: str) -> Scale:
    """Positive, negative and neutral. surprise: "positive", or "ignore", which leaves it out."""
    polarity = [int(polarity_probabilities(row).argmax()) for row in np.eye(len(EMOTIONS))]
    class_of = np.array(polarity, np.intp)
    title = "three emotion categories, surprise as positive"
    if surprise == "ignore":
        class_of[EMOTIONS.index("surprise")] = -1
        title = "three emotion categories, surprise left out"
    return Scale(POLARITIES, title, class_of)
