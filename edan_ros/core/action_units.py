"""Facial action units (Ekman & Friesen, "Facial Action Coding System", 1978) from 68 landmarks.

The landmarks are aligned to the mean face by points that hardly move with expression. Distances
between them, in units of the distance of the eye centres, are compared with those of the same
person's neutral face, which is estimated quickly over the first seconds and slowly afterwards. The
intensity of a unit, 0 to 1, is the difference from the neutral face divided by that of a strong
expression.

Units that change only texture (6, 11, 14) are omitted, because landmarks do not show them; 23 and
24 move the landmarks alike and are reported as AU23. Beyond about 30 degrees of head rotation
foreshortening looks like expression.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import MEAN_SHAPE, pupil_distance, similarity

#: The estimated units, in this order everywhere.
ACTION_UNITS: tuple[str, ...] = (
    "AU1",  # inner brow raiser
    "AU2",  # outer brow raiser
    "AU4",  # brow lowerer
    "AU5",  # upper lid raiser
    "AU7",  # lid tightener
    "AU9",  # nose wrinkler
    "AU10",  # upper lip raiser
    "AU12",  # lip corner puller
    "AU15",  # lip corner depressor
    "AU17",  # chin raiser
    "AU20",  # lip stretcher
    "AU23",  # lip tightener, or presser (24)
    "AU25",  # lips part
    "AU26",  # jaw drop
    "AU43",  # eyes closed
)

#: EMFACS (Friesen & Ekman, 1983): those of the estimated units that each emotion consists of.
EMFACS: dict[str, frozenset[str]] = {
    "happy": frozenset({"AU12"}),
    "sad": frozenset({"AU1", "AU4", "AU15"}),
    "surprise": frozenset({"AU1", "AU2", "AU5", "AU26"}),
    "fear": frozenset({"AU1", "AU2", "AU4", "AU5", "AU7", "AU20", "AU26"}),
    "disgust": frozenset({"AU9", "AU15"}),
    "anger": frozenset({"AU4", "AU5", "AU7", "AU23"}),
}

#: Landmarks for the alignment: eye corners and bridge of the nose.
_STABLE = [36, 39, 42, 45, 27, 28, 29, 30]
_X, _Y = 0, 1

#: Distances in a face, each a difference of two mean coordinates: (axis, points, points to
#: subtract).
_DISTANCES: dict[str, tuple[int, Sequence[int], Sequence[int]]] = {
    "inner_brow": (_Y, (39, 42), (20, 21, 22, 23)),  # height above the inner eye corners
    "outer_brow": (_Y, (36, 45), (17, 18, 25, 26)),
    "brow_gap": (_X, (22,), (21,)),
    "eye": (_Y, (40, 41, 46, 47), (37, 38, 43, 44)),  # opening of the lids
    "nose_lip": (_Y, (51,), (33,)),
    "mouth_width": (_X, (54,), (48,)),
    "corner_drop": (_Y, (48, 54), (62, 66)),  # corners of the mouth below its centre
    "lip_chin": (_Y, (8,), (57,)),
    "mouth_gap": (_Y, (65, 66, 67), (61, 62, 63)),
    "lips": (_Y, (61, 62, 63, 56, 57, 58), (50, 51, 52, 65, 66, 67)),  # mean of both thicknesses
}

#: Median of these distances in neutral faces, in distances of the eye centres, and their spread
#: between people (1.4826 times the median absolute deviation), over 8,572 frontal photographs.
_NEUTRAL: dict[str, tuple[float, float]] = {
    "inner_brow": (0.312, 0.078),
    "outer_brow": (0.246, 0.050),
    "brow_gap": (0.326, 0.048),
    "eye": (0.118, 0.025),
    "nose_lip": (0.243, 0.045),
    "mouth_width": (0.797, 0.080),
    "corner_drop": (-0.014, 0.043),
    "lip_chin": (0.480, 0.121),
    "mouth_gap": (0.025, 0.030),
    "lips": (0.109, 0.026),
}
_NAMES = tuple(_DISTANCES)


def _distance_matrix() -> NDArray[np.float64]:
    """Return the (10, 136) matrix that maps flattened aligned landmarks to the distances."""
    rows = np.zeros((len(_DISTANCES), 68, 2))
    for row, (axis, points, less) in zip(rows, _DISTANCES.values(), strict=True):
        row[list(points), axis] = 1.0 / len(points)
        row[list(less), axis] -= 1.0 / len(less)
    return rows.reshape(len(rows), -1) / float(pupil_distance(MEAN_SHAPE))


_MATRIX = _distance_matrix()
_MEDIAN = np.array([_NEUTRAL[name][0] for name in _NAMES])
_SPREAD = np.array([_NEUTRAL[name][1] for name in _NAMES])


def facial_distances(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (10,) distances of ``_DISTANCES`` for (68, 2) landmarks in pixels.

    Raises ValueError if the landmarks for the alignment coincide.
    """
    matrix, _ = similarity(landmarks[_STABLE], MEAN_SHAPE[_STABLE])
    return _MATRIX @ (np.asarray(landmarks, np.float64) @ matrix).ravel()


