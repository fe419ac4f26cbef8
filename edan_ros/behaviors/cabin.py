"""The vehicle's behaviour: state of the cabin and advice on speed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edan_ros.behaviors.driver import DriverMonitor
from edan_ros.behaviors.driver_alerts import AlertLimiter
from edan_ros.behaviors.driver_records import (
    CabinDriver,
    CabinDriverReport,
    DriverObservation,
    DriverReport,
)
from edan_ros.behaviors.driver_settings import DriverSettings
from edan_ros.behaviors.occupants import Occupant, Occupants, OccupantSettings, Seat
from edan_ros.behaviors.snapshot import Snapshot
from edan_ros.behaviors.speed import Advice, Reason, SpeedAdvisor, SpeedSettings
from edan_ros.behaviors.timing import Admission, StampClock, TimeSettings
from edan_ros.core.emotions import EMOTIONS, POLARITY_UNKNOWN, UNKNOWN, polarity_probabilities
from edan_ros.core.settings import SettingsError
from edan_ros.core.wording import plural

NO_MOOD = (0.0,) * len(EMOTIONS)


@dataclass(frozen=True)
class CabinSettings:
    """All settings of the vehicle's behaviour."""

    seats: tuple[Seat, ...] = (Seat("driver", 0.0, 0.0, 1.0, 1.0),)
    time: TimeSettings = field(default_factory=TimeSettings)
    occupants: OccupantSettings = field(default_factory=OccupantSettings)
    driver: DriverSettings = field(default_factory=DriverSettings)
    speed: SpeedSettings = field(default_factory=SpeedSettings)

    def __post_init__(self) -> None:
        names = [seat.name for seat in self.seats]
        if self.driver.seat and self.seats and self.driver.seat not in names:
            raise SettingsError(
                f"the driver's seat is '{self.driver.seat}', but the seats are {', '.join(names)}"
            )

    @property
    def has_driver(self) -> bool:
        """Whether one of the seats is the driver's."""
        return any(seat.name == self.driver.seat for seat in self.seats)


@dataclass(frozen=True)
class OccupantReport:
    """One person, as in edan_ros/msg/OccupantState. Times in seconds, angles in radians."""

    occupant: Occupant
    visible: bool
    unseen: float
    emotion_held: float
    polarity_held: float
    distress: float
    eyes_closed_held: float


@dataclass(frozen=True)
class CabinReport:
    """The cabin at one time, as in edan_ros/msg/CabinState. Times in seconds.

    driver_state: the driver as in edan_ros/msg/DriverState.
    """

    now: float
    stale: bool
    age: float
    occupants: tuple[OccupantReport, ...]
    emotion: int
    mood: tuple[float, ...]
    polarity: int
    driver: CabinDriverReport
    driver_state: DriverReport
    advice: Advice

    @property
    def summary(self) -> str:
        """Number of occupants and state of the driver, in words."""
        return f"{plural(len(self.occupants), 'occupant')}, driver {words(self.driver.state)}"

    def changes(self, before: CabinReport | None) -> list[str]:
        """Return what differs from a report before, in sentences for users."""
        lines = []
        driver, advice, alert = self.driver, self.advice, self.driver_state.alert
        if before is None or driver.state != before.driver.state:
            lines.append(f"driver {words(driver.state)}. {driver.reason}".rstrip())
        if alert and (before is None or alert != before.driver_state.alert):
            lines.append(f"driver alert: {alert.name.lower()}. {self.driver_state.reason}")
        if before is None or advice.reason != before.advice.reason:
            lines.append(
                f"advice: {words(advice.reason)}, scale {advice.scale:.2f} on its way to "
                f"{advice.target:.2f}. {advice.text}".rstrip()
            )
        return lines


def words(state: CabinDriver | Reason) -> str:
    """Return the name of a state or reason for users."""
    return "no advice" if state is Reason.NONE else state.name.lower().replace("_", " ")


