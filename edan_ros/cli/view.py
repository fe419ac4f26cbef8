"""Serve a web page on running nodes: camera, faces, probabilities, diagnostics."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from edan_ros.cli._arguments import add_ros_arguments, ros_arguments_of
from edan_ros.sources import SourceError

PORT, FOXGLOVE_PORT = 8642, 8765


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace", default="", help="show only topics below this namespace (default: all)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=PORT,
        help="port of the page, 0 for a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve the page on; 0.0.0.0 opens it to the network (default: %(default)s)",
    )
    parser.add_argument(
        "--foxglove",
        type=int,
        nargs="?",
        const=FOXGLOVE_PORT,
        metavar="PORT",
        help=f"serve the results to Foxglove too, without a ROS bridge (PORT: {FOXGLOVE_PORT})",
    )
    add_ros_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from edan_ros.nodes.common.running import run_together
    from edan_ros.nodes.tools.view_node import ViewNode
    from edan_ros.report.live import LiveServer, LiveState

    state = LiveState()
    node = partial(ViewNode, state, args.namespace)
    with ExitStack() as stack:
        if args.foxglove is not None:
            from edan_ros.nodes.tools.foxglove_server import FoxgloveServer

            foxglove = stack.enter_context(FoxgloveServer(args.host, args.foxglove))
            node = partial(node, foxglove=foxglove)
            print(f"{foxglove.address}   open it in Foxglove (Foxglove WebSocket)", flush=True)
        server = stack.enter_context(LiveServer(state, args.host, args.port))
        print(f"{server.address}   open it in a browser; Ctrl-C ends", flush=True)
        return run_together([node], ros_arguments_of(args))


@contextmanager
def view_in_browser(namespace: str) -> Iterator[Callable[[], Any]]:
    """Serve the page to this machine, open it where there is a desktop, and yield a node maker.

    A port is chosen if that of `edan view` is taken.

    Args:
        namespace: show only topics below it; "" for all.
    """
    from edan_ros.nodes.tools.view_node import ViewNode
    from edan_ros.report.live import LiveServer, LiveState

    state = LiveState()
    try:
        server = LiveServer(state, port=PORT)
    except SourceError:
        server = LiveServer(state)
    with server:
        print(f"{server.address}   shows the results in a browser", flush=True)
        if sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
            webbrowser.open(server.address)
        yield partial(ViewNode, state, namespace)
