"""Temporal smoothing of the emotion of one face: exponential smoothing and label hysteresis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.emotions import UNKNOWN, UNKNOWN_REASONS
from edan_ros.core.settings import check_settings, setting

#: Indices into UNKNOWN_REASONS.
DECIDED, UNSURE = UNKNOWN_REASONS.index(""), UNKNOWN_REASONS.index("unsure")
#: Seconds for which another label must be preferred without a break before it is taken, so that
#: a blink or a single syllable does not change the label.
_CONFIRMATION = 0.1
#: A decided label is kept until its probability is this much below the confidence threshold.
_UNSURE_HYSTERESIS = 0.08


@dataclass(frozen=True, slots=True)
class SmoothingConfig:
    """Settings of the smoothing. Raises SettingsError for a value out of its range."""

    time_constant: float = setting(
        0.4,
        "time after which 63 % of a change has been followed; 0 disables smoothing",
        low=0.0,
        high=60.0,
        unit="s",
        name="smoothing_time",
    )
    confidence_threshold: float = setting(
        0.4, "smoothed probability below which the label is 'unknown'", low=0.0, high=1.0
    )
    margin: float = setting(
        0.1,
        "amount by which the probability of another emotion must exceed that of the current label "
        "to replace it",
        low=0.0,
        high=1.0,
        name="switch_margin",
    )
    min_dwell: float = setting(
        0.5,
        "shortest time for which a label, 'unknown' included, is kept",
        low=0.0,
        high=60.0,
        unit="s",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The smoothed emotion at one time.

    Attributes:
        probabilities: (7,), sum 1.
        emotion: index into EMOTIONS, or UNKNOWN.
        confidence: smoothed probability of ``emotion``; of the most likely one while UNKNOWN.
        reason: index into UNKNOWN_REASONS; 0 while the emotion is decided.
    """

    probabilities: NDArray[np.float64]
    emotion: int
    confidence: float
    reason: int


class _LabelSwitch:
    """Chooses the label over time: margin, threshold with hysteresis, confirmation and dwell.

    Args:
        confirmation: seconds for which another label must be preferred without a break.
    """

    def __init__(self, confirmation: float = _CONFIRMATION) -> None:
        self._confirmation = confirmation
        self._label: int | None = None
        self._reason = UNSURE
        self._age = 0.0
        self._pending = 0.0

    def update(
        self, p: list[float], elapsed: float, config: SmoothingConfig, excluded: int
    ) -> tuple[int, int]:
        """Return the label and its reason for probabilities ``elapsed`` seconds after the last."""
        wanted = UNKNOWN if excluded else self._preferred(p, config)
        self._age += elapsed
        self._pending = 0.0 if wanted == self._label else self._pending + elapsed
        confirmed = self._pending >= self._confirmation and self._age >= config.min_dwell
        if self._label is None or (wanted != self._label and confirmed):
            self._label, self._age, self._pending = wanted, 0.0, 0.0
        if self._label != UNKNOWN:
            return self._label, DECIDED
        if wanted == UNKNOWN:
            self._reason = excluded or UNSURE
        return UNKNOWN, self._reason

    def _preferred(self, p: list[float], config: SmoothingConfig) -> int:
        """Return the label that the probabilities call for, whatever its dwell time."""
        best = p.index(max(p))
        current, threshold = self._label, config.confidence_threshold
        if current is not None and current != UNKNOWN:
            threshold -= _UNSURE_HYSTERESIS
            if p[best] <= p[current] + config.margin:
                best = current
        return best if p[best] >= threshold else UNKNOWN


