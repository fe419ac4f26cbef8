"""The least disturbed round counts."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from edan_ros.benchmark import timing
from edan_ros.benchmark.timing import fastest


class Clock:
    """Time that passes only while somebody sleeps, and a microsecond with each look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1e-6
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the machine's, which may be busy."""
    clock = Clock()
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def test_the_fastest_round_counts_not_the_mean(clock: Clock) -> None:
    """Every third call is left in peace."""
    waits = itertools.cycle([0.02, 0.02, 0.004])
    assert fastest(lambda: clock.sleep(next(waits)), 0.2) == pytest.approx(0.004, rel=0.01)


def test_short_calls_are_timed_by_the_round() -> None:
    """A hundred thousand a second, which no single reading of the clock could tell."""
    calls = itertools.count()
    seconds = fastest(lambda: next(calls), 0.05)
    assert 1e-9 < seconds < 1e-4
    assert next(calls) > 1000


def test_what_takes_longer_than_allowed_is_still_timed(clock: Clock) -> None:
    calls = itertools.count()
    fastest(lambda: (next(calls), clock.sleep(0.01)), 0.001)
    assert next(calls) == 4
