"""Facial action units (Ekman & Friesen, "Facial Action Coding System", 1978) from 68 landmarks.

The landmarks are aligned to the mean face by points that expressions hardly move, measured in
distances of its eye centres, and compared with the same person's neutral face, which is learned:
quickly over the first seconds, slowly after. A unit's intensity, 0 to 1, is the difference from the
neutral face over the one that a strong expression makes.

Units of texture (6, 11, 14), which landmarks do not show, are left out; 23 and 24 look alike in
landmarks and are given as AU23. The head should face the camera: turned by more than about 30
degrees, foreshortening passes for expression.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import MEAN_SHAPE, pupil_distance, similarity

#: The units, in the order in which they are given.
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

#: EMFACS (Friesen & Ekman, 1983): units of each emotion, as far as they are estimated here.
EMFACS: dict[str, frozenset[str]] = {
    "happy": frozenset({"AU12"}),
    "sad": frozenset({"AU1", "AU4", "AU15"}),
    "surprise": frozenset({"AU1", "AU2", "AU5", "AU26"}),
    "fear": frozenset({"AU1", "AU2", "AU4", "AU5", "AU7", "AU20", "AU26"}),
    "disgust": frozenset({"AU9", "AU15"}),
    "anger": frozenset({"AU4", "AU5", "AU7", "AU23"}),
}

#: Eye corners and bridge of the nose: by these a face is aligned.
_STABLE = [36, 39, 42, 45, 27, 28, 29, 30]
_X, _Y = 0, 1

#: Measures of a face, each a mean of coordinates less another: (axis, points, less points).
_MEASURES: dict[str, tuple[int, Sequence[int], Sequence[int]]] = {
    "inner_brow": (_Y, (39, 42), (20, 21, 22, 23)),  # height above the inner eye corners
    "outer_brow": (_Y, (36, 45), (17, 18, 25, 26)),
    "brow_gap": (_X, (22,), (21,)),
    "eye": (_Y, (40, 41, 46, 47), (37, 38, 43, 44)),  # opening of the lids
    "nose_lip": (_Y, (51,), (33,)),
    "mouth_width": (_X, (54,), (48,)),
    "corner_drop": (_Y, (48, 54), (62, 66)),  # of the mouth's corners below its middle
    "lip_chin": (_Y, (8,), (57,)),
    "mouth_gap": (_Y, (65, 66, 67), (61, 62, 63)),
    "lips": (_Y, (61, 62, 63, 56, 57, 58), (50, 51, 52, 65, 66, 67)),  # mean of both thicknesses
}

#: Neutral faces in these measures, in distances of the eye centres: median, and spread between
#: people (1.4826 times the median absolute deviation) over 8,572 frontal neutral photographs.
_USUAL: dict[str, tuple[float, float]] = {
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
_NAMES = tuple(_MEASURES)


def _measure_matrix() -> NDArray[np.float64]:
    """(measures, 136): takes flattened aligned landmarks to the measures."""
    rows = np.zeros((len(_MEASURES), 68, 2))
    for row, (axis, points, less) in zip(rows, _MEASURES.values(), strict=True):
        row[list(points), axis] = 1.0 / len(points)
        row[list(less), axis] -= 1.0 / len(less)
    return rows.reshape(len(rows), -1) / float(pupil_distance(MEAN_SHAPE))


_MATRIX = _measure_matrix()
_MEDIAN = np.array([_USUAL[name][0] for name in _NAMES])
_SPREAD = np.array([_USUAL[name][1] for name in _NAMES])


def measure(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """The measures of (68, 2) landmarks in pixels, as `_MEASURES` lists them: (10,).

    Raises ValueError when the points by which faces are aligned coincide.
    """
    matrix, _ = similarity(landmarks[_STABLE], MEAN_SHAPE[_STABLE])
    return _MATRIX @ (np.asarray(landmarks, np.float64) @ matrix).ravel()


class ActionUnits:
    """The action units of one person: a memory of the neutral face, and a little smoothing."""

    #: Seconds of a neutral face as which the usual face counts at first.
    PRIOR = 0.7
    #: Seconds after which a change of the neutral face has come through by 63 %, once it is known.
    MEMORY = 60.0
    #: How far from the usual face a person's neutral one may be learned to be, in spreads. So a
    #: smile that never ends is not taken for somebody's neutral face.
    REACH = 2.0
    #: Seconds by which the measures are smoothed, against the jitter of the landmarks.
    SMOOTHING = 0.08
    #: Seconds that one image may count for at most, however long ago the last one was.
    LONGEST_STEP = 0.5

    def __init__(self) -> None:
        self._neutral = _MEDIAN.copy()
        self._known = self.PRIOR
        self._measures: NDArray[np.float64] | None = None

    def update(
        self, landmarks: NDArray[np.floating], dt: float, neutrality: float = 1.0
    ) -> dict[str, float]:
        """The units in an image `dt` seconds (0 or more) after the last: name -> 0 to 1.

        landmarks: (68, 2) in pixels. neutrality: how surely the face is neutral, 0 to 1, its
        recognised probability for example: by so much the image counts in learning the neutral
        face. Empty when the landmarks are no face (not finite, or all in one place).
        """
        if not np.all(np.isfinite(landmarks)):
            return {}
        try:
            measures = measure(landmarks)
        except ValueError:
            return {}
        if self._measures is None:
            self._measures = measures
        else:
            self._measures += (measures - self._measures) * -math.expm1(-dt / self.SMOOTHING)
        self._learn(measures, min(dt, self.LONGEST_STEP) * neutrality)
        return _intensities(self._measures, self._neutral)

    def _learn(self, measures: NDArray[np.float64], weight: float) -> None:
        """Moves the neutral face towards these measures: a running mean that slows down."""
        self._known = min(self._known + weight, self.MEMORY)
        neutral = self._neutral + (measures - self._neutral) * min(weight / self._known, 1.0)
        reach = self.REACH * _SPREAD
        self._neutral = np.clip(neutral, _MEDIAN - reach, _MEDIAN + reach)


def _ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, linear between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _intensities(measures: NDArray[np.float64], neutral: NDArray[np.float64]) -> dict[str, float]:
    """The units by the differences from neutral, in distances of the eye centres.

    Each ramp starts above the jitter of landmarks and ends where the strongest tenth of the
    photographs of the emotions that show the unit lie.
    """
    d = dict(zip(_NAMES, (measures - neutral).tolist(), strict=True))
    eye = dict(zip(_NAMES, measures.tolist(), strict=True))["eye"]
    usual_eye = float(neutral[_NAMES.index("eye")])
    closed = _ramp(-eye / usual_eye, -0.6, -0.2)
    parted = _ramp(d["mouth_gap"], 0.02, 0.15)
    wide, lifted = _ramp(d["mouth_width"], 0.03, 0.28), _ramp(-d["nose_lip"], 0.02, 0.12)
    # A smile pulls the corners up, or, with the mouth open, the whole upper lip.
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


#: Below this length of all EMFACS units together a face shows too little to agree with anything.
_LEAST_EXPRESSION = 0.5
_EMFACS_UNITS = frozenset().union(*EMFACS.values())


def emfacs_consistency(units: Mapping[str, float], label: str) -> float:
    """How well action units agree with a recognised emotion by EMFACS, 0 (not at all) to 1.

    The cosine between the intensities of the units that EMFACS knows and the emotion's own units,
    reduced in proportion where they all are weak; for neutral how little they show. NaN for a
    label that is no emotion ("unknown") and without units.
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
    return total / (math.sqrt(len(own)) * max(length, _LEAST_EXPRESSION))
