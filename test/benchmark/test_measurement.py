"""Measurement of durations with a fake clock, and of this process's memory and CPU time."""

from __future__ import annotations

import itertools
import mmap
import os
import time

import numpy as np
import pytest

from edan_ros.benchmark.measurement import cpu_seconds, fastest, resident_mb


class FakeClock:
    """A clock that advances when it sleeps, and by a microsecond each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_fastest_returns_the_fastest_round_and_not_the_mean() -> None:
    clock = FakeClock()
    waits = itertools.cycle([0.02, 0.02, 0.004])
    seconds = fastest(lambda: clock.sleep(next(waits)), 0.2, clock)
    assert seconds == pytest.approx(0.004, rel=0.01)


def test_short_calls_are_repeated_within_a_round() -> None:
    calls = itertools.count()
    seconds = fastest(lambda: next(calls), 0.05)
    assert 1e-9 < seconds < 1e-4
    assert next(calls) > 1000


def test_a_call_that_exceeds_the_duration_is_measured_three_times() -> None:
    clock = FakeClock()
    calls = itertools.count()
    fastest(lambda: (next(calls), clock.sleep(0.01)), 0.001, clock)
    assert next(calls) == 4  # and once as warm-up


def test_allocated_memory_is_resident() -> None:
    before = resident_mb(os.getpid())
    held = np.ones(64 * 2**20, np.uint8)
    assert 60 < resident_mb(os.getpid()) - before < 80
    assert held[0] == 1


def test_shared_memory_can_be_excluded() -> None:
    """Anonymous shared memory, as between a process and its children."""
    pid = os.getpid()
    own, total = resident_mb(pid, shared=False), resident_mb(pid)
    with mmap.mmap(-1, 64 * 2**20) as shared:
        shared.write(b"x" * len(shared))
        assert 60 < resident_mb(pid) - total < 150
        assert resident_mb(pid, shared=False) - own < 80
        assert resident_mb(pid) - resident_mb(pid, shared=False) >= 64


def test_cpu_seconds_count_work_and_not_sleep() -> None:
    pid = os.getpid()
    before = cpu_seconds(pid)
    time.sleep(0.2)
    asleep = cpu_seconds(pid) - before
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    assert asleep < 0.1
    assert 0.2 < cpu_seconds(pid) - before - asleep < 0.6
