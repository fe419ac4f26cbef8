"""Engagement: who looks at the robot, for how long, and the phases that follow from it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios import face, fewer_examples, sequences, snapshot, updates

from edan_ros.behaviors.engagement import (
    Engagement,
    EngagementMonitor,
    EngagementReport,
    EngagementSettings,
    Level,
    line_to,
)
from edan_ros.behaviors.snapshot import FaceSnapshot
from edan_ros.behaviors.timing import Admission, StampClock, TimeSettings

SETTINGS = EngagementSettings()
AWAY = face(1, yaw=1.0)
TOWARDS = face(1)


def gazing(angle: float, openness: float = 0.9, yaw: float = 0.0) -> FaceSnapshot:
    """Return a face whose eyes look past the camera by an angle to the image's right."""
    gaze = (math.sin(angle), 0.0, -math.cos(angle))
    return replace(face(1, yaw=yaw), gaze=gaze, eye_openness=openness)


class Stage:
    """One person in front of the robot, at ten images per second."""

    def __init__(self, **values: float) -> None:
        self.person = Engagement(EngagementSettings(**values))
        self.now = 100.0
        self.levels: list[Level] = []

    def play(self, seconds: float, shown: FaceSnapshot) -> EngagementReport:
        for _ in range(round(seconds * 10)):
            self.now = round(self.now + 0.1, 6)
            self.person.update(shown, snapshot(self.now, shown))
            if not self.levels or self.levels[-1] is not self.person.level:
                self.levels.append(self.person.level)
        return self.person.report


def test_a_person_goes_through_the_phases_in_their_order() -> None:
    stage = Stage()
    stage.play(1.0, AWAY)
    report = stage.play(0.5, TOWARDS)
    assert (report.level, report.looking) == (Level.ENGAGING, True)
    assert report.looking_for == pytest.approx(0.4)
    report = stage.play(2.6, TOWARDS)
    assert (report.level, report.by_gaze, stage.person.episode) == (Level.ENGAGED, False, 1)
    assert report.looking_for == pytest.approx(3.0)
    assert report.level_held == pytest.approx(2.0)
    report = stage.play(1.0, AWAY)
    assert (report.level, report.looking, report.looking_for) == (Level.DISENGAGING, False, 0.0)
    assert report.angle == pytest.approx(1.0)
    stage.play(1.5, AWAY)
    unknown, *phases = stage.levels
    assert unknown is Level.UNKNOWN
    assert phases == [
        Level.DISENGAGED,
        Level.ENGAGING,
        Level.ENGAGED,
        Level.DISENGAGING,
        Level.DISENGAGED,
    ]


def test_a_short_look_away_does_not_end_the_engagement() -> None:
    stage = Stage()
    stage.play(2.0, TOWARDS)
    assert stage.play(1.5, AWAY).level is Level.DISENGAGING
    assert stage.play(1.0, TOWARDS).level is Level.ENGAGED
    assert stage.person.episode == 1


def test_a_look_that_ends_just_too_early_is_no_engagement() -> None:
    stage = Stage()
    stage.play(0.9, TOWARDS)
    stage.play(3.0, AWAY)
    assert stage.levels == [Level.UNKNOWN, Level.ENGAGING, Level.DISENGAGED]
    stage.play(3.0, TOWARDS)
    stage.play(1.9, AWAY)
    stage.play(1.0, TOWARDS)
    assert stage.levels[3:] == [Level.ENGAGING, Level.ENGAGED, Level.DISENGAGING, Level.ENGAGED]


def test_the_eyes_count_before_the_head() -> None:
    stage = Stage()
    report = stage.play(2.0, gazing(0.0, yaw=1.0))  # the head is turned, the eyes are not
    assert (report.level, report.by_gaze, report.angle) == (Level.ENGAGED, True, 0.0)
    assert Stage().play(2.0, gazing(0.5)).level is Level.DISENGAGED  # and the other way round


