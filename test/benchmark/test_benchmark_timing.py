"""The least disturbed round counts."""

from __future__ import annotations

import itertools
import time

import pytest

from edan_ros.benchmark.timing import fastest


def test_the_fastest_round_counts_not_the_mean() -> None:
    """Every third call is left in peace."""
    waits = itertools.cycle([0.02, 0.02, 0.004])
    assert fastest(lambda: time.sleep(next(waits)), 0.2) == pytest.approx(0.004, rel=0.5)


def test_short_calls_are_timed_by_the_round() -> None:
    """A hundred thousand a second, which no single reading of the clock could tell."""
    calls = itertools.count()
    seconds = fastest(lambda: next(calls), 0.05)
    assert 1e-9 < seconds < 1e-4
    assert next(calls) > 1000


def test_what_takes_longer_than_allowed_is_still_timed() -> None:
    calls = itertools.count()
    fastest(lambda: (next(calls), time.sleep(0.01)), 0.001)
    assert next(calls) == 4
