"""The time of a behaviour relative to that of a known computation on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from scenarios import face, snapshot

from edan_ros.behaviors.snapshot import Snapshot


class Behavior(Protocol):
    def observe(self, snapshot: Snapshot, now: float, /) -> object: ...
    def step(self, now: float, /) -> object: ...


def pace(make: Callable[[], Behavior]) -> float:
    """Return the time of 1,000 updates of eight faces over that of a million additions.

    The best of three each, in turns: other work on the machine slows down both. A server core
    takes 0.05 to 0.1 s for the additions.
    """
    looks = ("neutral", "happy", "fear", "sad")
    snapshots = [
        snapshot(0.05 * i, *(face(k + 1, looks[(i // 50 + k) % 4], x=k / 8) for k in range(8)))
        for i in range(1000)
    ]
    updates = additions = math.inf
    for _ in range(3):
        behavior = make()
        start = time.process_time()
        for s in snapshots:
            behavior.observe(s, s.stamp)
            behavior.step(s.stamp)
        between = time.process_time()
        sum(i * i for i in range(1_000_000))
        updates = min(updates, between - start)
        additions = min(additions, time.process_time() - between)
    return updates / additions