def test_a_blink_changes_nothing_and_closed_eyes_do_not_look() -> None:
    stage = Stage()
    stage.play(2.0, gazing(0.1))
    for _ in range(5):
        stage.play(0.4, gazing(0.7, openness=0.05))
        assert stage.play(0.2, gazing(0.1)).looking
    assert stage.levels == [Level.UNKNOWN, Level.ENGAGING, Level.ENGAGED]
    assert not stage.play(1.0, gazing(0.1, openness=0.05)).looking


def test_the_head_does_not_stand_in_for_half_closed_eyes_without_a_gaze() -> None:
    drooping = replace(TOWARDS, eye_openness=0.24)
    report = Stage().play(2.0, drooping)
    assert (report.level, report.looking) == (Level.DISENGAGED, False)


def test_between_the_two_cones_a_look_goes_on_but_does_not_begin() -> None:
    between = gazing(1.15 * SETTINGS.gaze_cone)
    assert Stage().play(2.0, between).level is Level.DISENGAGED
    stage = Stage()
    stage.play(2.0, gazing(0.9 * SETTINGS.gaze_cone))
    assert stage.play(5.0, between).level is Level.ENGAGED
    beyond = gazing(1.05 * SETTINGS.leave * SETTINGS.gaze_cone)
    assert stage.play(1.0, beyond).level is Level.DISENGAGING


def test_what_cannot_be_measured_is_unknown_after_a_moment() -> None:
    stage = Stage()
    hidden = face(1, yaw=math.nan)
    stage.play(2.0, TOWARDS)
    assert stage.play(0.4, hidden).level is Level.ENGAGED
    report = stage.play(1.0, hidden)
    assert (report.level, report.looking) == (Level.UNKNOWN, False)
    assert math.isnan(report.angle)


def test_the_robots_head_may_be_beside_the_camera() -> None:
    # A metre away, looking at a point 0.5 m to the right of the camera.
    aside = gazing(math.atan(0.5))
    assert Stage().play(2.0, aside).level is Level.DISENGAGED
    assert Stage(robot_x=0.5).play(2.0, aside).level is Level.ENGAGED
    assert Stage(robot_x=0.5).play(2.0, gazing(0.0)).level is Level.DISENGAGED


def test_without_a_position_the_line_of_sight_is_that_of_an_assumed_lens() -> None:
    aside = face(1, x=0.9, distance=None, yaw=-math.atan(0.4))
    x, y, z = line_to(aside, snapshot(1.0, aside))
    assert (x / -z, y / -z) == pytest.approx((-0.4, 0.0), abs=1e-3)
    report = Stage(head_cone=0.05).play(2.0, aside)
    assert report.level is Level.ENGAGED
    assert report.angle == pytest.approx(0.0, abs=1e-3)


def test_durations_begin_again_after_a_gap() -> None:
    stage = Stage()
    stage.play(3.0, TOWARDS)
    stage.now += 1.2
    report = stage.play(0.1, TOWARDS)
    assert (report.level, report.looking_for, report.level_held) == (Level.ENGAGED, 0.0, 0.0)
    stage.now += 1.2
    assert stage.play(0.1, AWAY).level is Level.UNKNOWN


def test_who_is_gone_is_dropped_and_who_returns_is_new() -> None:
    monitor = EngagementMonitor(SETTINGS)
    for i in range(30):
        monitor.observe(snapshot(0.1 * i, face(7), face(8, x=0.6)))
    assert [report.track_id for report in monitor.reports] == [7, 8]
    assert monitor.level(7) is Level.ENGAGED
    monitor.observe(snapshot(4.0, face(8, x=0.6)))
    assert (monitor.level(7), len(monitor.reports)) == (Level.ENGAGED, 1)
    monitor.observe(snapshot(4.6, face(7)))
    assert (monitor.level(7), monitor.level(99)) == (Level.UNKNOWN, Level.UNKNOWN)


