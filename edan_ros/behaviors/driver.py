"""State of the driver: absent, eyes closed, looking away, in distress, or attentive."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from edan_ros.behaviors.occupants import Occupant
from edan_ros.behaviors.snapshot import NEGATIVE
from edan_ros.behaviors.timing import Sustained
from edan_ros.core.settings import CheckedSettings, number, seconds, setting


class DriverState(enum.IntEnum):
    """The constants DRIVER_* of edan_ros/msg/CabinState."""

    ATTENTIVE = 0
    ABSENT = 1
    LOOKING_AWAY = 2
    EYES_CLOSED = 3
    DISTRESSED = 4
    UNKNOWN = 255


#: States in which the driver is disengaged, each with its reason and the seconds in it. The first
#: one that applies is reported.
DISENGAGED = {
    DriverState.ABSENT: "No face has been in the driver's seat for {:.1f} s.",
    DriverState.EYES_CLOSED: "The driver's eyes have been closed for {:.1f} s.",
    DriverState.LOOKING_AWAY: (
        "The driver's head has been turned away from the road for {:.1f} s."
    ),
    DriverState.DISTRESSED: "The driver has shown a negative emotion for {:.1f} s.",
}
_UNKNOWN = "No driver's seat is configured, no faces arrive, or nobody has been there yet."

#: Seconds for which closed eyes may be measured as open without a break.
BLINK_GRACE = 0.15


@dataclass(frozen=True)
class DriverSettings(CheckedSettings):
    """Conditions under which a driver counts as disengaged."""

    seat: str = setting(
        "driver", "name of the driver's seat, one of the seats; empty for no driver"
    )
    road_yaw: float = number(
        0.0, -1.6, 1.6, "yaw, as this camera measures it, of a head that faces the road", "rad"
    )
    road_pitch: float = number(
        0.0, -1.0, 1.0, "pitch, as this camera measures it, of a head that faces the road", "rad"
    )
    away_yaw: float = number(
        0.5,
        0.1,
        1.5,
        "rotation to either side of the road from which the head is turned away",
        "rad",
    )
    away_pitch: float = number(
        0.45,
        0.1,
        1.2,
        "rotation up or down from the road from which the head is turned away",
        "rad",
    )
    back_share: float = number(
        0.8,
        0.3,
        1.0,
        "fraction of away_yaw and away_pitch below which the head faces the road again",
    )
    absent_after: float = seconds(
        3.0, 0.5, 60.0, "time without a face in the driver's seat after which the driver is absent"
    )
    away_after: float = seconds(
        2.0, 0.3, 30.0, "time with the head turned away after which the driver looks away"
    )
    eyes_closed_after: float = seconds(
        1.0, 0.2, 10.0, "time with closed eyes after which that is reported"
    )
    distress_after: float = seconds(
        8.0, 1.0, 120.0, "time with a negative emotion after which the driver is in distress"
    )
    grace: float = seconds(
        0.4, 0.0, 3.0, "longest interruption of a condition that still counts as unbroken"
    )


@dataclass(frozen=True)
class DriverReport:
    """The driver's state. held: seconds since it began. reason: one sentence, or empty."""

    state: DriverState
    held: float
    reason: str

    @property
    def disengaged(self) -> bool:
        """Whether the state is one of DISENGAGED."""
        return self.state in DISENGAGED


class DriverMonitor:
    """Monitors the driver. Call `observe` for every snapshot and `report` at any time after it."""

    def __init__(self, settings: DriverSettings, gap: float) -> None:
        s = settings
        self.settings = s
        self._after = {
            DriverState.ABSENT: s.absent_after,
            DriverState.EYES_CLOSED: s.eyes_closed_after,
            DriverState.LOOKING_AWAY: s.away_after,
            DriverState.DISTRESSED: s.distress_after,
        }
        # The detector loses a head that turns further: it is turned away until it is absent.
        self._conditions = {
            state: Sustained(grace=s.grace, gap=gap, bridge=s.absent_after) for state in self._after
        }
        # Between two blinks the eyes may be open for less than `grace`, but never this briefly.
        self._conditions[DriverState.EYES_CLOSED].grace = BLINK_GRACE
        self._away = False
        self._was_present = False  # whether anybody has been in the seat yet
        self._state = DriverState.UNKNOWN
        self._since = -math.inf

    def observe(self, driver: Occupant | None, stamp: float) -> None:
        """Add the occupant in the driver's seat in the snapshot with this stamp, None if empty."""
        c = self._conditions
        c[DriverState.ABSENT].update(driver is None, stamp)
        if driver is None:
            for state in c.keys() - {DriverState.ABSENT}:
                c[state].update(None, stamp)
            return
        self._was_present = True
        self._away = away = self._is_away(driver)
        c[DriverState.LOOKING_AWAY].update(away, stamp)
        # The eye landmarks of a face turned down or aside are unreliable.
        c[DriverState.EYES_CLOSED].update(driver.eyes.closed and not away, stamp)
        c[DriverState.DISTRESSED].update(driver.polarity.value == NEGATIVE, stamp)

    def report(self, now: float, *, known: bool) -> DriverReport:
        """Return the current state; UNKNOWN unless there are a driver's seat and new snapshots."""
        state, reason = DriverState.UNKNOWN, _UNKNOWN
        if known and self._was_present:
            state, reason = DriverState.ATTENTIVE, ""
        for candidate, text in DISENGAGED.items() if known else ():
            held = self._conditions[candidate].held(now)
            if held >= self._after[candidate]:
                state, reason = candidate, text.format(held)
                break
        if state != self._state:
            self._state, self._since = state, now
        return DriverReport(state, max(0.0, now - self._since), reason)

    def _is_away(self, driver: Occupant) -> bool:
        """Return whether the head is turned away from the road; False if its angles are unknown."""
        s = self.settings
        yaw, pitch = driver.face.yaw, driver.face.pitch
        if not math.isfinite(yaw + pitch):
            return False
        share = s.back_share if self._away else 1.0
        rotation = abs(math.remainder(yaw - s.road_yaw, math.tau))
        return rotation > share * s.away_yaw or abs(pitch - s.road_pitch) > share * s.away_pitch
