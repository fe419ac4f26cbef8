"""Measure the duration of a call, and the memory and CPU time of a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

#: Minimum seconds of one round; short calls are repeated within a round.
ROUND = 0.002


def fastest(
    call: Callable[[], object], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the seconds of one call: the mean of the fastest round within ``seconds``.

    Other processes can only add time, so the minimum describes the code best (see the
    documentation of Python's timeit). There are at least three rounds, after a warm-up call.
    """

    def elapsed(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            call()
        return clock() - start

    calls = max(1, round(ROUND / max(elapsed(1), 1e-6)))
    end = clock() + seconds
    rounds = [elapsed(calls) for _ in range(3)]
    while clock() < end:
        rounds.append(elapsed(calls))
    return min(rounds) / calls


def resident_mb(pid: int, *, shared: bool = True) -> float:
    """Return the resident memory of a process in MiB.

    shared: include memory that it shares with other processes, such as the buffers of a
    middleware: of a fixed size, but resident only once used.
    """
    resident: int = psutil.Process(pid).memory_info().rss
    if not shared:
        # psutil gives only the sum of this and of mapped files.
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        resident -= 1024 * int(fields["RssShmem"].split()[0])
    return resident / 2**20


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, in user space and in the kernel."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
