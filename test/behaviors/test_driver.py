"""The driver monitor on scripted traces: events exactly as scripted, at any frame rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.behaviors.driver import DriverMonitor
from edan_ros.behaviors.driver_alerts import AlertLimiter
from edan_ros.behaviors.driver_records import (
    Alert,
    DriverObservation,
    DriverReport,
    DriverState,
    Glance,
)
from edan_ros.behaviors.driver_settings import DriverSettings

GAP = 1.0
AWAKE = DriverObservation(
    openness=1.0, eye_quality=1, yaw=0.0, pitch=0.0, gaze_yaw=0.0, gaze_pitch=0.0, mouth=0.05
)
ASLEEP = replace(AWAKE, openness=0.0, closed=True, gaze_yaw=math.nan, gaze_pitch=math.nan)
LIZARD = replace(AWAKE, gaze_yaw=0.6)
OWL = replace(AWAKE, yaw=0.8, gaze_yaw=0.9)
YAWN = replace(AWAKE, mouth=0.8)
Script = list[tuple[float, DriverObservation | None]]
rates = st.sampled_from([5.0, 7.0, 10.0, 24.0, 30.0, 60.0])
fewer = settings(max_examples=12)
quick = DriverSettings(perclos_window=20.0)


@dataclass
class Drive:
    """A monitor, its clock, and the states and alerts that it has reported."""

    settings: DriverSettings = field(default_factory=DriverSettings)
    rate: float = 10.0
    now: float = 100.0
    states: set[DriverState] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.monitor = DriverMonitor(self.settings, GAP, AlertLimiter(self.settings))

    def play(self, *script: tuple[float, DriverObservation | None]) -> DriverReport:
        """Show each observation for its seconds, and return the last report."""
        for report in self.reports(*script):
            self.states.add(report.state)
        return report

    def reports(self, *script: tuple[float, DriverObservation | None]) -> Iterator[DriverReport]:
        for seconds, driver in script:
            for _ in range(round(seconds * self.rate)):
                self.now += 1.0 / self.rate
                self.monitor.observe(driver, self.now)
                yield self.monitor.report(self.now, self.now, known=True)


@pytest.mark.parametrize("rate", [5.0, 30.0, 60.0])
@pytest.mark.parametrize(
    ("driver", "state", "after"),
    [
        (LIZARD, DriverState.LOOKING_AWAY, 3.0),
        (OWL, DriverState.LOOKING_AWAY, 3.0),
        (OWL, DriverState.UNRESPONSIVE, 6.0),
        (ASLEEP, DriverState.MICROSLEEP, 1.0),
        (ASLEEP, DriverState.SLEEP, 3.0),
        (ASLEEP, DriverState.UNRESPONSIVE, 6.0),
        (None, DriverState.ABSENT, 3.0),
    ],
)
def test_a_state_begins_at_its_time_and_ends_after_its_cause(
    driver: DriverObservation | None, state: DriverState, after: float, rate: float
) -> None:
    drive = Drive(quick, rate)
    assert drive.play((3.0, AWAKE)).state is DriverState.ATTENTIVE
    assert drive.play((after - 0.2, driver)).state is not state
    report = drive.play((0.4 + 1.0 / rate, driver))
    assert report.state is state
    assert report.reason.endswith(".")
    # The eyes were closed for much of the window of PERCLOS.
    assert drive.play((2.0, AWAKE)).state in (DriverState.ATTENTIVE, DriverState.DROWSY)
    assert drive.play((21.0, AWAKE)).state is DriverState.ATTENTIVE


def test_glances_with_eyes_and_head_and_into_the_lap_are_told_apart() -> None:
    drive = Drive()
    drive.play((2.0, AWAKE))
    report = drive.play((1.0, LIZARD))
    assert (report.glance, report.glance_down) == (Glance.EYES, False)
    assert report.gaze[0] == pytest.approx(0.6)
    report = drive.play((1.0, AWAKE), (1.0, OWL))
    assert (report.glance, report.glance_down) == (Glance.HEAD, False)
    report = drive.play((1.0, AWAKE), (3.5, replace(AWAKE, gaze_pitch=-0.6)))
    assert (report.glance, report.glance_down) == (Glance.EYES, True)
    assert report.reason == "The driver has looked away down with the eyes for 3.4 s."
    report = drive.play((1.0, AWAKE))
    assert (report.glance, report.glance_for) == (Glance.NONE, 0.0)


@fewer
@given(rates, st.integers(4, 7))
def test_glances_add_up_over_their_window(rate: float, count: int) -> None:
    drive = Drive(rate=rate)
    drive.play((1.0, AWAKE))
    for _ in range(count):
        report = drive.play((2.0, LIZARD), (2.0, AWAKE))
    assert report.glance_seconds == pytest.approx(2.0 * count, abs=count / rate + 0.01)
    distracted = DriverState.DISTRACTED in drive.states
    assert distracted == (count >= 5) or count == 5  # ten seconds, give or take an image
    assert drive.play((31.0, AWAKE)).glance_seconds == 0.0
    assert drive.states <= {DriverState.ATTENTIVE, DriverState.DISTRACTED}


@fewer
@given(rates, st.lists(st.tuples(st.floats(0.21, 0.75), st.floats(0.5, 1.5)), max_size=5))
def test_blinks_are_counted_as_scripted(rate: float, blinks: list[tuple[float, float]]) -> None:
    drive = Drive(quick, rate)
    drive.play((7.0, AWAKE))
    frames = [math.ceil(closed * rate) for closed, _ in blinks]
    for count, (_, opened) in zip(frames, blinks, strict=True):
        drive.play((count / rate, ASLEEP), (opened, AWAKE))
    report = drive.play((1.0, AWAKE))
    measured = drive.now - 100.0 - 1.0 / rate
    assert report.blink_rate * measured / 60.0 == pytest.approx(len(blinks), abs=1e-6)
    if blinks:
        assert report.blink_duration == pytest.approx(sum(frames) / rate / len(blinks))
    assert report.perclos == pytest.approx(sum(frames) / rate / measured, abs=1e-6)
    assert drive.states <= {DriverState.ATTENTIVE, DriverState.UNKNOWN, DriverState.DROWSY}


@fewer
@given(rates, st.lists(st.sampled_from([AWAKE, ASLEEP, OWL, None]), min_size=5, max_size=18))
def test_perclos_is_the_scripted_fraction_of_the_measured_time(
    rate: float, seconds: list[DriverObservation | None]
) -> None:
    drive = Drive(replace(quick, perclos_measured=0.2), rate)
    report = drive.play(*((1.0, driver) for driver in seconds))
    closed = sum(driver is ASLEEP for driver in seconds)
    measured = sum(driver is not None for driver in seconds)
    if math.isnan(report.perclos):
        assert measured <= 4
    else:
        # The last image counts from the next one on.
        assert report.perclos == pytest.approx(closed / measured, abs=1.0 / rate / (measured - 1))
        assert 0.0 <= report.perclos <= 1.0


@pytest.mark.parametrize("rate", [5.0, 12.0, 60.0])
def test_yawns_are_counted_and_speech_is_not(rate: float) -> None:
    drive = Drive(DriverSettings(yawn_window=60.0), rate)
    report = drive.play((2.0, AWAKE))
    for _ in range(2):
        assert drive.play((2.0, YAWN)).yawning
        report = drive.play((2.0, YAWN), (3.0, AWAKE))
    assert (report.yawns, report.yawning, report.state) == (2, False, DriverState.ATTENTIVE)
    syllables = max(round(rate / 8.0), 1) / rate
    for _ in range(20):
        report = drive.play((syllables, YAWN), (syllables, AWAKE))
        assert not report.yawning
    assert drive.play((13.0, YAWN), (1.0, AWAKE)).yawns == 2  # a mouth that hangs open
    report = drive.play((4.0, YAWN), (1.0, AWAKE))
    assert (report.yawns, report.state) == (3, DriverState.DROWSY)
    assert report.reason == "The driver has yawned 3 times in the last 1 min."
    assert drive.play((61.0, AWAKE)).yawns == 0


def test_eyes_closed_in_a_yawn_are_no_microsleep() -> None:
    drive = Drive(rate=30.0)
    drive.play((30.0, AWAKE), (1.0, YAWN), (2.0, replace(ASLEEP, mouth=0.8)), (10.0, AWAKE))
    assert drive.states == {DriverState.ATTENTIVE}


def test_a_short_microsleep_between_two_reports_is_reported() -> None:
    drive = Drive(rate=30.0)
    drive.play((2.0, AWAKE))
    list(drive.reports((1.1, ASLEEP), (0.4, AWAKE)))
    report = drive.monitor.report(drive.now, drive.now, known=True)
    assert (report.state, report.alert) == (DriverState.MICROSLEEP, Alert.ALERT)
    assert report.reason == "The eyes have been closed for 1.1 s."


def test_the_rest_direction_is_learned_and_bounded() -> None:
    leaning = replace(AWAKE, yaw=0.2, gaze_yaw=0.2, pitch=-0.1, gaze_pitch=-0.1)
    drive = Drive(rate=10.0)
    report = drive.play((20.0, leaning))
    assert (report.rest_learned, report.rest) == (False, (0.0, 0.0))
    # Glances in between hardly move it.
    report = drive.play(*[(5.0, leaning), (1.5, LIZARD)] * 8, (5.0, leaning))
    assert report.rest_learned
    assert report.rest == pytest.approx((0.2, -0.1), abs=0.02)
    assert report.gaze == pytest.approx((0.0, 0.0), abs=0.02)
    report = drive.play((600.0, replace(AWAKE, gaze_yaw=0.39)))
    assert report.rest[0] == pytest.approx(0.25)
    report = drive.play((1.0, replace(leaning, person=2)))
    assert (report.rest_learned, report.rest) == (False, (0.0, 0.0))


@pytest.mark.parametrize(
    ("driver", "state", "reason"),
    [
        (replace(AWAKE, openness=math.nan, eye_quality=2), 0, "glasses reflect light"),
        (replace(AWAKE, openness=math.nan, eye_quality=3), 0, "such as sunglasses"),
        (replace(AWAKE, openness=math.nan, eye_quality=4), 0, "too small"),
        (replace(AWAKE, openness=math.nan), 0, "in the dark"),
        (replace(OWL, openness=0.1, closed=True, eye_quality=0, yaw=0.6), 0, "turned too far"),
        (replace(AWAKE, openness=math.nan, yaw=math.nan, gaze_yaw=math.nan), 255, "Neither"),
    ],
)
def test_what_cannot_be_measured_is_explained(
    driver: DriverObservation, state: int, reason: str
) -> None:
    drive = Drive(DriverSettings(long_glance=30.0, unresponsive_after=30.0))
    assert drive.play((10.0, AWAKE)).confidence == pytest.approx(1.0, abs=0.02)
    hidden = replace(driver, gaze_yaw=math.nan)
    report = drive.play((9.9, hidden))
    assert (report.state, report.eyes_measurable, report.perclos) == (state, False, 0.0) or (
        math.isnan(report.perclos) and report.state == state
    )
    assert reason in report.reason
    assert report.confidence == pytest.approx(0.5 if state == 0 else 0.0, abs=0.04)
    assert math.isnan(report.openness)


def test_eyes_judged_by_landmarks_are_trusted_less() -> None:
    report = Drive().play((20.0, replace(AWAKE, eye_quality=0)))
    assert (report.confidence, report.reason) == (pytest.approx(0.75, abs=0.01), "")


def test_eyes_covered_after_a_blink_are_not_asleep() -> None:
    drive = Drive(rate=30.0)
    covered = replace(AWAKE, openness=math.nan, eye_quality=3, gaze_yaw=math.nan)
    report = drive.play((30.0, AWAKE), (0.3, ASLEEP), (10.0, covered), (2.0, AWAKE))
    assert drive.states == {DriverState.ATTENTIVE}
    assert report.blink_rate == 0.0


@pytest.mark.parametrize("driver", [ASLEEP, OWL, LIZARD])
def test_no_alert_lasts_for_ever(driver: DriverObservation) -> None:
    drive = Drive()
    drive.play((2.0, AWAKE))
    levels = [report.alert for report in drive.reports((300.0, driver))]
    longest = run = 0
    for level in levels:
        run = run + 1 if level else 0
        longest = max(longest, run)
    assert longest <= 10 * 2 * 15 + 2
    assert levels.count(Alert.NONE) >= 10 * 5 * 10
    assert Alert.ALERT in levels[-300:]  # but it comes back


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(list(Alert)), st.floats(0.05, 8.0)), min_size=1, max_size=60)
)
def test_alerts_keep_to_their_durations(script: list[tuple[Alert, float]]) -> None:
    s = DriverSettings()
    limiter, now, begun, ended = AlertLimiter(s), 0.0, 0.0, -math.inf
    cause, before = -math.inf, Alert.NONE
    for wanted, seconds in script:
        for _ in range(max(round(seconds / 0.1), 1)):
            now += 0.1
            level = limiter.update(wanted, now)
            assert level <= Alert.ALERT
            if level and not before:
                begun = now
                assert wanted == level  # no alert without its cause
                assert level is Alert.ALERT or now - ended >= s.alert_pause - 1e-6
            if before and not level:
                ended = now
            if level:
                # Each of the two levels ends at the first update after its time.
                assert now - begun <= 2 * (s.alert_longest + 0.1) + 1e-6
                assert now - cause <= s.alert_hold + 0.1 or wanted >= level
            cause = now if wanted >= level else cause
            before = level
    for i in range(100):
        level = limiter.update(Alert.NONE, now + 0.1 * i)
    assert level is Alert.NONE


FAULTS: list[Callable[[float], float]] = [
    lambda stamp: stamp,
    lambda stamp: stamp - 5.0,
    lambda stamp: stamp - 0.2,
    lambda _: 100.0,
    lambda _: math.nan,
]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([AWAKE, ASLEEP, OWL, LIZARD, YAWN, DriverObservation(), None]),
            st.sampled_from([0.016, 0.2, 0.5, 0.9, 1.4, 30.0]),
            st.sampled_from(FAULTS),
        ),
        max_size=60,
    )
)
def test_reports_stay_in_their_ranges_over_gaps_and_bad_stamps(
    images: list[tuple[DriverObservation | None, float, Callable[[float], float]]],
) -> None:
    """Also: no state without its cause, and no duration longer than the time with images."""
    drive, causes, shown = Drive(), set(), 0.0
    allowed = {
        id(ASLEEP): {3, 4, 5, 6},
        id(OWL): {1, 2, 6},
        id(LIZARD): {1, 2, 6},
        id(YAWN): {3},
        id(None): {7},
    }
    for driver, passed, fault in images:
        drive.now += passed
        drive.monitor.observe(driver, fault(drive.now))
        causes |= allowed.get(id(driver), set())
        shown += min(passed, 3.0)
        report = drive.monitor.report(drive.now, drive.now, known=True)
        assert report.state in causes | {0, 255}
        assert math.isnan(report.perclos) or 0.0 <= report.perclos <= 1.0
        assert 0.0 <= report.confidence <= 1.0
        assert 0.0 <= report.closed_for <= shown + GAP
        assert 0.0 <= report.glance_for <= shown + GAP
        assert 0.0 <= report.glance_seconds <= 30.0 + GAP
        assert report.held >= 0.0
        assert bool(report.reason) or report.state in (0, 255)
    stale = drive.monitor.report(drive.now, drive.now, known=False)
    assert stale.state is DriverState.UNKNOWN


def test_another_driver_starts_without_the_past_of_the_last() -> None:
    drive = Drive()
    report = drive.play((30.0, AWAKE), (12.0, ASLEEP), (3.0, AWAKE))
    assert report.state is DriverState.DROWSY
    assert report.perclos > 0.2
    report = drive.play((30.0, replace(AWAKE, person=2, track_id=9)))
    assert (report.state, report.perclos, report.track_id) == (DriverState.ATTENTIVE, 0.0, 9)