class ActionUnitEstimator:
    """Estimates the action units of one person relative to a running neutral face."""

    #: Seconds of observation that the median face of the population counts as.
    PRIOR = 0.7
    #: Time constant in seconds of the neutral face once it is known.
    MEMORY = 60.0
    #: Largest deviation of the neutral face from the median of the population, in spreads, so that
    #: a permanent smile does not become the neutral face.
    REACH = 2.0
    #: Time constant in seconds that smooths the jitter of the landmarks.
    SMOOTHING = 0.08
    #: Seconds that one image counts for at most, however long ago the last one was.
    LONGEST_STEP = 0.5

    def __init__(self) -> None:
        self._neutral = _MEDIAN.copy()
        self._known = self.PRIOR
        self._distances: NDArray[np.float64] | None = None

    def update(
        self, landmarks: NDArray[np.floating], dt: float, neutrality: float = 1.0
    ) -> dict[str, float]:
        """Return the intensities of the units in the next image, name -> 0 to 1.

        Args:
            landmarks: (68, 2) in pixels.
            dt: seconds since the last image, 0 or more.
            neutrality: probability, 0 to 1, that the face is neutral: the weight of this image in
                the estimate of the neutral face.

        Returns:
            The intensities; empty if the landmarks are not finite or coincide.
        """
        if not np.all(np.isfinite(landmarks)):
            return {}
        try:
            distances = facial_distances(landmarks)
        except ValueError:
            return {}
        if self._distances is None:
            self._distances = distances
        else:
            self._distances += (distances - self._distances) * -math.expm1(-dt / self.SMOOTHING)
        self._update_neutral(distances, min(dt, self.LONGEST_STEP) * neutrality)
        return _intensities(self._distances, self._neutral)

    def _update_neutral(self, distances: NDArray[np.float64], weight: float) -> None:
        """Move the neutral face towards these distances: a running mean that slows down."""
        self._known = min(self._known + weight, self.MEMORY)
        neutral = self._neutral + (distances - self._neutral) * min(weight / self._known, 1.0)
        reach = self.REACH * _SPREAD
        self._neutral = np.clip(neutral, _MEDIAN - reach, _MEDIAN + reach)


def _ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to ``low``, 1 from ``high``, and linear values between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _intensities(distances: NDArray[np.float64], neutral: NDArray[np.float64]) -> dict[str, float]:
    """Return the intensities of all units for distances in a face and in the neutral face.

    Each ramp starts above the jitter of landmarks and ends at the strongest tenth of the
    photographs of the emotions that contain the unit.
    """
    d = dict(zip(_NAMES, (distances - neutral).tolist(), strict=True))
    eye = dict(zip(_NAMES, distances.tolist(), strict=True))["eye"]
    neutral_eye = float(neutral[_NAMES.index("eye")])
    closed = _ramp(-eye / neutral_eye, -0.6, -0.2)
    parted = _ramp(d["mouth_gap"], 0.02, 0.15)
    wide, lifted = _ramp(d["mouth_width"], 0.03, 0.28), _ramp(-d["nose_lip"], 0.02, 0.12)
    # A smile raises the corners, or, with the mouth open, the whole upper lip.
    rise = max(_ramp(-d["corner_drop"], 0.01, 0.12), lifted if wide > 0.0 else 0.0)
    frown = min(_ramp(-d["inner_brow"], 0.03, 0.15) + 0.5 * _ramp(-d["brow_gap"], 0.02, 0.1), 1.0)
    smile = 0.6 * wide + 0.4 * rise if wide > 0.0 else 0.0
    lift = max(lifted - smile, 0.0)
    return {
        "AU1": _ramp(d["inner_brow"], 0.03, 0.2),
        "AU2": _ramp(d["outer_brow"], 0.02, 0.13),
        "AU4": frown,
        "AU5": _ramp(d["eye"], 0.01, 0.06),
        "AU7": _ramp(-d["eye"], 0.01, 0.05) * (1.0 - closed),
        "AU9": min(lift, frown),
        "AU10": lift,
        "AU12": smile,
        "AU15": _ramp(d["corner_drop"], 0.01, 0.09),
        "AU17": _ramp(d["lip_chin"], 0.03, 0.18) * (1.0 - parted),
        "AU20": max(wide - 1.5 * rise, 0.0),
        "AU23": _ramp(-d["lips"], 0.01, 0.045) * (1.0 - parted) * (1.0 - smile),
        "AU25": parted,
        "AU26": _ramp(d["mouth_gap"], 0.08, 0.4),
        "AU43": closed,
    }


#: Norm of the EMFACS units below which a face shows too little to agree with any emotion.
_MIN_EXPRESSION = 0.5
_EMFACS_UNITS = frozenset().union(*EMFACS.values())


def emfacs_consistency(units: Mapping[str, float], label: str) -> float:
    """Return the agreement of action units with a recognised emotion by EMFACS, 0 to 1.

    The cosine between the intensities of the EMFACS units and the indicator of those of the
    emotion, reduced in proportion where all are weak; for neutral 1 minus their norm.

    Args:
        units: name -> intensity, 0 to 1.
        label: name of the emotion.

    Returns:
        The agreement; NaN for a label that is no emotion ("unknown") and without units.
    """
    if not units:
        return math.nan
    shown = {name: value for name, value in units.items() if name in _EMFACS_UNITS}
    length = math.sqrt(sum(value * value for value in shown.values()))
    if label == "neutral":
        return max(0.0, 1.0 - length)
    if label not in EMFACS:
        return math.nan
    own = EMFACS[label]
    total = sum(value for name, value in shown.items() if name in own)
    return total / (math.sqrt(len(own)) * max(length, _MIN_EXPRESSION))
