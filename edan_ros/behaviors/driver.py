"""State of the driver from eyes, head and mouth: drowsiness, glances, absence; alerts.

docs/explanation/behaviors.md has the source of each threshold.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from edan_ros.behaviors.occupants import Occupant
from edan_ros.behaviors.snapshot import NEGATIVE
from edan_ros.behaviors.timing import Sustained
from edan_ros.core.eyes import EYE_QUALITIES, EYES_NOT_MEASURED
from edan_ros.core.settings import CheckedSettings, number, seconds, setting

NAN = math.nan


class CabinDriver(enum.IntEnum):
    """The constants DRIVER_* of edan_ros/msg/CabinState."""

    ATTENTIVE = 0
    ABSENT = 1
    LOOKING_AWAY = 2
    EYES_CLOSED = 3
    DISTRESSED = 4
    UNKNOWN = 255


class DriverState(enum.IntEnum):
    """The states of edan_ros/msg/DriverState. Of several that apply, the highest is reported."""

    ATTENTIVE = 0
    LOOKING_AWAY = 1
    DISTRACTED = 2
    DROWSY = 3
    MICROSLEEP = 4
    SLEEP = 5
    UNRESPONSIVE = 6
    ABSENT = 7
    UNKNOWN = 255


class Alert(enum.IntEnum):
    """The constants ALERT_* of edan_ros/msg/DriverState."""

    NONE = 0
    WARN = 1
    ALERT = 2


class Glance(enum.IntEnum):
    """The constants GLANCE_* of edan_ros/msg/DriverState."""

    NONE = 0
    EYES = 1
    HEAD = 2


#: States of CabinState in which the driver is disengaged, each with its reason and the seconds in
#: it. The first one that applies is reported.
DISENGAGED = {
    CabinDriver.ABSENT: "No face has been in the driver's seat for {:.1f} s.",
    CabinDriver.EYES_CLOSED: "The driver's eyes have been closed for {:.1f} s.",
    CabinDriver.LOOKING_AWAY: (
        "The driver's head has been turned away from the road for {:.1f} s."
    ),
    CabinDriver.DISTRESSED: "The driver has shown a negative emotion for {:.1f} s.",
}
_UNKNOWN = "No driver's seat is configured, no faces arrive, or nobody has been there yet."

_LEVELS = {
    DriverState.LOOKING_AWAY: Alert.WARN,
    DriverState.DISTRACTED: Alert.WARN,
    DriverState.DROWSY: Alert.WARN,
    DriverState.MICROSLEEP: Alert.ALERT,
    DriverState.SLEEP: Alert.ALERT,
    DriverState.UNRESPONSIVE: Alert.ALERT,
}
_HIDDEN = {
    "glasses_glare": "The eyes cannot be measured: glasses reflect light.",
    "occluded": "The eyes cannot be measured: something covers them, such as sunglasses.",
    "too_small": "The eyes cannot be measured: the face is too small in the image.",
    "turned": "The eyes cannot be measured: the head is turned too far.",
}
_UNSEEN = "The eyes cannot be measured: the image does not show them, as in the dark."
_NOTHING = "Neither the eyes nor the direction of the head can be measured."

#: Seconds for which closed eyes may be measured as open without a break: between two blinks the
#: eyes may be open for less than `grace`, but never this briefly.
BLINK_GRACE = 0.15
#: Openness below which a blink begins, the openness that it must reach, and its shortest duration
#: in seconds.
BLINK_BEGINS, BLINK_REACHES, BLINK_SHORTEST = 0.5, 0.35, 0.05
#: Seconds for which a state is reported after it has ended, so that a slow subscriber receives it.
HOLD = 1.0
#: Seconds over which `confidence` is measured, and its share for eyes judged by landmarks alone.
CONFIDENCE_WINDOW, LANDMARK_CONFIDENCE = 10.0, 0.5
#: Seconds without a measurement after which that is the reason, or the state unknown.
UNMEASURED_AFTER = 1.0
#: Seconds for which eyes that were closed may be covered before they no longer count as closed.
COVERED = 0.4
#: Seconds that a closed mouth interrupts a yawn at most; speech closes it more briefly than that.
LIPS_GRACE = 0.07
#: Seconds of open mouth from which closed eyes belong to a yawn and are no microsleep.
YAWN_BEGINS = 0.5


@dataclass(frozen=True)
class DriverSettings(CheckedSettings):
    """Conditions under which a driver counts as disengaged, distracted or drowsy."""

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
    gaze_yaw: float = number(
        0.35, 0.1, 1.5, "angle to either side of the road from which the eyes look away", "rad"
    )
    gaze_pitch: float = number(
        0.35, 0.1, 1.2, "angle up or down from the road from which the eyes look away", "rad"
    )
    back_share: float = number(
        0.8, 0.3, 1.0, "fraction of a threshold at which its condition ends again"
    )
    rest_range: float = number(
        0.25,
        0.0,
        0.6,
        "angle by which the direction in which this driver usually looks may differ from the "
        "configured road; 0 to learn none",
        "rad",
    )
    rest_after: float = seconds(
        30.0, 5.0, 600.0, "time for which a driver is measured before that direction is used"
    )
    absent_after: float = seconds(
        3.0, 0.5, 60.0, "time without a face in the driver's seat after which the driver is absent"
    )
    away_after: float = seconds(
        2.0,
        0.3,
        30.0,
        "time with the head turned away after which cabin_state has the driver look away",
    )
    long_glance: float = seconds(
        3.0, 0.5, 30.0, "length of one glance away after which the driver looks away"
    )
    glances: float = seconds(
        10.0, 1.0, 120.0, "sum of glances away after which the driver is distracted"
    )
    glance_window: float = seconds(30.0, 5.0, 300.0, "time over which glances away are summed up")
    eyes_closed_after: float = seconds(
        1.0,
        0.2,
        10.0,
        "time with closed eyes after which that is reported, as a microsleep; a shorter one is "
        "a blink",
    )
    sleep_after: float = seconds(3.0, 0.5, 30.0, "time with closed eyes after which it is sleep")
    unresponsive_after: float = seconds(
        6.0,
        1.0,
        60.0,
        "time with closed eyes or of one glance away after which the driver is unresponsive",
    )
    perclos_window: float = seconds(
        60.0, 10.0, 600.0, "time over which closed eyes, blinks and PERCLOS are measured"
    )
    perclos_measured: float = number(
        0.3, 0.05, 1.0, "fraction of that time that must be measured before PERCLOS is known"
    )
    drowsy_perclos: float = number(0.15, 0.02, 0.9, "PERCLOS from which the driver is drowsy")
    yawn_opening: float = number(
        0.4, 0.1, 2.0, "height between the lips, as a fraction of the mouth's width, in a yawn"
    )
    yawn_after: float = seconds(
        1.5, 0.5, 10.0, "time with the mouth that far open after which it is a yawn"
    )
    yawn_longest: float = seconds(
        12.0, 2.0, 60.0, "time with the mouth that far open after which it is no yawn"
    )
    yawn_window: float = seconds(300.0, 30.0, 3600.0, "time over which yawns are counted")
    drowsy_yawns: int = setting(
        3, "yawns within that time from which the driver is drowsy", low=1, high=100
    )
    distress_after: float = seconds(
        8.0, 1.0, 120.0, "time with a negative emotion after which the driver is in distress"
    )
    grace: float = seconds(
        0.4, 0.0, 3.0, "longest interruption of a condition that still counts as unbroken"
    )
    alert_hold: float = seconds(
        2.0, 0.0, 30.0, "time for which an alert is kept after its cause has ended"
    )
    alert_longest: float = seconds(
        15.0, 1.0, 600.0, "time after which an alert pauses even if its cause holds"
    )
    alert_pause: float = seconds(
        5.0, 0.0, 600.0, "shortest pause between two warnings, and after an alert that paused"
    )


@dataclass(slots=True, frozen=True)
class DriverObservation:
    """The driver in one image. Angles in radians as this camera measures them; NaN where unknown.

    Attributes:
        person: identity over occlusions; another value is another driver.
        track_id: 1 or more.
        openness: of the eyes, 0 closed to 1 open.
        closed: whether they are closed, with hysteresis.
        eye_quality: index into EYE_QUALITIES; 0 if the openness is that of landmarks.
        yaw, pitch: of the head.
        gaze_yaw, gaze_pitch: of the gaze.
        mouth: height between the lips over the width of the mouth.
        negative: whether the emotion is negative.
    """

    person: int = 1
    track_id: int = 1
    openness: float = NAN
    closed: bool = False
    eye_quality: int = EYES_NOT_MEASURED
    yaw: float = NAN
    pitch: float = NAN
    gaze_yaw: float = NAN
    gaze_pitch: float = NAN
    mouth: float = NAN
    negative: bool = False

    @staticmethod
    def of(driver: Occupant) -> DriverObservation:
        """Return the observation of an occupant in the newest image."""
        face, gaze = driver.face, driver.face.gaze
        x, y, z = (NAN, NAN, NAN) if gaze is None else gaze
        return DriverObservation(
            driver.key,
            face.track_id,
            driver.eyes.openness,
            driver.eyes.closed,
            face.eye_quality,
            face.yaw,
            face.pitch,
            math.atan2(x, -z),
            math.atan2(-y, math.hypot(x, z)),
            face.mouth_opening,
            driver.polarity.value == NEGATIVE,
        )


@dataclass(frozen=True)
class CabinDriverReport:
    """The driver in CabinState. held: seconds since it began. reason: one sentence, or empty."""

    state: CabinDriver
    held: float
    reason: str

    @property
    def disengaged(self) -> bool:
        """Whether the state is one of DISENGAGED."""
        return self.state in DISENGAGED


@dataclass(frozen=True)
class DriverReport:
    """The driver as in edan_ros/msg/DriverState. Times in seconds, angles in radians."""

    state: DriverState
    held: float
    alert: Alert
    reason: str
    track_id: int
    confidence: float
    eyes_measurable: bool
    openness: float
    closed_for: float
    perclos: float
    perclos_window: float
    blink_rate: float
    blink_duration: float
    yawning: bool
    yawns: int
    glance: Glance
    glance_down: bool
    glance_for: float
    glance_seconds: float
    gaze: tuple[float, float]
    rest_learned: bool
    rest: tuple[float, float]


class AlertLimiter:
    """Turns the level that a state asks for into alerts that are neither hasty nor permanent.

    A level stays for `alert_hold` after its cause has ended. A warning that ended, and any level
    that held for `alert_longest`, does not come back before `alert_pause`; a higher level does.
    """

    def __init__(self, settings: DriverSettings) -> None:
        self.settings = settings
        self.level = self._peak = self._blocked = Alert.NONE
        self._begun = self._confirmed = self._free = -math.inf

    def update(self, wanted: Alert, elapsed: float) -> Alert:
        """Return the level at a time in seconds that never goes back."""
        s = self.settings
        if wanted >= self.level:
            self._confirmed = elapsed
        if self.level:
            if elapsed - self._begun >= s.alert_longest:
                self._end(Alert.NONE, elapsed, blocked=self.level)
            elif wanted < self.level and elapsed - self._confirmed >= s.alert_hold:
                self._end(wanted, elapsed, blocked=min(self.level, Alert.WARN))
        if wanted > self.level and (wanted > self._blocked or elapsed >= self._free):
            # A fall within one run of alerts does not prolong it.
            if wanted > self._peak:
                self._begun, self._peak = elapsed, wanted
            self.level, self._confirmed = wanted, elapsed
        return self.level

    def _end(self, level: Alert, elapsed: float, *, blocked: Alert) -> None:
        self.level = level
        if not level:
            self._peak = Alert.NONE
            self._blocked, self._free = blocked, elapsed + self.settings.alert_pause


class RestDirection:
    """Direction in which one driver's head or eyes usually point.

    A running mean at first, then with the time constant TIME. One image moves it by REACH at most,
    directions further than `rest_range` + REACH from the road are left out, and the result is
    bounded to `rest_range`: a long glance hardly moves it, and no driver can teach it the lap.
    """

    TIME, REACH = 60.0, 0.15

    def __init__(self, settings: DriverSettings) -> None:
        self._road = (settings.road_yaw, settings.road_pitch)
        self._range, self._after = settings.rest_range, settings.rest_after
        self._mean = self._road
        self._seconds = 0.0

    @property
    def learned(self) -> bool:
        """Whether this driver has been measured for long enough."""
        return self._seconds >= self._after and self._range > 0.0

    @property
    def value(self) -> tuple[float, float]:
        """Yaw and pitch: the learned direction, or that of the road."""
        return self._mean if self.learned else self._road

    def offset(self, yaw: float, pitch: float) -> tuple[float, float]:
        """Return the yaw and pitch of a direction from this one."""
        rest_yaw, rest_pitch = self.value
        return math.remainder(yaw - rest_yaw, math.tau), pitch - rest_pitch

    def update(self, yaw: float, pitch: float, passed: float) -> None:
        """Add a direction that held for some seconds; NaN is ignored."""
        road_yaw, road_pitch = self._road
        yaw = road_yaw + math.remainder(yaw - road_yaw, math.tau)
        reach = self._range + self.REACH
        if not (abs(yaw - road_yaw) <= reach and abs(pitch - road_pitch) <= reach):
            return
        self._seconds += passed
        gain = passed / max(min(self._seconds, self.TIME), 1e-6)
        self._mean = (
            self._toward(self._mean[0], yaw, gain, road_yaw),
            self._toward(self._mean[1], pitch, gain, road_pitch),
        )

    def _toward(self, mean: float, value: float, gain: float, road: float) -> float:
        mean += gain * min(max(value - mean, -self.REACH), self.REACH)
        return min(max(mean, road - self._range), road + self._range)


class _Sums:
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


class DriverMonitor:
    """Monitors the driver. Call `observe` for every snapshot and the reports at any time after it.

    Args:
        settings: thresholds.
        gap: seconds between two images above which time does not count as measured.
        alerts: outlives the monitor, so that alerts keep to their pauses over restarts.
    """

    def __init__(self, settings: DriverSettings, gap: float, alerts: AlertLimiter) -> None:
        self.settings = settings
        self.gap = gap
        self._alerts = alerts
        alerts.settings = settings
        self._absent = self._episode(settings.grace)
        self._state, self._since = DriverState.UNKNOWN, -math.inf
        self._cabin_state, self._cabin_since = CabinDriver.UNKNOWN, -math.inf
        self._started = self._stamp = -math.inf
        self._confidence = _Sums(CONFIDENCE_WINDOW, 1)
        self._was_present = False  # whether anybody has been in the seat yet
        self._person = 0
        self._begin_driver()

    def _begin_driver(self) -> None:
        """Drop everything that was measured of another driver."""
        s = self.settings
        self._driver: DriverObservation | None = None
        self._closed = self._episode(BLINK_GRACE)
        self._blink = self._episode(BLINK_GRACE)
        self._lowest = 1.0  # openness in the present blink
        self._head_away = self._episode(s.grace)
        self._away = self._episode(s.grace)
        self._distress = self._episode(s.grace)
        self._mouth = self._episode(LIPS_GRACE)
        self._eyes_unmeasured = self._episode(s.grace)
        self._unmeasured = self._episode(s.grace)
        self._head_rest, self._gaze_rest = RestDirection(s), RestDirection(s)
        self._head_is_away = self._gaze_is_away = self._mouth_is_open = self._is_away = False
        self._eyes_measured = self._is_measured = False
        self._glance, self._down = Glance.NONE, False
        self._lids = _Sums(s.perclos_window, 2)  # measured, closed
        self._blinks: deque[tuple[float, float]] = deque()  # end, duration
        self._glances = _Sums(s.glance_window, 1)
        self._yawns: deque[float] = deque()  # ends
        self._until: dict[DriverState, float] = {}
        self._reasons: dict[DriverState, str] = {}
        self._drowsy = self._distracted = self._closed_in_yawn = False
        self._perclos, self._perclos_measured = NAN, 0.0

    def _episode(self, grace: float) -> Sustained:
        # The detector loses a head that turns further: it is turned away until it is absent.
        return Sustained(grace=grace, gap=self.gap, bridge=self.settings.absent_after)

    def observe(self, driver: DriverObservation | None, stamp: float) -> None:
        """Add the driver in the image with this stamp, None if the seat is empty.

        Stamps that repeat or go back are ignored.
        """
        if not stamp > self._stamp:
            return
        if driver is not None and driver.person != self._person:
            self._begin_driver()
            self._person = driver.person
        passed = stamp - self._stamp
        self._started = stamp if math.isinf(self._started) else self._started
        self._stamp = stamp
        # What the last image showed has held until now.
        self._account(passed if passed <= self.gap else 0.0, stamp)
        self._absent.update(driver is None, stamp)
        self._driver = driver
        if driver is None:
            self._observe_nobody(stamp)
        else:
            self._was_present = True
            self._observe_directions(driver, stamp, passed if passed <= self.gap else 0.0)
            self._observe_eyes(driver, stamp)
            self._observe_mouth(driver.mouth, stamp)
            self._distress.update(driver.negative, stamp)
            self._is_measured = self._eyes_measured or math.isfinite(driver.yaw + driver.pitch)
            self._unmeasured.update(not self._is_measured, stamp)
        self._latch(stamp)

    def report(self, now: float, elapsed: float, *, known: bool) -> DriverReport:
        """Return the state at `now`.

        Args:
            now: in seconds, the clock of the stamps.
            elapsed: seconds that never go back, for the alerts.
            known: whether there are a driver's seat and new snapshots; the state is UNKNOWN
                otherwise, and everything else the last known.
        """
        at = min(now, self._stamp + self.gap)
        state, reason = self._present_state(at) if known else (DriverState.UNKNOWN, _UNKNOWN)
        if state != self._state:
            self._state, self._since = state, now
        driver = self._driver
        rest = self._gaze_rest if driver and self._looks_with_eyes(driver) else self._head_rest
        while self._blinks and self._blinks[0][0] <= at - self.settings.perclos_window:
            self._blinks.popleft()
        durations = [duration for _, duration in self._blinks]
        known_lids = not math.isnan(self._perclos)
        covered = min(max(now - self._started, self.gap), CONFIDENCE_WINDOW)
        return DriverReport(
            state=state,
            held=max(0.0, now - self._since),
            alert=self._alerts.update(_LEVELS.get(state, Alert.NONE), elapsed),
            reason=reason,
            track_id=0 if driver is None else driver.track_id,
            confidence=min(self._confidence.at(now)[0] / covered, 1.0),
            eyes_measurable=self._eyes_measured,
            openness=driver.openness if driver and self._eyes_measured else NAN,
            closed_for=self._closed.held(at),
            perclos=self._perclos,
            perclos_window=self.settings.perclos_window,
            blink_rate=60.0 * len(durations) / self._perclos_measured if known_lids else NAN,
            blink_duration=sum(durations) / len(durations) if durations else NAN,
            yawning=self._is_yawning(at),
            yawns=len(self._yawns),
            glance=self._glance if self._away.holds else Glance.NONE,
            glance_down=self._down and self._away.holds,
            glance_for=self._away.held(at),
            glance_seconds=self._glances.at(at)[0],
            gaze=(NAN, NAN) if driver is None else self._look(driver),
            rest_learned=rest.learned,
            rest=rest.value,
        )

    def cabin_report(self, now: float, *, known: bool) -> CabinDriverReport:
        """Return the state of CabinState; UNKNOWN unless there are a seat and new snapshots."""
        state, reason = CabinDriver.UNKNOWN, _UNKNOWN
        if known and self._was_present:
            state, reason = CabinDriver.ATTENTIVE, ""
        s = self.settings
        conditions = {
            CabinDriver.ABSENT: (self._absent, s.absent_after),
            CabinDriver.EYES_CLOSED: (self._closed, s.eyes_closed_after),
            CabinDriver.LOOKING_AWAY: (self._head_away, s.away_after),
            CabinDriver.DISTRESSED: (self._distress, s.distress_after),
        }
        for candidate, text in DISENGAGED.items() if known else ():
            condition, after = conditions[candidate]
            held = condition.held(now)
            if held >= after:
                state, reason = candidate, text.format(held)
                break
        if state != self._cabin_state:
            self._cabin_state, self._cabin_since = state, now
        return CabinDriverReport(state, max(0.0, now - self._cabin_since), reason)

    def _account(self, passed: float, stamp: float) -> None:
        driver = self._driver
        eyes = driver is not None and self._eyes_measured
        closed = eyes and driver is not None and driver.closed
        self._lids.add(stamp, passed * eyes, passed * closed)
        self._glances.add(stamp, passed * self._is_away)
        credit = 0.0
        if driver is not None:
            landmarks = driver.eye_quality == EYES_NOT_MEASURED
            credit = 0.5 * math.isfinite(driver.yaw + driver.pitch)
            credit += 0.5 * eyes * (LANDMARK_CONFIDENCE if landmarks else 1.0)
        self._confidence.add(stamp, passed * credit)

    def _observe_nobody(self, stamp: float) -> None:
        for episode in (
            *(self._closed, self._head_away, self._away, self._distress),
            *(self._mouth, self._eyes_unmeasured, self._unmeasured),
        ):
            episode.update(None, stamp)
        self._blink.update(None, stamp, bridge=0.0)
        self._eyes_measured = self._is_measured = self._is_away = False

    def _observe_directions(self, driver: DriverObservation, stamp: float, passed: float) -> None:
        s = self.settings
        self._head_is_away = _beyond(
            self._head_rest.offset(driver.yaw, driver.pitch),
            (s.away_yaw, s.away_pitch),
            s.back_share if self._head_is_away else 1.0,
        )
        with_eyes = self._looks_with_eyes(driver)
        self._gaze_is_away = with_eyes and _beyond(
            self._gaze_rest.offset(driver.gaze_yaw, driver.gaze_pitch),
            (s.gaze_yaw, s.gaze_pitch),
            s.back_share if self._gaze_is_away else 1.0,
        )
        self._is_away = away = self._head_is_away or self._gaze_is_away
        if away:
            self._glance = Glance.HEAD if self._head_is_away else Glance.EYES
            yaw, pitch = self._look(driver)
            self._down = -pitch >= s.back_share * s.gaze_pitch and -pitch > abs(yaw)
        self._head_away.update(self._head_is_away, stamp)
        self._away.update(away, stamp)
        if not driver.closed:
            self._head_rest.update(driver.yaw, driver.pitch, passed)
            if with_eyes:
                self._gaze_rest.update(driver.gaze_yaw, driver.gaze_pitch, passed)

    def _looks_with_eyes(self, driver: DriverObservation) -> bool:
        """Return whether the gaze is measured: closed lids hide it."""
        return math.isfinite(driver.gaze_yaw + driver.gaze_pitch) and not driver.closed

    def _look(self, driver: DriverObservation) -> tuple[float, float]:
        """Return yaw and pitch of gaze or else head from its rest direction."""
        if self._looks_with_eyes(driver):
            return self._gaze_rest.offset(driver.gaze_yaw, driver.gaze_pitch)
        return self._head_rest.offset(driver.yaw, driver.pitch)

    def _observe_eyes(self, driver: DriverObservation, stamp: float) -> None:
        # The eye landmarks of a face turned down or aside are unreliable.
        turned = driver.eye_quality == EYES_NOT_MEASURED and self._head_is_away
        self._eyes_measured = measured = math.isfinite(driver.openness) and not turned
        self._eyes_unmeasured.update(not measured, stamp)
        closed = driver.closed if measured else False if turned else None
        self._closed.update(closed, stamp, bridge=COVERED)
        half = driver.openness < BLINK_BEGINS if measured else None
        duration = self._blink.update(half, stamp, bridge=0.0)
        # A blink that only the loss of the eyes has ended has no end.
        ended = measured and BLINK_SHORTEST <= duration < self.settings.eyes_closed_after
        if ended and self._lowest <= BLINK_REACHES:
            self._blinks.append((stamp, duration))
        if half:
            self._lowest = min(self._lowest, driver.openness)
        elif not self._blink.holds:
            self._lowest = 1.0

    def _observe_mouth(self, mouth: float, stamp: float) -> None:
        s = self.settings
        unknown = math.isnan(mouth)
        if not unknown:
            limit = s.yawn_opening * (s.back_share if self._mouth_is_open else 1.0)
            self._mouth_is_open = mouth >= limit
        lasted = self._mouth.update(None if unknown else self._mouth_is_open, stamp, COVERED)
        if s.yawn_after <= lasted <= s.yawn_longest:
            self._yawns.append(stamp)
        self._closed_in_yawn = self._closed.holds and (
            self._closed_in_yawn or self._mouth.length(stamp) >= YAWN_BEGINS
        )

    def _is_yawning(self, at: float) -> bool:
        return self.settings.yawn_after <= self._mouth.length(at) <= self.settings.yawn_longest

    def _latch(self, at: float) -> None:
        """Set the states that apply at this time, each for HOLD seconds more."""
        self._measure(at)
        for state, reason in self._applying(at):
            self._until[state] = at + HOLD
            self._reasons[state] = reason

    def _measure(self, at: float) -> None:
        """Update what is derived from the windows that end at this time."""
        s = self.settings
        measured, closed = self._lids.at(at)
        self._perclos_measured = measured
        enough = measured >= s.perclos_measured * s.perclos_window
        self._perclos = min(closed / measured, 1.0) if enough else NAN
        share = s.back_share if self._drowsy else 1.0
        self._drowsy = self._perclos >= share * s.drowsy_perclos
        share = s.back_share if self._distracted else 1.0
        self._distracted = self._glances.at(at)[0] >= share * s.glances
        while self._yawns and self._yawns[0] <= at - s.yawn_window:
            self._yawns.popleft()

    def _applying(self, at: float) -> Iterator[tuple[DriverState, str]]:
        """Yield the states of a present driver that apply at this time, with their reasons."""
        s = self.settings
        closed, away = self._closed.length(at), self._away.length(at)
        if away >= s.long_glance:
            how = "eyes" if self._glance is Glance.EYES else "head"
            down = " down" if self._down else ""
            text = f"The driver has looked away{down} with the {how} for {away:.1f} s."
            yield DriverState.LOOKING_AWAY, text
            if away >= s.unresponsive_after:
                yield DriverState.UNRESPONSIVE, f"{text[:-1]} and does not look back."
        if self._distracted:
            total = self._glances.at(at)[0]
            yield (
                DriverState.DISTRACTED,
                f"The driver has looked away for {total:.0f} of the last {s.glance_window:.0f} s.",
            )
        if self._drowsy:
            yield (
                DriverState.DROWSY,
                f"The eyes were closed for {100.0 * self._perclos:.0f} % of the last "
                f"{s.perclos_window:.0f} s.",
            )
        elif len(self._yawns) >= s.drowsy_yawns:
            yield (
                DriverState.DROWSY,
                f"The driver has yawned {len(self._yawns)} times in the last "
                f"{s.yawn_window / 60.0:.0f} min.",
            )
        text = f"The eyes have been closed for {closed:.1f} s."
        if closed >= s.eyes_closed_after and not self._closed_in_yawn:
            yield DriverState.MICROSLEEP, text
        if closed >= s.sleep_after:
            yield DriverState.SLEEP, text
        if closed >= s.unresponsive_after:
            yield DriverState.UNRESPONSIVE, f"{text[:-1]}, and the driver does not react."

    def _present_state(self, at: float) -> tuple[DriverState, str]:
        absent = self._absent.held(at)
        if absent >= self.settings.absent_after:
            return DriverState.ABSENT, DISENGAGED[CabinDriver.ABSENT].format(absent)
        if not self._was_present:
            return DriverState.UNKNOWN, _UNKNOWN
        self._latch(at)
        state = max(
            (state for state, until in self._until.items() if until > at),
            default=DriverState.ATTENTIVE,
        )
        if state:
            return state, self._reasons[state]
        if self._unmeasured.held(at) >= UNMEASURED_AFTER:
            return DriverState.UNKNOWN, _NOTHING
        driver = None if self._eyes_measured else self._driver
        if driver is not None and self._eyes_unmeasured.held(at) >= UNMEASURED_AFTER:
            quality = EYE_QUALITIES[driver.eye_quality]
            turned = self._head_is_away and quality in ("", "occluded")
            return state, _HIDDEN.get("turned" if turned else quality, _UNSEEN)
        return state, ""


def _beyond(offset: tuple[float, float], limits: tuple[float, float], share: float) -> bool:
    """Return whether an angle exceeds its share of a limit; False if unknown."""
    return abs(offset[0]) > share * limits[0] or abs(offset[1]) > share * limits[1]
