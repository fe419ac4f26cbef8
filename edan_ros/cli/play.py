"""Publish the images of a bag as its cameras did, without `ros2 bag play`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from edan_ros.cli._arguments import add_ros_arguments, not_negative, positive, ros_arguments_of
from edan_ros.sources.bag import BagPlayback

#: Messages per second on /clock for --clock without a number, as `ros2 bag play` has it.
_CLOCK_RATE = 40.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, help="folder or file of a ROS 2 bag: SQLite or MCAP")
    parser.add_argument(
        "--topics", nargs="+", default=[], metavar="TOPIC", help="image topics (default: all)"
    )
    parser.add_argument(
        "--rate",
        type=positive,
        default=1.0,
        help="speed, 2 for twice as fast as recorded (default: %(default)g)",
    )
    parser.add_argument("--loop", action="store_true", help="start again at the end")
    parser.add_argument(
        "--start",
        type=not_negative,
        default=0.0,
        help="seconds of the recording to skip (default: %(default)g)",
    )
    parser.add_argument(
        "--clock",
        nargs="?",
        type=positive,
        const=_CLOCK_RATE,
        default=0.0,
        metavar="HZ",
        help=f"publish the time of the recording on /clock, {_CLOCK_RATE:g} times per second "
        "unless a rate is given",
    )
    parser.add_argument(
        "--reliability",
        choices=("best_effort", "reliable"),
        default="reliable",
        help="quality of service of the images (default: %(default)s, which suits every "
        "subscriber)",
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait for a subscriber on every image topic"
    )
    add_ros_arguments(parser)


def run(args: argparse.Namespace) -> int:
    BagPlayback(args.bag, args.topics, start=args.start)  # raises before ROS starts
    from edan_ros.nodes.camera.play_node import BagPlayOptions, PlayNode
    from edan_ros.nodes.common.running import run_together

    options = BagPlayOptions(
        tuple(args.topics),
        args.start,
        args.rate,
        args.loop,
        args.clock,
        args.reliability,
        args.wait,
    )
    return run_together([partial(PlayNode, args.bag, options)], ros_arguments_of(args))
