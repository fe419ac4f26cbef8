"""How far a build is, from the phases that TensorRT reports."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

#: Told the share that is done, 0 to 1, never less than before.
Progress = Callable[[float], None]


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class ProgressTree:
    """TensorRT builds in phases of steps, and a step may consist of phases of its own.

    A step counts as one part of its phase, however long it takes, and a phase under way as part
    of its parent's next step. TensorRT calls from several threads.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._phases: dict[str, _Phase] = {}
        self._told = 0.0
        self._lock = threading.Lock()

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase begins. parent: the phase that it is a step of; None for the whole build."""
        with self._lock:
            self._phases[phase] = _Phase(parent, max(1, steps))

    def step(self, phase: str) -> None:
        """A step of a phase is done."""
        with self._lock:
            self._phases[phase].done += 1
            self._tell(self._share(phase))

    def finish(self, phase: str) -> None:
        """A phase is over, whether all of its steps were needed or not."""
        with self._lock:
            whole = self._phases.pop(phase).parent is None
            if whole:
                self._tell(1.0)

    def _share(self, phase: str) -> float:
        """How much of the whole build is done, seen from a phase."""
        share, name = 0.0, phase
        while True:
            here = self._phases[name]
            share = min(1.0, (here.done + share) / here.steps)
            if here.parent is None or here.parent not in self._phases:
                return share
            name = here.parent

    def _tell(self, share: float) -> None:
        if share > self._told:
            self._told = share
            self._progress(share)
