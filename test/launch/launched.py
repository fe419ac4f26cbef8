"""`ros2 launch` as a process that a test can end however it goes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds in which all nodes have to end after SIGINT.
END_TIMEOUT = 40.0


class Launched:
    """A running `ros2 launch`. output: all that it and its nodes have printed, after the end."""

    def __init__(self, file: Path, *arguments: str) -> None:
        self.output = ""
        self.process = subprocess.Popen(
            ["ros2", "launch", str(file), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait(self, timeout: float) -> int:
        """The exit code, once it has ended by itself."""
        self.output, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode

    def kill(self) -> None:
        """Kill it with all its nodes, unless they have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.communicate()


@contextmanager
def launched(file: Path, *arguments: str) -> Iterator[Launched]:
    """Start it, end it with SIGINT after the block, and leave nothing behind in any case."""
    running = Launched(file, *arguments)
    try:
        yield running
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
        running.wait(END_TIMEOUT)
    finally:
        running.kill()
