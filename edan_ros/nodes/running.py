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
    try:
        rclpy.init(args=args)
        node = make_node()
        try:
            rclpy.spin(node)
        finally:
            # A terminal and `ros2 launch` both send it: the second must not end the clean-up.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            node.destroy_node()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ParameterException as error:
        sys.exit(f"edan_ros: {error}")
    finally:
        rclpy.try_shutdown()
