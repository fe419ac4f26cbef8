"""Runs several nodes in this process, each on an executor and a thread of its own.

A slow service of one node then keeps no other waiting, and rclpy's multi-threaded executor, which
costs several times as much for each message, is not needed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from edan_ros.nodes.common.environment import prepare
from edan_ros.nodes.common.running import init, shut_down


def run_together(makers: Sequence[Callable[[], Node]], args: Sequence[str] = ()) -> int:
    """Spin all nodes until SIGINT, SIGTERM or the end of their context, then take them down.

    args: for rclpy.init, with --ros-args. Returns the exit code: 1, with one sentence on standard
    error, if a parameter is not valid.
    """
    prepare()
    init(list(args))
    nodes: list[Node] = []
    threads: list[threading.Thread] = []
    try:
        for make in makers:
            nodes.append(make())
        threads += [
            threading.Thread(target=_spin, args=(node,), name=node.get_name()) for node in nodes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except ParameterException as error:
        print(f"edan_ros: {error}", file=sys.stderr)
        return 1
    except Exception:
        # A node that was being made while the context went down could not be finished.
        if rclpy.ok():
            raise
    finally:
        shut_down()
        for thread in threads:
            thread.join()
        for node in nodes:
            node.destroy_node()
    return 0


def _spin(node: Node) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        executor.spin()
    except ExternalShutdownException:
        return