class Cabin:
    """The vehicle's behaviour. `observe` snapshots as they arrive, `step` at a steady rate."""

    def __init__(self, settings: CabinSettings) -> None:
        self.clock = StampClock(settings.time, self._restart)
        self._advisor = SpeedAdvisor(settings.speed)
        self._alerts = AlertLimiter(settings.driver)
        self._stepped = 0.0  # the clock's `elapsed` at the last step
        self._configure(settings)

    def _configure(self, settings: CabinSettings) -> None:
        s = settings.occupants
        self.settings = settings
        self._occupants = Occupants(settings.seats, s)
        self._driver = DriverMonitor(settings.driver, s.gap, self._alerts)
        self._emotion = s.debounced(UNKNOWN)
        self._polarity = s.debounced(POLARITY_UNKNOWN)
        self._mood = NO_MOOD

    def reconfigure(self, settings: CabinSettings) -> None:
        """Set new settings.

        The advice continues from its current scale. The people are kept unless the settings of
        seats, occupants or driver change.
        """
        before, self.settings = self.settings, settings
        self.clock.settings = settings.time
        self._advisor.settings = settings.speed
        if _people_settings(before) != _people_settings(settings):
            self._restart()

    def observe(self, snapshot: Snapshot, now: float) -> Admission:
        """Add the faces of one image that arrives at `now`; return whether its stamp counts."""
        admission = self.clock.admit(snapshot.stamp, now)
        if admission is Admission.NEW:
            self._occupants.observe(snapshot)
            driver = self._occupants.in_seat(self.settings.driver.seat)
            observation = None if driver is None else DriverObservation.of(driver)
            self._driver.observe(observation, snapshot.stamp)
            self._observe_mood(snapshot.stamp)
        return admission

    def step(self, now: float) -> CabinReport:
        """Return the state of the cabin and the advice at `now`."""
        self.clock.advance(now)
        clock = self.clock
        passed = clock.elapsed - self._stepped
        self._stepped = clock.elapsed
        stale = clock.is_stale(now)
        people = self._occupants.counted()
        known = self.settings.has_driver and not stale
        return CabinReport(
            now=now,
            stale=stale,
            age=clock.age(now),
            occupants=tuple(_report(person, clock.newest, now, stale) for person in people),
            emotion=self._emotion.value,
            mood=self._mood,
            polarity=self._polarity.value,
            driver=self._driver.cabin_report(now, known=known),
            driver_state=self._driver.report(now, clock.elapsed, known=known),
            advice=self._advisor.step(people, now, passed, stale=stale),
        )

    def _restart(self) -> None:
        self._advisor.restart()
        self._configure(self.settings)

    def _observe_mood(self, stamp: float) -> None:
        """Update the mean probabilities of the people whose emotion is known."""
        known = [o for o in self._occupants.counted() if o.emotion.value != UNKNOWN]
        if not known:
            self._mood = NO_MOOD
            self._emotion.update(UNKNOWN, stamp)
            self._polarity.update(POLARITY_UNKNOWN, stamp)
            return
        columns = zip(*(o.face.probabilities for o in known), strict=True)
        self._mood = tuple(sum(column) / len(known) for column in columns)
        self._emotion.update(int(np.argmax(self._mood)), stamp)
        polarities = polarity_probabilities(np.asarray(self._mood))
        self._polarity.update(int(polarities.argmax()), stamp)


def _people_settings(settings: CabinSettings) -> tuple[object, ...]:
    return settings.seats, settings.occupants, settings.driver


def _report(person: Occupant, newest: float | None, now: float, stale: bool) -> OccupantReport:
    visible = person.last_seen == newest and not stale
    return OccupantReport(
        occupant=person,
        visible=visible,
        unseen=0.0 if visible else max(0.0, now - person.last_seen),
        emotion_held=person.emotion.held(now),
        polarity_held=person.polarity.held(now),
        distress=max(person.fear.at(now), person.distress.at(now)),
        eyes_closed_held=person.eyes.closed_for.held(now) if person.eyes.closed else 0.0,
    )
