"""Publish the images of a bag as its cameras did, for machines without `ros2 bag play`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from edan_ros.cli._arguments import not_negative, positive
from edan_ros.sources.bag import BagPlayback

#: Messages a second on /clock where --clock is given without a number, as `ros2 bag play` has it.
_CLOCK_RATE = 40.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, help="a folder or file of rosbag2: SQLite or MCAP")
    parser.add_argument(
        "--topics", nargs="+", default=[], metavar="TOPIC", help="of images; by default all"
    )
    parser.add_argument("--rate", type=positive, default=1.0, help="2 is twice as fast as recorded")
    parser.add_argument("--loop", action="store_true", help="begin anew at the end")
    parser.add_argument(
        "--start", type=not_negative, default=0.0, help="seconds of the recording to leave out"
    )
    parser.add_argument(
        "--clock",
        nargs="?",
        type=positive,
        const=_CLOCK_RATE,
        default=0.0,
        metavar="HZ",
        help=f"publish the time of the recording on /clock, {_CLOCK_RATE:g} times a second",
    )
    parser.add_argument(
        "--reliability",
        choices=("best_effort", "reliable"),
        default="reliable",
        help="quality of service of the images; reliable suits every listener",
    )
    parser.add_argument(
        "--wait", action="store_true", help="begin when somebody listens to every image topic"
    )
    parser.add_argument(
        "--ros-args", nargs=argparse.REMAINDER, default=[], help="all that follows is for ROS"
    )


def run(args: argparse.Namespace) -> int:
    BagPlayback(args.bag, args.topics, start=args.start)  # what is wrong is better told before ROS
    # ROS is imported when this command runs, not when `edan` starts.
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
    return run_together(
        [partial(PlayNode, args.bag, options)],
        ["--ros-args", *args.ros_args] if args.ros_args else [],
    )