def scripted(script: list[tuple[bool, float]]) -> list[tuple[float, Level]]:
    """Return when each phase begins by the definition, for looks and their seconds from time 0."""
    s, begin, engaged = SETTINGS, 0.0, False
    phases = [(0.0, Level.UNKNOWN)]
    for looks, lasts in script:
        if looks:
            phases.append((begin + s.settle, Level.ENGAGED if engaged else Level.ENGAGING))
            if not engaged and lasts > s.engage_after:
                phases.append((begin + s.engage_after, Level.ENGAGED))
                engaged = True
        else:
            phases.append((begin + s.settle, Level.DISENGAGING if engaged else Level.DISENGAGED))
            if engaged and lasts > s.disengage_after:
                phases.append((begin + s.disengage_after, Level.DISENGAGED))
                engaged = False
        begin += lasts
    return phases


@fewer_examples
@given(
    lengths=st.lists(st.floats(0.5, 4.0), min_size=1, max_size=6),
    begins=st.booleans(),
    intervals=st.lists(st.floats(0.02, 0.12), min_size=1, max_size=7),
)
def test_scripted_looks_give_the_scripted_phases_at_any_frame_rate(
    lengths: list[float], begins: bool, intervals: list[float]
) -> None:
    script = [(begins == (i % 2 == 0), length) for i, length in enumerate(lengths)]
    # A look that ends within two images of a limit may or may not have reached it.
    limits = (SETTINGS.engage_after, SETTINGS.disengage_after)
    script = [
        (looks, lasts + 0.5 if any(abs(lasts - limit) <= 0.25 for limit in limits) else lasts)
        for looks, lasts in script
    ]
    phases = scripted(script)
    ends = list(itertools.accumulate(lasts for _, lasts in script))
    person, now = Engagement(SETTINGS), 0.0
    for interval in itertools.cycle(intervals):
        if now >= ends[-1]:
            break
        looks = script[next(i for i, end in enumerate(ends) if now < end)][0]
        shown = TOWARDS if looks else AWAY
        person.update(shown, snapshot(now, shown))
        # Each phase begins at most two images late.
        allowed = {
            level
            for (begin, level), (end, _) in itertools.pairwise([*phases, (math.inf, phases[-1][1])])
            if begin <= now + 1e-9 and now <= end + 0.24 + 1e-9
        }
        assert person.level in allowed, (now, script)
        now += interval


@fewer_examples
@given(sequences)
def test_invariants_of_the_engagement(data: bytes) -> None:
    """For any sequence of scenes, gaps, repeats, late and outdated stamps and jumps of the clock:

    - only faces of the newest image are reported, once each;
    - a look has lasted if and only if it holds, and no time is negative;
    - nobody is engaged who has not looked at the robot for `engage_after` without a break.
    """
    monitor = EngagementMonitor(SETTINGS)

    def restart() -> None:
        nonlocal monitor
        monitor = EngagementMonitor(SETTINGS)
        first.clear()

    first: dict[int, float] = {}
    clock = StampClock(TimeSettings(), restart)
    for update in updates(data):
        if update.snapshot is None:
            continue
        shown = update.snapshot
        if clock.admit(shown.stamp, update.now) is not Admission.NEW:
            continue
        monitor.observe(shown)
        usable = [face.track_id for face in shown.usable_faces()]
        assert [report.track_id for report in monitor.reports] == usable
        for report in monitor.reports:
            since = first.setdefault(report.track_id, shown.stamp)
            assert math.isnan(report.angle) or 0.0 <= report.angle <= math.pi
            assert 0.0 <= report.level_held <= shown.stamp - since + 1e-6
            assert 0.0 <= report.looking_for <= shown.stamp - since + 1e-6
            assert report.looking or report.looking_for == 0.0
            assert report.looking == (report.level in (Level.ENGAGING, Level.ENGAGED))
            if report.level in (Level.ENGAGED, Level.DISENGAGING):
                assert shown.stamp - since >= SETTINGS.engage_after - 1e-6
