"""How long something takes, on a machine that may do other work as well."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Least seconds of one round: short calls are repeated, so that the clock does not matter.
ROUND = 0.002


def fastest(call: Callable[[], object], seconds: float) -> float:
    """Seconds of one call: the mean of the fastest round, of those that fit into ``seconds``.

    Everything else that runs only ever adds time, so the least disturbed round says most about
    the code (documentation of Python's timeit). At least three rounds, after one that is not
    counted.
    """
    once = _elapsed(call, 1)
    calls = max(1, round(ROUND / max(once, 1e-6)))
    end = time.perf_counter() + seconds
    rounds = [_elapsed(call, calls) for _ in range(3)]
    while time.perf_counter() < end:
        rounds.append(_elapsed(call, calls))
    return min(rounds) / calls


def _elapsed(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - start
