"""What /proc says of this very process."""

from __future__ import annotations

import mmap
import os
import time

import numpy as np

from edan_ros.benchmark.process import processor_seconds, resident_mb


def test_memory_that_is_used_shows() -> None:
    before = resident_mb(os.getpid())
    held = np.ones(64 * 2**20, np.uint8)
    assert 60 < resident_mb(os.getpid()) - before < 80
    assert held[0] == 1


def test_memory_that_is_shared_can_be_left_out() -> None:
    """Anonymous shared memory, as between a process and its children."""
    me = os.getpid()
    own, whole = resident_mb(me, shared=False), resident_mb(me)
    with mmap.mmap(-1, 64 * 2**20) as shared:
        shared.write(b"x" * len(shared))
        assert 60 < resident_mb(me) - whole < 150
        assert resident_mb(me, shared=False) - own < 80
        assert resident_mb(me) - resident_mb(me, shared=False) >= 64


def test_work_costs_processor_time_and_sleep_does_not() -> None:
    me = os.getpid()
    before = processor_seconds(me)
    time.sleep(0.2)
    asleep = processor_seconds(me) - before
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    assert asleep < 0.1
    assert 0.2 < processor_seconds(me) - before - asleep < 0.6
