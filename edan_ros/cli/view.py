"""Look at running nodes in a browser: camera, faces, probabilities, diagnostics."""

from __future__ import annotations

import argparse
from functools import partial

PORT = 8642


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", default="", help="show only topics below this namespace")
    parser.add_argument("--port", type=int, default=PORT, help="port of the page; 0: a free one")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve the page on; 0.0.0.0 lets everybody in the network look",
    )
    parser.add_argument(
        "--ros-args", nargs=argparse.REMAINDER, default=[], help="all that follows is for ROS"
    )


def run(args: argparse.Namespace) -> int:
    # ROS is imported when this command runs, not when `edan` starts.
    from edan_ros.nodes.common.running import run_together
    from edan_ros.nodes.tools.view_node import ViewNode
    from edan_ros.report.live import LiveServer, LiveState

    state = LiveState()
    with LiveServer(state, args.host, args.port) as server:
        print(f"{server.address}   open it in a browser; Ctrl-C ends", flush=True)
        node = partial(ViewNode, state, args.namespace)
        return run_together([node], ["--ros-args", *args.ros_args] if args.ros_args else [])
