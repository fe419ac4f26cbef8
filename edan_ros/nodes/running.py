"""Runs one node as a process: from the environment to a clean exit."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from edan_ros.nodes.environment import prepare


def run_node(make_node: Callable[[], Node], args: list[str] | None = None) -> None:
    """Spin a node until SIGINT, SIGTERM or the end of its context, then take it down.

    args: the command line, with --ros-args; None for that of the process. Exits with code 1 and
    one sentence if a parameter is not valid.
    """
    prepare()
    # KeyboardInterrupt could strike anywhere, in the middle of a transition or inside of rclpy.
    # Without it SIGINT does what SIGTERM does: rclpy's handler, put over this one by init, shuts
    # the context down, and spin returns. More signals during the clean-up change nothing.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    rclpy.init(args=args)
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
        rclpy.try_shutdown()
