"""Landmarks that matter for each emotion according to EMFACS, and their overlap with a map.

EMFACS (Friesen & Ekman, 1983) names the action units of each emotion. Each unit is represented by
the landmarks that it moves or that are nearest to its appearance; this package derived them from
Ekman & Friesen, "Facial Action Coding System", 1978.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import NUM_LANDMARKS

#: Action units of each emotion; neutral has none.
UNITS: dict[str, tuple[int, ...]] = {
    "happy": (6, 12),
    "sad": (1, 4, 15),
    "surprise": (1, 2, 5, 26),
    "fear": (1, 2, 4, 5, 7, 20, 26),
    "disgust": (9, 15, 16),
    "anger": (4, 5, 7, 23),
}

_UPPER_LIDS, _LOWER_LIDS = (37, 38, 43, 44), (40, 41, 46, 47)
_CORNERS = (48, 54, 60, 64)
_LOWER_LIP = (55, 56, 57, 58, 59, 65, 66, 67)
#: Landmarks of each action unit.
UNIT_LANDMARKS: dict[int, tuple[int, ...]] = {
    1: (20, 21, 22, 23),  # inner brows
    2: (17, 18, 25, 26),  # outer brows
    4: (19, 20, 21, 22, 23, 24, 27),  # brows drawn together, root of the nose
    5: _UPPER_LIDS,
    6: (*_LOWER_LIDS, 36, 45),  # cheeks push up the lower lids, crow's feet
    7: (*_UPPER_LIDS, *_LOWER_LIDS),
    9: (27, 28, 29, 30, 31, 32, 33, 34, 35),  # wrinkled nose
    12: (*_CORNERS, 49, 53, 55, 59),
    15: (*_CORNERS, 55, 59),
    16: _LOWER_LIP,
    20: (*_CORNERS, 49, 53, 55, 59),
    23: tuple(range(48, 68)),  # both lips
    26: (*_LOWER_LIP, 6, 7, 8, 9, 10),  # jaw drops: lower lip, chin
}


def landmark_set(units: Iterable[int]) -> frozenset[int]:
    """Return the landmarks of the given action units."""
    return frozenset(point for unit in units for point in UNIT_LANDMARKS[unit])


#: Landmarks of each emotion but neutral.
LANDMARK_SETS: dict[str, frozenset[int]] = {
    emotion: landmark_set(units) for emotion, units in UNITS.items()
}


def overlap(shares: NDArray[np.floating], wanted: frozenset[int]) -> float:
    """Return the fraction, 0 to 1, of n wanted landmarks that is among the n largest shares.

    shares: (68,) from ranking.landmark_shares. The expected value for random shares is
    :func:`overlap_chance`.
    """
    first = np.argsort(-np.asarray(shares), kind="stable")[: len(wanted)]
    return len(wanted.intersection(first.tolist())) / len(wanted)


def overlap_chance(wanted: frozenset[int]) -> float:
    """Return the expected overlap of a random ranking."""
    return len(wanted) / NUM_LANDMARKS
