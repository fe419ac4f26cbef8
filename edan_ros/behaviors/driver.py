"""State of the driver from eyes, head and mouth: drowsiness, glances, absence; alerts.

Settings, records, alerts and the usual direction are in `driver_*.py` beside this module.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

from edan_ros.behaviors.driver_alerts import AlertLimiter
from edan_ros.behaviors.driver_records import (
    DISENGAGED,
    NAN,
    Alert,
    CabinDriver,
    CabinDriverReport,
    DriverObservation,
    DriverReport,
    DriverState,
    Glance,
)
from edan_ros.behaviors.driver_rest import RestDirection
from edan_ros.behaviors.driver_settings import DriverSettings
from edan_ros.behaviors.timing import Sustained, WindowSums
from edan_ros.core.eyes import EYE_QUALITIES, EYES_NOT_MEASURED

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
        self._confidence = WindowSums(CONFIDENCE_WINDOW, 1)
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
        self._lids = WindowSums(s.perclos_window, 2)  # measured, closed
        self._blinks: deque[tuple[float, float]] = deque()  # end, duration
        self._glances = WindowSums(s.glance_window, 1)
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
                f"The eyes were closed for {100.0 * self._perclos:.0f} % of the time measured "
                f"in the last {s.perclos_window:.0f} s.",
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
