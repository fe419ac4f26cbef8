"""A node that spins on a thread of its own until it is stopped."""

from __future__ import annotations

import contextlib
import threading

from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from edan_ros.nodes.common.running import GuardedExecutor

#: Seconds to wait for the end of the thread: long, for the machine may be busy.
_STOP_TIMEOUT = 120.0


class Spinner:
    """Spins a node from now on until `stop` or the end of the context.

    `Executor.shutdown` from another thread does not end `Executor.spin` reliably: rclpy destroys
    the guard condition that would wake the executor right after triggering it, and a spinning
    thread that is about to wait then waits without it, forever. So the thread ends first, by a
    task that it runs itself, and the executor is shut down afterwards.
    """

    def __init__(self, node: Node, *, context: Context | None = None) -> None:
        self._node = node
        self._executor = GuardedExecutor(context=context)
        self._executor.add_node(node)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name=node.get_name(), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end after its current callback, and wait for that."""
        self._executor.create_task(self._stopping.set)
        self._thread.join(_STOP_TIMEOUT)
        assert not self._thread.is_alive(), f"{self._node.get_name()} still spins"
        self._executor.shutdown()

    def close(self) -> None:
        """Stop, and destroy the node."""
        self.stop()
        self._node.destroy_node()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            while not self._stopping.is_set():
                self._executor.spin_once()
