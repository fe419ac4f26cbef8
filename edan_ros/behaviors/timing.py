"""Time as the behaviours see it: which stamps count, how long things hold, how fast outputs move.

Three things can go wrong with time on a robot: images come late, twice or not at all; their stamps
come from another clock; the clock itself jumps (a bag loops, a simulation restarts, NTP steps). The
classes here meet each of them once, so that the behaviours need not.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from edan_ros.core.settings import check_settings, setting

T = TypeVar("T")


class Admission(enum.Enum):
    """What a `StampClock` says of the stamp of a snapshot. Only NEW snapshots may change anything."""

    NEW = "new"
    REPEATED = "repeated"  # the stamp of the newest snapshot again
    LATE = "late"  # older than the newest snapshot
    STALE = "stale"  # older than `stale_after` when it arrived
    FUTURE = "future"  # further ahead of the clock than `ahead`


@dataclass(frozen=True)
class TimeSettings:
    """Limits on ages, jumps and gaps."""

    stale_after: float = setting(
        1.0,
        "age from which the newest faces no longer describe the present",
        low=0.1,
        high=10.0,
        unit="s",
    )
    ahead: float = setting(
        0.5,
        "time by which a stamp may lie ahead of this node's clock before it is ignored",
        low=0.0,
        high=5.0,
        unit="s",
    )
    max_step: float = setting(
        0.5,
        "longest time that one update may count for, however far the clock moves",
        low=0.05,
        high=2.0,
        unit="s",
    )

    def __post_init__(self) -> None:
        check_settings(self)


class StampClock:
    """One behaviour's clock and the newest stamp it has accepted.

    `elapsed` is a time of its own that only ever grows, in seconds, by at most `max_step` an
    update: what must hold over any jump of the clock (rates, cooldowns) is measured in it.
    """

    def __init__(self, settings: TimeSettings) -> None:
        self.settings = settings
        self.elapsed = 0.0
        self.newest: float | None = None
        self.restarts = 0
        self._now: float | None = None

    def advance(self, now: float) -> float:
        """Moves the clock to `now`; returns the seconds that passed, 0 to `max_step`.

        A clock that goes back by more than `ahead` has restarted: `restarts` is counted up, and the
        newest stamp, which belongs to the old run of the clock, is forgotten.
        """
        if self._now is None:
            self._now = now
            return 0.0
        passed = now - self._now
        if passed < -self.settings.ahead:
            self.restarts += 1
            self.newest = None
            self._now = now
            return 0.0
        if passed <= 0.0:
            return 0.0
        self._now = now
        passed = min(passed, self.settings.max_step)
        self.elapsed += passed
        return passed

    def admit(self, stamp: float, now: float) -> Admission:
        """Whether a snapshot of this stamp, arriving at `now`, counts. Keeps the newest stamp."""
        admission = self._judge(stamp, now)
        if admission is Admission.NEW:
            self.newest = stamp
        return admission

    def _judge(self, stamp: float, now: float) -> Admission:
        if not stamp <= now + self.settings.ahead:
            return Admission.FUTURE
        if now - stamp > self.settings.stale_after:
            return Admission.STALE
        if self.newest is None or stamp > self.newest:
            return Admission.NEW
        return Admission.REPEATED if stamp == self.newest else Admission.LATE

    def age(self, now: float) -> float:
        """Seconds since the newest snapshot, 0 or more; infinite when there has been none."""
        return math.inf if self.newest is None else max(0.0, now - self.newest)

    def is_stale(self, now: float) -> bool:
        """Whether the newest snapshot is too old to say anything about now."""
        return self.age(now) > self.settings.stale_after


class Debounced(Generic[T]):
    """A value that follows its input once the input has been the same for `settle` seconds.

    A value that its input has not confirmed for `forget` seconds (more than `settle`) gives way to
    `fallback`, so that an input that never settles keeps nothing alive. After a gap of more than
    `gap` seconds between updates the duration starts at zero; the value itself is kept if the
    first input after the gap confirms it, and gives way to `fallback` otherwise.

    Attributes:
        value: the value that holds now.
        since: stamp in seconds from which it has held without a gap.
    """

    __slots__ = (
        "_candidate",
        "_candidate_since",
        "_last",
        "_seen",
        "fallback",
        "forget",
        "gap",
        "settle",
        "since",
        "value",
    )

    def __init__(self, fallback: T, *, settle: float, forget: float, gap: float) -> None:
        self.fallback = fallback
        self.settle = settle
        self.forget = forget
        self.gap = gap
        self.value: T = fallback
        self.since = -math.inf
        self._last = -math.inf
        self._seen = -math.inf
        self._candidate: T = fallback
        self._candidate_since = -math.inf

    def update(self, value: T, stamp: float) -> T:
        """Takes the input of this stamp, stamps never going back; returns what holds now."""
        if stamp - self._last > self.gap:
            self.put(value if value == self.value else self.fallback, stamp)
        self._last = stamp
        if value == self.value:
            self._seen = stamp
            self._candidate = value
            return self.value
        if value != self._candidate:
            self._candidate = value
            self._candidate_since = stamp
        if stamp - self._candidate_since >= self.settle:
            self.value, self.since, self._seen = value, self._candidate_since, stamp
        elif stamp - self._seen >= self.forget and self.value != self.fallback:
            self.value, self.since, self._seen = self.fallback, stamp, stamp
        return self.value

    def put(self, value: T, stamp: float) -> None:
        """Sets the value from this stamp on, without waiting."""
        self.value = self._candidate = value
        self.since = self._seen = self._candidate_since = self._last = stamp

    def held(self, now: float) -> float:
        """Seconds for which `value` has held, 0 or more."""
        return max(0.0, now - self.since)


class Evidence:
    """A level from 0 to 1 that grows while its input is high and fades when the input is gone.

    A first-order lag: towards a higher input by time constant `rise`, towards a lower one by `fall`
    (seconds). After more than `gap` seconds without an update the level fades, and the next input
    counts for nothing but the start of a new interval.
    """

    __slots__ = ("_stamp", "_value", "fall", "gap", "rise")

    def __init__(self, *, rise: float, fall: float, gap: float) -> None:
        self.rise = rise
        self.fall = fall
        self.gap = gap
        self._value = 0.0
        self._stamp = -math.inf

    def update(self, level: float, stamp: float) -> None:
        """Takes the input, 0 to 1, that held from the last update to this stamp."""
        value = self.at(stamp)
        passed = stamp - self._stamp
        if passed <= self.gap:
            constant = self.rise if level > value else self.fall
            value += (level - value) * -math.expm1(-passed / constant)
        self._value, self._stamp = value, stamp

    def at(self, now: float) -> float:
        """The level at a time not before the last update, 0 to 1."""
        beyond = now - self._stamp - self.gap
        if beyond <= 0.0:
            return self._value
        return self._value * math.exp(-beyond / self.fall)


class Sustained:
    """The time for which a condition has held.

    A break of up to `grace` seconds is bridged, and so is a time of up to `bridge` seconds in which
    the condition is unknown. A gap of more than `gap` seconds between updates does not count as
    time, and one of more than `bridge` seconds, too, is a break: a condition that holds before and
    after a short gap has not ended, and its duration never includes time without images.
    """

    __slots__ = ("_last", "_last_true", "_since", "bridge", "gap", "grace")

    def __init__(self, *, grace: float, gap: float, bridge: float = 0.0) -> None:
        self.grace = grace
        self.gap = gap
        self.bridge = bridge
        self._since: float | None = None
        self._last = -math.inf
        self._last_true = -math.inf

    def update(self, condition: bool | None, stamp: float) -> None:
        """Takes the condition, None if it cannot be judged; stamps never go back."""
        passed = stamp - self._last
        if self._since is not None and passed > self.gap:
            self._since = self._since + passed if passed <= self.bridge else None
        self._last = stamp
        if condition:
            if self._since is None:
                self._since = stamp
            self._last_true = stamp
        elif stamp - self._last_true > (self.bridge if condition is None else self.grace):
            self._since = None

    def held(self, now: float) -> float:
        """Seconds for which the condition has held at a time not before the last update, else 0."""
        return 0.0 if self._since is None else max(0.0, now - self._since)


def approach(value: float, target: float, step: float) -> float:
    """`value` moved towards `target` by `step` (0 or more) at most."""
    if target > value:
        return min(target, value + step)
    return max(target, value - step)
