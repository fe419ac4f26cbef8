"""Advice on speed from the fear and distress of the people in a vehicle; never a command.

The advice is a scale from `minimum` to 1 on the speed that the planner would choose. It

- decreases only on sustained fear or distress of an occupant, by thresholds with hysteresis,
- changes no faster than the set rates, whatever happens to faces and clock,
- is held for a while after its cause has gone, then released,
- is released at once while faces are outdated, and
- is given up after `longest` seconds: then nobody causes advice for `rest` seconds, and an occupant
  who kept it up causes new advice only after the level was below its release threshold.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from edan_ros.behaviors.occupants import Occupant
from edan_ros.behaviors.timing import approach
from edan_ros.core.settings import CheckedSettings, SettingsError, number, seconds


class Reason(enum.IntEnum):
    """The constants REASON_* of edan_ros/msg/SpeedAdvisory."""

    NONE = 0
    FEAR = 1
    DISTRESS = 2
    RELEASING = 3
    STALE = 4


@dataclass(frozen=True)
class SpeedSettings(CheckedSettings):
    """Causes, limits and course of the advice on speed."""

    minimum: float = number(0.5, 0.05, 1.0, "smallest scale that is advised")
    fear_on: float = number(
        0.45, 0.05, 1.0, "level of sustained fear from which an occupant causes advice"
    )
    fear_off: float = number(
        0.25, 0.0, 1.0, "level of sustained fear below which the cause has gone"
    )
    distress_on: float = number(
        0.7,
        0.05,
        1.0,
        "level of sustained sadness, disgust or anger from which an occupant causes advice",
    )
    distress_off: float = number(
        0.4, 0.0, 1.0, "level of sustained sadness, disgust or anger below which the cause has gone"
    )
    distress_share: float = number(
        0.5, 0.0, 1.0, "how far towards the minimum distress alone may bring the scale"
    )
    slow_rate: float = number(0.1, 0.01, 1.0, "fastest decrease of the scale", "1/s")
    release_rate: float = number(0.05, 0.01, 1.0, "fastest increase of the scale", "1/s")
    hold: float = seconds(3.0, 0.0, 60.0, "time for which advice is kept after its cause has gone")
    longest: float = seconds(90.0, 5.0, 600.0, "time after which advice is given up")
    rest: float = seconds(30.0, 0.0, 600.0, "time without advice after it was given up")
    validity: float = seconds(1.0, 0.1, 10.0, "time for which one message of advice is valid")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fear_off >= self.fear_on or self.distress_off >= self.distress_on:
            raise SettingsError(
                "fear_off must be below fear_on, and distress_off below distress_on"
            )


@dataclass(frozen=True)
class Advice:
    """The advice at one time, as in edan_ros/msg/SpeedAdvisory. Times in seconds."""

    scale: float = 1.0
    target: float = 1.0
    reason: Reason = Reason.NONE
    text: str = ""
    track_ids: tuple[int, ...] = ()
    held: float = 0.0
    valid_until: float = 0.0

    @property
    def active(self) -> bool:
        """Whether there is any advice."""
        return self.scale < 1.0


@dataclass(frozen=True)
class _Cause:
    """What an occupant contributes; reason NONE for nothing.

    depth: requested scale, from 0 for no change to 1 for the minimum. calm: whether fear and
    distress are below the thresholds of release.
    """

    occupant: Occupant
    calm: bool
    reason: Reason = Reason.NONE
    level: float = 0.0
    depth: float = 0.0


class SpeedAdvisor:
    """Computes advice from the occupants' fear and distress. Call `step` at a steady rate."""

    def __init__(self, settings: SpeedSettings) -> None:
        self.settings = settings
        self._scale = 1.0
        self._target = 1.0
        self._alarmed: dict[int, Reason] = {}
        self._spent: set[int] = set()
        self._active_for = 0.0
        self._quiet_for = settings.hold  # seconds since the last cause
        self._rest_left = 0.0
        self._given_up = False

    def restart(self) -> None:
        """Drop every cause, as after a jump of the clock; the scale then rises at its rate."""
        self._alarmed.clear()
        self._spent.clear()
        self._target = 1.0
        self._quiet_for = self.settings.hold

    def step(
        self, occupants: Sequence[Occupant], now: float, passed: float, *, stale: bool
    ) -> Advice:
        """Return the advice at `now`.

        Args:
            occupants: the people that count.
            now: time in seconds.
            passed: seconds since the last step.
            stale: whether the newest faces are outdated; they cause no advice then.
        """
        s = self.settings
        assessed = [self._assess(occupant, now) for occupant in occupants]
        # Without new images nothing is known to have calmed down: the alarms stay raised.
        causes = [] if stale else self._causes(assessed)
        before = self._given_up
        self._pace(passed)
        if self._given_up:
            causes = []
            if not before:
                self._spent |= {cause.occupant.key for cause in assessed if not cause.calm}
        if causes:
            depth = max(cause.depth for cause in causes)
            self._target = min(self._target, 1.0 - depth * (1.0 - s.minimum))
            self._quiet_for = 0.0
        else:
            self._quiet_for += passed
            if stale or self._given_up or self._quiet_for >= s.hold:
                self._target = 1.0
        rate = s.slow_rate if self._target < self._scale else s.release_rate
        self._scale = approach(self._scale, self._target, rate * passed)
        return self._advice(causes, now, stale=stale)

    def _pace(self, passed: float) -> None:
        """Count how long advice has been given, give it up after `longest`, and end the rest."""
        s = self.settings
        self._active_for = self._active_for + passed if self._scale < 1.0 else 0.0
        if not self._given_up:
            self._given_up = self._active_for >= s.longest
            self._rest_left = s.rest
        elif self._scale >= 1.0:
            self._rest_left -= passed
            self._given_up = self._rest_left > 0.0

    def _causes(self, assessed: list[_Cause]) -> list[_Cause]:
        """Update the alarms, and return the causes of advice."""
        self._alarmed = {c.occupant.key: c.reason for c in assessed if c.reason is not Reason.NONE}
        self._spent &= {c.occupant.key for c in assessed if not c.calm}
        return [
            c for c in assessed if c.reason is not Reason.NONE and c.occupant.key not in self._spent
        ]

    def _assess(self, occupant: Occupant, now: float) -> _Cause:
        """Compare an occupant's levels with the thresholds, which have hysteresis."""
        s = self.settings
        before = self._alarmed.get(occupant.key)
        fear, distress = occupant.fear.at(now), occupant.distress.at(now)
        calm = fear < s.fear_off and distress < s.distress_off
        if fear >= (s.fear_off if before is Reason.FEAR else s.fear_on):
            depth = (fear - s.fear_off) / (1.0 - s.fear_off)
            return _Cause(occupant, calm, Reason.FEAR, fear, depth)
        if distress >= (s.distress_off if before is Reason.DISTRESS else s.distress_on):
            depth = s.distress_share * (distress - s.distress_off) / (1.0 - s.distress_off)
            return _Cause(occupant, calm, Reason.DISTRESS, distress, depth)
        return _Cause(occupant, calm)

    def _advice(self, causes: list[_Cause], now: float, *, stale: bool) -> Advice:
        until = now + self.settings.validity
        if self._scale >= 1.0:
            return Advice(valid_until=until)
        reason, text = self._explain(causes, stale=stale)
        tracks = tuple(sorted(cause.occupant.face.track_id for cause in causes))
        held = self._active_for
        return Advice(self._scale, self._target, reason, text, tracks, held, until)

    def _explain(self, causes: list[_Cause], *, stale: bool) -> tuple[Reason, str]:
        if stale:
            return Reason.STALE, "No faces arrive: the advice is withdrawn at the set rate."
        if causes:
            cause = max(causes, key=lambda c: c.depth)
            name = cause.occupant.seat or f"person {cause.occupant.face.track_id}"
            what = "fear" if cause.reason is Reason.FEAR else "distress"
            others = f", and {len(causes) - 1} more" if len(causes) > 1 else ""
            return cause.reason, f"Sustained {what} of {name} (level {cause.level:.2f}){others}."
        if self._given_up:
            return Reason.RELEASING, "The advice has lasted for its longest time and is given up."
        if self._target < 1.0:
            return Reason.RELEASING, "The cause has gone; the advice is held a little longer."
        return Reason.RELEASING, "The cause has gone; the scale returns to 1."
