"""Stamps, durations and levels of the behaviours."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.behaviors.timing import (
    Admission,
    Debounced,
    Evidence,
    StampClock,
    Sustained,
    TimeSettings,
    approach,
)
from edan_ros.core.settings import SettingsError


def test_stamps_that_count() -> None:
    time = StampClock(TimeSettings(stale_after=1.0, ahead=0.5))
    verdicts = []
    for stamp, now in [(10, 10.1), (10, 10.2), (9.9, 10.2), (10.5, 10.2), (8, 10.2), (11, 10.3)]:
        time.advance(now)
        verdicts.append(time.admit(stamp, now))
    assert verdicts == [
        Admission.NEW,
        Admission.REPEATED,
        Admission.LATE,
        Admission.NEW,  # a little ahead of the clock
        Admission.STALE,
        Admission.FUTURE,
    ]
    assert time.newest == 10.5


def test_a_stamp_that_is_not_a_number_never_counts() -> None:
    assert StampClock(TimeSettings()).admit(math.nan, 5.0) is Admission.FUTURE


def test_a_clock_that_goes_back_restarts_and_jitter_does_not() -> None:
    time = StampClock(TimeSettings(ahead=0.5, max_step=0.5))
    assert time.advance(100.0) == 0.0
    time.admit(100.0, 100.0)
    assert time.advance(99.7) == 0.0
    assert time.restarts == 0
    assert time.newest == 100.0
    assert time.advance(5.0) == 0.0
    assert time.restarts == 1
    assert time.newest is None
    assert time.admit(5.0, 5.0) is Admission.NEW
    assert time.advance(1e9) == 0.5  # a jump ahead counts for one step


def test_age_and_staleness() -> None:
    time = StampClock(TimeSettings(stale_after=1.0))
    assert time.age(3.0) == math.inf
    assert time.is_stale(3.0)
    time.admit(3.0, 3.0)
    assert time.age(2.9) == 0.0
    assert not time.is_stale(4.0)
    assert time.is_stale(4.1)


def test_a_value_changes_once_it_settles_and_counts_from_its_first_input() -> None:
    value = Debounced("", settle=0.5, forget=2.0, gap=1.0)
    for stamp, shown in [(0.0, "a"), (0.3, "a"), (0.5, "a"), (0.8, "b"), (1.0, "a"), (1.2, "b")]:
        value.update(shown, stamp)
    assert (value.value, value.since) == ("a", 0.0)
    assert value.held(1.5) == 1.5
    value.update("b", 1.8)
    assert (value.value, value.since) == ("b", 1.2)


def test_an_unconfirmed_value_expires_though_nothing_else_settles() -> None:
    value = Debounced("", settle=0.5, forget=2.0, gap=1.0)
    for i in range(10):
        value.update("alarm", 0.1 * i)
    assert value.value == "alarm"
    for i in range(10, 40):
        value.update("ab"[i % 2], 0.1 * i)
    assert value.value == ""


def test_a_duration_does_not_span_a_gap() -> None:
    value = Debounced("", settle=0.0, forget=2.0, gap=1.0)
    value.update("a", 0.0)
    value.update("a", 0.9)
    assert value.held(0.9) == 0.9
    value.update("a", 2.5)
    assert value.held(2.5) == 0.0


def test_a_value_survives_a_gap_only_if_the_next_input_confirms_it() -> None:
    value = Debounced("", settle=0.5, forget=2.0, gap=1.0)
    for stamp in (0.0, 0.5, 2.0):
        value.update("a", stamp)
    assert (value.value, value.held(2.2)) == ("a", pytest.approx(0.2))
    value.update("b", 4.0)
    assert value.value == ""


def test_a_condition_outlasts_a_short_gap_that_does_not_count_as_time() -> None:
    away = Sustained(grace=0.3, gap=1.0, bridge=3.0)
    for stamp in (0.0, 0.5, 1.0, 3.5):
        away.update(True, stamp)
    assert away.held(3.5) == 1.0
    away.update(False, 5.5)  # ended during the gap
    assert away.held(5.5) == 0.0
    away.update(True, 5.6)
    away.update(True, 9.0)  # longer than `bridge`
    assert away.held(9.0) == 0.0


def test_evidence_by_hand() -> None:
    level = Evidence(rise=1.0, fall=2.0, gap=1.0)
    level.update(1.0, 10.0)
    assert level.at(10.0) == 0.0  # one image alone is no evidence
    level.update(1.0, 11.0)
    assert level.at(11.0) == pytest.approx(1 - math.exp(-1))
    assert level.at(12.0) == level.at(11.0)  # within the gap nothing fades
    assert level.at(14.0) == pytest.approx((1 - math.exp(-1)) * math.exp(-1))
    level.update(1.0, 14.0)
    assert level.at(14.0) == pytest.approx((1 - math.exp(-1)) * math.exp(-1))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 5)), max_size=30), st.floats(0, 100))
def test_evidence_stays_within_0_and_1_and_fades_to_nothing(
    inputs: list[tuple[float, float]], wait: float
) -> None:
    level, stamp = Evidence(rise=0.3, fall=1.0, gap=0.5), 0.0
    for value, passed in inputs:
        stamp += passed
        level.update(value, stamp)
        assert 0.0 <= level.at(stamp) <= 1.0
    assert 0.0 <= level.at(stamp + wait) <= level.at(stamp)
    assert level.at(stamp + 20.0) < 1e-6


@given(st.integers(1, 50))
def test_evidence_does_not_depend_on_the_frame_rate(rate: int) -> None:
    level = Evidence(rise=1.5, fall=1.5, gap=1.0)
    for i in range(2 * rate + 1):
        level.update(0.8, i / rate)
    assert level.at(2.0) == pytest.approx(0.8 * (1 - math.exp(-2 / 1.5)), rel=1e-9)


def test_a_condition_is_bridged_over_short_breaks_only() -> None:
    away = Sustained(grace=0.3, gap=1.0, bridge=0.8)
    for stamp, condition in [(0.0, True), (0.2, False), (0.3, True), (0.6, True), (1.3, None)]:
        away.update(condition, stamp)
    assert away.held(1.3) == 1.3
    away.update(False, 1.4)
    assert away.held(1.4) == 0.0
    away.update(True, 1.5)
    away.update(True, 2.6)  # after a gap of 1.1 s
    assert away.held(2.6) == 0.0


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0, 5))
def test_approach_moves_towards_the_target_by_no_more_than_a_step(
    value: float, target: float, step: float
) -> None:
    moved = approach(value, target, step)
    assert abs(moved - value) <= step + 1e-12
    assert abs(target - moved) <= abs(target - value)


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(SettingsError, match=r"stale_after is 0\.0, must be 0\.1 to 10 s"):
        TimeSettings(stale_after=0.0)
    with pytest.raises(SettingsError, match="ahead is nan"):
        TimeSettings(ahead=math.nan)
