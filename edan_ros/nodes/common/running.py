"""Runs one node as a process: from the environment to a clean exit."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from edan_ros.nodes.common.environment import prepare

AnyNode = TypeVar("AnyNode", bound=Node)

#: Seconds for which a node may take its leave.
_FAREWELL = 2.0


def run_node(
    make_node: Callable[[], AnyNode],
    args: list[str] | None = None,
    farewell: Callable[[AnyNode], None] | None = None,
) -> None:
    """Spin a node until SIGINT, SIGTERM or the end of its context, then take it down.

    args: the command line, with --ros-args; None for that of the process. farewell: called with
    the node, by its executor, when a signal comes and before the context goes down, after which
    nothing can be published. Exits with code 1 and one sentence if a parameter is not valid.
    """
    prepare()
    nodes: list[AnyNode] = []

    def take_leave() -> None:
        if farewell is not None and nodes:
            _let_executor(partial(farewell, nodes[0]))

    init(args, take_leave)
    try:
        node = make_node()
        nodes.append(node)
        try:
            rclpy.spin(node)
        finally:
            node.destroy_node()
    except ParameterException as error:
        sys.exit(f"edan_ros: {error}")
    except ExternalShutdownException:
        pass
    except Exception:
        # A callback at work while the context went down could not publish any more.
        if rclpy.ok():
            raise
    finally:
        shut_down()


def init(args: list[str] | None, before: Callable[[], None] = lambda: None) -> None:
    """rclpy.init, with SIGINT and SIGTERM made safe. To be followed by `shut_down`.

    before: called on a thread of its own when a signal comes, while the context is still up.
    """
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    _shut_down_on_signals(before)


def shut_down() -> None:
    """Shut the context down, unless it is, and let no later SIGINT disturb the clean-up."""
    rclpy.try_shutdown()
    # The interpreter's own end would give SIGINT back its power to kill.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _let_executor(work: Callable[[], None]) -> None:
    """Have the executor that spins do this between two callbacks, and wait for it a while."""
    done = threading.Event()

    def task() -> None:
        try:
            work()
        finally:
            done.set()

    rclpy.get_global_executor().create_task(task)
    done.wait(_FAREWELL)


def _shut_down_on_signals(before: Callable[[], None]) -> None:
    """Let SIGINT and SIGTERM, however often they come, end the spinning and nothing else.

    KeyboardInterrupt could strike anywhere, in the middle of a transition or inside of rclpy, and
    rclpy's own handler does not always survive a second signal. So the handler does nothing: a
    byte that Python writes when a signal comes wakes a thread, which shuts the context down.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def wait() -> None:
        os.read(reader, 1)
        try:
            before()
        finally:
            rclpy.try_shutdown()

    threading.Thread(target=wait, name="signals", daemon=True).start()
