"""Serve a web page on running nodes: camera, faces, probabilities, diagnostics."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from edan_ros.cli._arguments import add_ros_arguments, ros_arguments_of
from edan_ros.sources import SourceError

PORT = 8642


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
    add_ros_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from edan_ros.nodes.common.running import run_together
    from edan_ros.nodes.tools.view_node import ViewNode
    from edan_ros.report.live import LiveServer, LiveState

    state = LiveState()
    with LiveServer(state, args.host, args.port) as server:
        print(f"{server.address}   open it in a browser; Ctrl-C ends", flush=True)
        node = partial(ViewNode, state, args.namespace)
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
