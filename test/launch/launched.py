"""`ros2 launch` as a process that a test can end however it goes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from rclpy.node import Node

#: Seconds that are waited for anything at most: long, for the machine may be busy.
TIMEOUT = 120.0
#: Seconds after which a request without an answer is sent again.
PATIENCE = 5.0


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


def call(node: Node, kind: type, service: str, request: object) -> Any:
    """Call a service that changes nothing.

    A busy server drops its answer to a client that it has not discovered: the request is repeated.
    """
    client = node.create_client(kind, service)
    assert client.wait_for_service(TIMEOUT), service
    for _ in range(round(TIMEOUT / PATIENCE)):
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=PATIENCE)
        if future.done():
            return future.result()
    raise AssertionError(f"no answer of {service}")


@contextmanager
def launched(file: Path, *arguments: str) -> Iterator[Launched]:
    """Start it, end it with SIGINT after the block, and leave nothing behind in any case."""
    running = Launched(file, *arguments)
    try:
        yield running
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
        running.wait(TIMEOUT)
    finally:
        running.kill()
