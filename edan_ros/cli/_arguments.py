"""Types of command-line arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def integer_from(minimum: int) -> Callable[[str], int]:
    """Return the argument type of an integer that is at least ``minimum``, 0 or more."""

    def integer(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {minimum} up, not {text}"
            )
        return int(text)

    return integer


def not_negative(text: str) -> float:
    """Parse a number that is at least 0."""
    value = _number(text)
    if not value >= 0.0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {text}")
    return value


def positive(text: str) -> float:
    """Parse a number above 0."""
    value = _number(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return value


def existing_file(text: str) -> str:
    """Parse the path of an existing file."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return text


def add_ros_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--ros-args``, which passes everything after it to ROS."""
    parser.add_argument(
        "--ros-args", nargs=argparse.REMAINDER, default=[], help="everything after it is for ROS"
    )


def ros_arguments_of(args: argparse.Namespace) -> list[str]:
    """Return the arguments for rclpy.init."""
    return ["--ros-args", *args.ros_args] if args.ros_args else []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None
