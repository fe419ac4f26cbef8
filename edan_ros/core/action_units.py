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
_STABLE_SHAPE = MEAN_SHAPE[_STABLE]
#: Extent in pixels of the points for the alignment below which they coincide.
_MIN_EXTENT = 1e-5
_MEDIAN = np.array([_NEUTRAL[name][0] for name in _NAMES])
_SPREAD = np.array([_NEUTRAL[name][1] for name in _NAMES])


def facial_distances(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (n, 10) distances of ``_DISTANCES`` for (n, 68, 2) landmarks in pixels.

    Raises ValueError if the landmarks of a face for the alignment coincide.
    """
    matrix, _ = similarity(landmarks[:, _STABLE], _STABLE_SHAPE)
    aligned = np.asarray(landmarks, np.float64) @ matrix
    return np.asarray(aligned.reshape(len(aligned), -1) @ _MATRIX.T)


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
        return self.update_all([self], np.asarray(landmarks)[None], [dt], [neutrality])[0]

    @classmethod
    def update_all(
        cls,
        estimators: Sequence[ActionUnitEstimator],
        landmarks: NDArray[np.floating],
        dt: Sequence[float] | NDArray[np.float64],
        neutrality: Sequence[float] | NDArray[np.float64],
    ) -> list[dict[str, float]]:
        """Update the estimators of n people at once, as ``update`` does one of them.

        Args:
            estimators: one for each person.
            landmarks: (n, 68, 2) in pixels.
            dt, neutrality: n values each.
        """
        stable = landmarks[:, _STABLE]
        extent = (stable.max(axis=1) - stable.min(axis=1)).max(axis=1)
        good = np.isfinite(landmarks).all(axis=(1, 2)) & (extent > _MIN_EXTENT)
        if not good.all():
            units: list[dict[str, float]] = [{} for _ in estimators]
            if len(chosen := np.flatnonzero(good)):
                some = [estimators[i] for i in chosen.tolist()]
                values = np.asarray(dt)[chosen], np.asarray(neutrality)[chosen]
                found = cls.update_all(some, landmarks[chosen], *values)
                for i, each in zip(chosen.tolist(), found, strict=True):
                    units[i] = each
            return units
        distances = facial_distances(landmarks)
        before = np.array(
            [
                row if estimator._distances is None else estimator._distances
                for estimator, row in zip(estimators, distances, strict=True)
            ]
        )
        steps = np.array(dt, np.float64)
        smoothed = before + (distances - before) * -np.expm1(steps / -cls.SMOOTHING)[:, None]
        # The neutral face is a running mean that slows down.
        weight = np.minimum(steps, cls.LONGEST_STEP) * neutrality
        known = np.minimum([e._known for e in estimators] + weight, cls.MEMORY)
        neutral = np.array([e._neutral for e in estimators])
        neutral += (distances - neutral) * np.minimum(weight / known, 1.0)[:, None]
        reach = cls.REACH * _SPREAD
        neutral = np.minimum(np.maximum(neutral, _MEDIAN - reach), _MEDIAN + reach)
        for i, estimator in enumerate(estimators):
            estimator._distances, estimator._neutral = smoothed[i], neutral[i]
            estimator._known = float(known[i])
        intensities = _intensities(smoothed, neutral).T.tolist()
        return [dict(zip(ACTION_UNITS, values, strict=True)) for values in intensities]


#: Ramps from 0 to 1 of the differences from the neutral face: (distance, sign, low, high). Each
#: starts above the jitter of landmarks and ends at the strongest tenth of the photographs of the
#: emotions that contain the unit.
_RAMPS: dict[str, tuple[str, int, float, float]] = {
    "parted": ("mouth_gap", 1, 0.02, 0.15),
    "wide": ("mouth_width", 1, 0.03, 0.28),
    "lifted": ("nose_lip", -1, 0.02, 0.12),
    "corners_up": ("corner_drop", -1, 0.01, 0.12),
    "corners_down": ("corner_drop", 1, 0.01, 0.09),
    "brows_down": ("inner_brow", -1, 0.03, 0.15),
    "brows_up": ("inner_brow", 1, 0.03, 0.2),
    "brows_together": ("brow_gap", -1, 0.02, 0.1),
    "outer_brows_up": ("outer_brow", 1, 0.02, 0.13),
    "lids_up": ("eye", 1, 0.01, 0.06),
    "lids_down": ("eye", -1, 0.01, 0.05),
    "chin_down": ("lip_chin", 1, 0.03, 0.18),
    "lips_thin": ("lips", -1, 0.01, 0.045),
    "jaw_down": ("mouth_gap", 1, 0.08, 0.4),
}
_RAMP_INDICES = np.array([_NAMES.index(name) for name, *_ in _RAMPS.values()])
_RAMP_SIGNS, _RAMP_LOWS, _RAMP_HIGHS = np.array([ramp[1:] for ramp in _RAMPS.values()]).T
_EYE = _NAMES.index("eye")


def _intensities(
    distances: NDArray[np.float64], neutral: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the (15, n) intensities for (n, 10) distances in faces and in the neutral faces."""
    values = (distances - neutral)[:, _RAMP_INDICES] * _RAMP_SIGNS
    ramps = _clipped((values - _RAMP_LOWS) / (_RAMP_HIGHS - _RAMP_LOWS))
    r = dict(zip(_RAMPS, ramps.T, strict=True))
    closed = _clipped((0.6 - distances[:, _EYE] / neutral[:, _EYE]) / 0.4)
    parted, wide, lifted = r["parted"], r["wide"], r["lifted"]
    # A smile raises the corners, or, with the mouth open, the whole upper lip.
    rise = np.where(wide > 0.0, np.maximum(r["corners_up"], lifted), r["corners_up"])
    frown = np.minimum(r["brows_down"] + 0.5 * r["brows_together"], 1.0)
    smile = np.where(wide > 0.0, 0.6 * wide + 0.4 * rise, 0.0)
    lift = np.maximum(lifted - smile, 0.0)
    units = {
        "AU1": r["brows_up"],
        "AU2": r["outer_brows_up"],
        "AU4": frown,
        "AU5": r["lids_up"],
        "AU7": r["lids_down"] * (1.0 - closed),
        "AU9": np.minimum(lift, frown),
        "AU10": lift,
        "AU12": smile,
        "AU15": r["corners_down"],
        "AU17": r["chin_down"] * (1.0 - parted),
        "AU20": np.maximum(wide - 1.5 * rise, 0.0),
        "AU23": r["lips_thin"] * (1.0 - parted) * (1.0 - smile),
        "AU25": parted,
        "AU26": r["jaw_down"],
        "AU43": closed,
    }
    return np.stack([units[name] for name in ACTION_UNITS])


def _clipped(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(np.maximum(values, 0.0), 1.0)  # np.clip takes three times as long


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
