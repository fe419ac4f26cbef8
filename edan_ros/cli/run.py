"""Run the emotion node, and for a source the camera node, in one process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from edan_ros.cli._arguments import add_ros_arguments, not_negative, ros_arguments_of
from edan_ros.cli._pipeline import add_model_arguments, chosen_parameters
from edan_ros.cli.view import view_in_browser
from edan_ros.engines.manifest import load_manifest
from edan_ros.sources import create_source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="?",
        help="a video, a folder of images, the number of a webcam, a bag, or 'demo' (default: "
        "images from --topic)",
    )
    parser.add_argument(
        "--topic", default="image_raw", help="topic of the images (default: %(default)s)"
    )
    parser.add_argument(
        "--namespace", default="", help="namespace of nodes and topics (default: none)"
    )
    parser.add_argument(
        "--rate", type=not_negative, default=0.0, help="images per second (default: as recorded)"
    )
    parser.add_argument("--loop", action="store_true", help="start a recording again at its end")
    parser.add_argument(
        "--view", action="store_true", help="show the results in a browser, as `edan view` does"
    )
    add_model_arguments(parser)
    add_ros_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.source is not None:
        create_source(args.source)  # raises before ROS starts
    if args.model not in (None, "auto"):
        load_manifest(args.model)  # the node would wait for another model
    from edan_ros.nodes.camera.camera_node import CameraNode
    from edan_ros.nodes.common.processes import ros_arguments
    from edan_ros.nodes.common.running import end_spinning, run_together
    from edan_ros.nodes.emotion.emotion_node import EmotionNode

    files = [args.parameters] if args.parameters else []
    arguments = partial(ros_arguments, namespace=args.namespace, parameter_files=files)
    remap = ["-r", f"image_raw:={args.topic}"]
    failures: list[str] = []

    def end(reason: str) -> None:
        failures.append(reason)
        end_spinning()

    arguments_of_emotion = [*arguments(chosen_parameters(args)), *remap]
    emotion = partial(EmotionNode, cli_args=arguments_of_emotion, on_failed_start=end)
    makers: list[Callable[[], Any]] = [emotion]
    if args.source is not None:
        camera = {"source": args.source, "rate": args.rate, "loop": args.loop}
        camera["wait_for_subscribers"] = 1  # images published while the model loads would be lost
        makers.insert(0, partial(CameraNode, cli_args=[*arguments(camera), *remap]))
    with ExitStack() as stack:
        if args.view:
            makers.append(stack.enter_context(view_in_browser(args.namespace)))
        code = run_together(makers, ros_arguments_of(args))
    for reason in failures:
        print(f"edan run: {reason}", file=sys.stderr)
    return 1 if failures else code
