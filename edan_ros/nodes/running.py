"""Runs one node as a process: from the environment to a clean exit."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from edan_ros.nodes.environment import prepare


def run_node(make_node: Callable[[], Node], args: list[str] | None = None) -> None:
    """Spin a node until SIGINT, SIGTERM or the end of its context, then take it down.

    args: the command line, with --ros-args; None for that of the process. Exits with code 1 and
    one sentence if a parameter is not valid.
    """
    prepare()
    init(args)
    try:
        node = make_node()
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


def init(args: list[str] | None) -> None:
    """rclpy.init, with SIGINT and SIGTERM made safe. To be followed by `shut_down`."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    _shut_down_on_signals()


def shut_down() -> None:
    """Shut the context down, unless it is, and let no later SIGINT disturb the clean-up."""
    rclpy.try_shutdown()
    # The interpreter's own end would give SIGINT back its power to kill.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _shut_down_on_signals() -> None:
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
        rclpy.try_shutdown()

    threading.Thread(target=wait, name="signals", daemon=True).start()