class EmotionSmoother:
    """Smooths the emotion of one face, image after image."""

    def __init__(self) -> None:
        self._probabilities: NDArray[np.float64] | None = None
        self._switch = _LabelSwitch()
        self._since_smoothed = 0.0

    def update(
        self,
        raw: NDArray[np.floating],
        elapsed: float,
        config: SmoothingConfig,
        excluded: int = DECIDED,
    ) -> Smoothed:
        """Smooth the probabilities of one image.

        The weight of an image is 1 - exp(-elapsed / time_constant), the discrete form of a
        first-order low-pass filter, so the result does not depend on the frame rate.

        Args:
            raw: (7,) probabilities in this image.
            elapsed: seconds since the last image, 0 or more.
            config: settings, which may change from image to image.
            excluded: index into UNKNOWN_REASONS. With any but 0 the image does not count and the
                label becomes 'unknown' for this reason.
        """
        return self.update_all([self], np.asarray(raw)[None], [elapsed], config, [excluded])[0]

    @classmethod
    def update_all(
        cls,
        smoothers: Sequence[EmotionSmoother],
        raw: NDArray[np.floating],
        elapsed: Sequence[float],
        config: SmoothingConfig,
        excluded: Sequence[int],
    ) -> list[Smoothed]:
        """Smooth one image of each of n faces, as ``update`` does one of them.

        Args:
            smoothers: one for each face.
            raw: (n, 7) probabilities in this image.
            elapsed, excluded: n values each.
            config: settings.
        """
        raw = _normalised(raw)
        rows, weights = [], []
        for smoother, row, seconds, reason in zip(smoothers, raw, elapsed, excluded, strict=True):
            smoother._since_smoothed += seconds
            before = smoother._probabilities
            rows.append(row if before is None else before)
            weights.append(
                0.0 if reason else _weight(smoother._since_smoothed, config.time_constant)
            )
        before = np.array(rows)
        p = _normalised(before + np.array(weights)[:, None] * (raw - before))
        for smoother, row, reason in zip(smoothers, p.copy(), excluded, strict=True):
            if not reason:
                smoother._probabilities, smoother._since_smoothed = row, 0.0
        return [
            _smoothed(row, values, *smoother._switch.update(values, seconds, config, reason))
            for smoother, row, values, seconds, reason in zip(
                smoothers, p, p.tolist(), elapsed, excluded, strict=True
            )
        ]


def smooth_recording(
    raw: NDArray[np.floating],
    stamps: Sequence[float],
    config: SmoothingConfig,
    excluded: Sequence[int] | None = None,
) -> list[Smoothed]:
    """Smooth a whole recording of one face in both directions of time, without delay.

    The mean of a forward and a backward low-pass filter with ``config.time_constant``.

    Args:
        raw: (n, 7) probabilities of n images.
        stamps: n times in seconds, in ascending order.
        config: settings.
        excluded: n indices into UNKNOWN_REASONS, as in :meth:`EmotionSmoother.update`.

    Returns:
        n results.
    """
    count = len(stamps)
    if not count:
        return []
    skip = np.zeros(count, int) if excluded is None else np.asarray(excluded, int)
    values = _normalised(raw)
    steps = np.diff(np.asarray(stamps, np.float64), prepend=stamps[0])
    forward = _low_pass(values, steps, skip, config.time_constant)
    back_steps = np.concatenate([[0.0], steps[:0:-1]])
    backward = _low_pass(values[::-1], back_steps, skip[::-1], config.time_constant)[::-1]
    switch, results = _LabelSwitch(confirmation=0.0), []
    smoothed = 0.5 * (forward + backward)
    for p, row, step, reason in zip(
        smoothed, smoothed.tolist(), steps.tolist(), skip.tolist(), strict=True
    ):
        results.append(_smoothed(p, row, *switch.update(row, step, config, reason)))
    return results


def _low_pass(
    values: NDArray[np.float64], steps: NDArray[np.float64], skip: NDArray[np.int_], tau: float
) -> NDArray[np.float64]:
    """Return (n, k) values after a first-order low-pass filter that leaves out skipped rows."""
    result = np.empty_like(values)
    state: NDArray[np.float64] | None = None
    elapsed = 0.0
    for i, row in enumerate(values):
        elapsed += float(steps[i])
        if state is None:
            result[i] = row
            state = None if skip[i] else row
        else:
            if not skip[i]:
                state = state + _weight(elapsed, tau) * (row - state)
            result[i] = state
        if not skip[i]:
            elapsed = 0.0
    return result


def _weight(elapsed: float, tau: float) -> float:
    return -math.expm1(-elapsed / tau) if tau > 0.0 else 1.0


def _normalised(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (n, 7) probabilities whose rows sum to 1."""
    p = np.asarray(p, np.float64)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _smoothed(p: NDArray[np.float64], values: list[float], emotion: int, reason: int) -> Smoothed:
    confidence = max(values) if emotion == UNKNOWN else values[emotion]
    return Smoothed(p, emotion, confidence, reason)
