"""Run the camera node and the emotion node in one process, or the emotion node alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from edan_ros.cli._arguments import not_negative
from edan_ros.cli._pipeline import add_model_arguments, chosen_parameters
from edan_ros.sources import create_source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="?",
        help="a video, a folder of pictures, the number of a webcam, a bag, or 'demo'; without it "
        "the images come from a topic",
    )
    parser.add_argument("--topic", default="image_raw", help="topic of the images")
    parser.add_argument("--namespace", default="", help="namespace of the nodes and their topics")
    parser.add_argument(
        "--rate", type=not_negative, default=0.0, help="images a second; 0: as recorded"
    )
    parser.add_argument("--loop", action="store_true", help="begin a recording anew at its end")
    add_model_arguments(parser)
    parser.add_argument(
        "--ros-args", nargs=argparse.REMAINDER, default=[], help="all that follows is for ROS"
    )


def run(args: argparse.Namespace) -> int:
    if args.source is not None:
        create_source(args.source)  # a file that is not there is better told before all else
    # ROS is imported when this command runs, not when `edan` starts.
    from edan_ros.nodes.camera.camera_node import CameraNode
    from edan_ros.nodes.common.processes import ros_arguments
    from edan_ros.nodes.common.running import run_together
    from edan_ros.nodes.emotion.emotion_node import EmotionNode

    files = [args.parameters] if args.parameters else []
    arguments = partial(ros_arguments, namespace=args.namespace, parameter_files=files)
    remap = ["-r", f"image_raw:={args.topic}"]
    emotion = partial(EmotionNode, cli_args=[*arguments(chosen_parameters(args)), *remap])
    makers: list[Callable[[], Any]] = [emotion]
    if args.source is not None:
        camera = {"source": args.source, "rate": args.rate, "loop": args.loop}
        camera["wait_for_subscribers"] = 1  # else the beginning is lost while the model loads
        makers.insert(0, partial(CameraNode, cli_args=[*arguments(camera), *remap]))
    return run_together(makers, ["--ros-args", *args.ros_args] if args.ros_args else [])
