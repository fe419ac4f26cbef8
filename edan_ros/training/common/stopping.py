"""Lets a signal end a run at its next step, so that a checkpoint can be left."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class StopRequest:
    """While entered: SIGINT and SIGTERM are remembered; a second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()


class Interrupted(KeyboardInterrupt):
    """A run was asked to end and has left a checkpoint."""
