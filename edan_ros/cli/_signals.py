"""Ctrl-C, SIGTERM and SIGHUP end a command in order, without a traceback.

The handlers are installed before anything else is imported, so this module imports little.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: Ctrl-C; ``kill``, ``docker stop`` and systemd; a terminal that was closed.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(KeyboardInterrupt):
    """One of STOP_SIGNALS was received."""


class SignalHandler:
    """Handles STOP_SIGNALS while a command runs.

    Before ``start()`` and after ``finish()`` a signal ends the process at once, because there is
    nothing to close. In between it raises StopRequested in the main thread, so that context
    managers close what is open; inside ``deferred()`` the first signal only sets an attribute.

    Attributes:
        number: the signal that was received last, 0 for none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._running = False
        self._deferred = False
        self._terminals = [fd for fd in (1, 2) if os.isatty(fd)]
        self._before: dict[int, Any] = {}
        self._hook_before: Callable[[sys.UnraisableHookArgs], Any] = sys.unraisablehook

    @property
    def exit_code(self) -> int:
        """The exit code that shells report for the signal received last: 130 for Ctrl-C."""
        return 128 + self.number

    def install(self) -> None:
        """Install the handlers; SIGHUP stays ignored where ``nohup`` ignores it.

        Outside the main thread, where Python allows no handlers, nothing is installed.
        """
        self.number = 0
        for number in STOP_SIGNALS:
            before = signal.getsignal(number)
            if number == signal.SIGHUP and before is signal.SIG_IGN:
                continue
            try:
                self._before[number] = signal.signal(number, self._on_signal)
            except ValueError:
                return
        self._hook_before, sys.unraisablehook = sys.unraisablehook, self._on_unraisable

    def restore(self) -> None:
        """Restore the handlers from before ``install()``."""
        if self._before:
            sys.unraisablehook = self._hook_before
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        self._before.clear()

    def start(self) -> None:
        """Raise StopRequested from now on: the command may have opened something."""
        self._running = True

    def finish(self) -> None:
        """End the process at once from now on: the command has closed everything."""
        self._running = False

    @contextmanager
    def deferred(self) -> Iterator[Callable[[], bool]]:
        """Let the first signal set ``number`` only; yield a function that returns whether it came.

        A second signal raises StopRequested.
        """
        self._deferred = True
        try:
            yield lambda: self.number != 0
        finally:
            self._deferred = False

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        first, self.number = self.number == 0, number
        if number == signal.SIGHUP:
            self._silence_terminals()
        if not self._running:
            os._exit(self.exit_code)
        if not (first and self._deferred):
            raise StopRequested

    def _silence_terminals(self) -> None:
        """Redirect output to the null device, because writing to a closed terminal fails."""
        for fd in self._terminals:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, fd)
            os.close(null)

    def _on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Raise again a StopRequested that Python dropped because it came in a finalizer."""
        if isinstance(unraisable.exc_value, StopRequested):
            from threading import Timer

            # What is raised in here would be dropped, too.
            Timer(0.01, os.kill, (os.getpid(), self.number)).start()
        elif not self.number:
            self._hook_before(unraisable)


#: The handler of this process.
handler = SignalHandler()
