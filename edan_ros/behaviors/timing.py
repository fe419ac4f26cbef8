"""Time in the behaviours: stamps, durations and rates.

Images may arrive late, twice or not at all; their stamps may come from another clock; and the clock
itself may jump (a bag loops, a simulation restarts, NTP steps). The classes in this module handle
each case once for all behaviours.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from edan_ros.core.settings import CheckedSettings, SettingsError, seconds

T = TypeVar("T")


class Admission(enum.Enum):
    """Verdict of a `StampClock` on a snapshot. Only NEW snapshots may change a behaviour."""

    NEW = "new"
    REPEATED = "repeated"  # the same stamp as the newest snapshot
    LATE = "late"  # older than the newest snapshot
    STALE = "stale"  # older than `stale_after` when it arrived
    FUTURE = "future"  # further ahead of the clock than `ahead`


@dataclass(frozen=True)
class TimeSettings(CheckedSettings):
    """Limits on ages, jumps and gaps of time."""

    stale_after: float = seconds(
        1.0, 0.1, 10.0, "age from which the newest faces no longer describe the present"
    )
    ahead: float = seconds(
        0.5,
        0.0,
        5.0,
        "time by which a stamp may lie ahead of this node's clock before it is ignored",
    )
    max_step: float = seconds(
        0.5, 0.05, 2.0, "longest time that one update may count for, however far the clock moves"
    )


class StampClock:
    """The clock of one behaviour and the newest stamp that it has accepted.

    Args:
        settings: its limits.
        on_restart: called when the clock has gone back.

    Attributes:
        elapsed: time in seconds that never decreases and grows by at most `max_step` per update.
            Rates and cooldowns, which must hold over jumps of the clock, are measured in it.
        newest: the newest accepted stamp in seconds, None before the first.
        restarts: how often the clock has gone back.
    """

    def __init__(
        self, settings: TimeSettings, on_restart: Callable[[], None] = lambda: None
    ) -> None:
        self.settings = settings
        self._on_restart = on_restart
        self.elapsed = 0.0
        self.newest: float | None = None
        self.restarts = 0
        self._now: float | None = None

    def advance(self, now: float) -> float:
        """Move the clock to `now` and return the seconds that passed, 0 to `max_step`.

        A clock that goes back by more than `ahead` has restarted: `restarts` is incremented, and
        the newest stamp, which belongs to the previous run of the clock, is reset.
        """
        passed = 0.0 if self._now is None else now - self._now
        if passed < -self.settings.ahead:
            self.restarts += 1
            self.newest = None
            self._on_restart()
        elif passed < 0.0:
            return 0.0
        self._now = now
        passed = min(max(passed, 0.0), self.settings.max_step)
        self.elapsed += passed
        return passed

    def admit(self, stamp: float, now: float) -> Admission:
        """Advance to `now`; return whether a snapshot arriving then counts, and store its stamp."""
        self.advance(now)
        admission = self._check(stamp, now)
        if admission is Admission.NEW:
            self.newest = stamp
        return admission

    def _check(self, stamp: float, now: float) -> Admission:
        if not stamp <= now + self.settings.ahead:
            return Admission.FUTURE
        if now - stamp > self.settings.stale_after:
            return Admission.STALE
        if self.newest is None or stamp > self.newest:
            return Admission.NEW
        return Admission.REPEATED if stamp == self.newest else Admission.LATE

    def age(self, now: float) -> float:
        """Return the seconds since the newest snapshot, 0 or more; infinity without any."""
        return math.inf if self.newest is None else max(0.0, now - self.newest)

    def is_stale(self, now: float) -> bool:
        """Return whether the newest snapshot is too old to describe the present."""
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

    def __init__(self, fallback: T, *, settle: float, forget: float, gap: float) -> None:
        self.fallback = fallback
        self.settle = settle
        self.forget = forget
        self.gap = gap
        self.value: T = fallback
        self.since = -math.inf
        self._last = -math.inf
        self._confirmed = -math.inf
        self._candidate: T = fallback
        self._candidate_since = -math.inf

    def update(self, value: T, stamp: float) -> T:
        """Add the input at this stamp and return the value. Stamps must not go back."""
        if stamp - self._last > self.gap:
            self.put(value if value == self.value else self.fallback, stamp)
        self._last = stamp
        if value == self.value:
            self._confirmed = stamp
            self._candidate = value
            return self.value
        if value != self._candidate:
            self._candidate = value
            self._candidate_since = stamp
        if stamp - self._candidate_since >= self.settle:
            self.value, self.since, self._confirmed = value, self._candidate_since, stamp
        elif stamp - self._confirmed >= self.forget and self.value != self.fallback:
            self.value, self.since, self._confirmed = self.fallback, stamp, stamp
        return self.value

    def put(self, value: T, stamp: float) -> None:
        """Set the value from this stamp on, without waiting."""
        self.value = self._candidate = value
        self.since = self._confirmed = self._candidate_since = self._last = stamp

    def held(self, now: float) -> float:
        """Return the seconds for which `value` has held, 0 or more."""
        return max(0.0, now - self.since)


@dataclass(frozen=True)
class EmotionDurations(CheckedSettings):
    """Durations after which an emotion counts as a person's, and no longer does."""

    settle: float = seconds(
        0.3, 0.0, 5.0, "time for which an emotion must last before it counts as the person's"
    )
    forget: float = seconds(
        1.5, 0.1, 30.0, "time after which an emotion that is no longer shown gives way to unknown"
    )
    gap: float = seconds(
        1.0, 0.1, 5.0, "time between two images of a face above which durations start at zero"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.forget < self.settle:
            raise SettingsError("forget must not be below settle")

    def debounced(self, fallback: T) -> Debounced[T]:
        """Return a value with these durations."""
        return Debounced(fallback, settle=self.settle, forget=self.forget, gap=self.gap)


class Evidence:
    """A level from 0 to 1 that follows its input with a first-order lag.

    The time constant is `rise` towards a higher and `fall` towards a lower input, in seconds. After
    more than `gap` seconds without an update the level decays, and the next input only starts a
    new interval.
    """

    def __init__(self, *, rise: float, fall: float, gap: float) -> None:
        self.rise = rise
        self.fall = fall
        self.gap = gap
        self._value = 0.0
        self._stamp = -math.inf

    def update(self, level: float, stamp: float) -> None:
        """Add the input, 0 to 1, that held from the last update to this stamp."""
        value = self.at(stamp)
        passed = stamp - self._stamp
        if passed <= self.gap:
            constant = self.rise if level > value else self.fall
            value += (level - value) * -math.expm1(-passed / constant)
        self._value, self._stamp = value, stamp

    def at(self, now: float) -> float:
        """Return the level, 0 to 1, at a time not before the last update."""
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

    def __init__(self, *, grace: float, gap: float, bridge: float = 0.0) -> None:
        self.grace = grace
        self.gap = gap
        self.bridge = bridge
        self._since: float | None = None
        self._last = -math.inf
        self._last_true = -math.inf
        self._break: float | None = None  # first update after the last one with the condition

    @property
    def holds(self) -> bool:
        """Whether the condition has held and has not ended."""
        return self._since is not None

    def update(self, condition: bool | None, stamp: float, bridge: float | None = None) -> float:
        """Add the condition at this stamp, which must not go back.

        Args:
            condition: None if it is unknown.
            stamp: in seconds.
            bridge: replaces that of the object while the condition is unknown.

        Returns:
            The seconds for which the condition held if this update ended it, else 0.
        """
        before, passed = self._since, stamp - self._last
        end = self._last if self._break is None else self._break
        if self._since is not None and passed > self.gap:
            self._since = self._since + passed if passed <= self.bridge else None
        if self._since is not None and not condition:
            if self._break is None:
                self._break = end = stamp
            unknown = self.bridge if bridge is None else bridge
            if stamp - self._last_true > (unknown if condition is None else self.grace):
                self._since = None
        ended = before is not None and self._since is None
        self._last = stamp
        if condition:
            if self._since is None:
                self._since = stamp
            self._last_true, self._break = stamp, None
        return max(0.0, end - before) if ended and before is not None else 0.0

    def held(self, now: float) -> float:
        """Return for how many seconds the condition has held; 0 if it does not."""
        return 0.0 if self._since is None else max(0.0, now - self._since)

    def length(self, now: float) -> float:
        """Return the same without a break that may be its end."""
        return self.held(now if self._break is None else min(self._break, now))


def approach(value: float, target: float, step: float) -> float:
    """Return `value` moved towards `target` by at most `step`, 0 or more."""
    if target > value:
        return min(target, value + step)
    return max(target, value - step)


class WindowSums:
    """Sums of times over a window, exact: kept in nanoseconds."""

    def __init__(self, window: float, count: int) -> None:
        self._window = window
        self._entries: deque[tuple[float, tuple[int, ...]]] = deque()
        self._sums = [0] * count

    def add(self, stamp: float, *values: float) -> None:
        """Add seconds that ended at this stamp."""
        entry = tuple(round(value * 1e9) for value in values)
        self._entries.append((stamp, entry))
        for i, value in enumerate(entry):
            self._sums[i] += value

    def at(self, now: float) -> list[float]:
        """Return the sums in seconds over the window before this time."""
        while self._entries and self._entries[0][0] <= now - self._window:
            for i, value in enumerate(self._entries.popleft()[1]):
                self._sums[i] -= value
        return [value * 1e-9 for value in self._sums]
