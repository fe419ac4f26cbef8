"""Types of command-line arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

#: Suffixes of files, in lower case, that people give where a folder is written.
_FILE_SUFFIXES = (
    *(".avi", ".avif", ".csv", ".gif", ".html", ".jpeg", ".jpg", ".json", ".jsonl", ".mkv"),
    *(".mov", ".mp4", ".parquet", ".png", ".svg", ".txt", ".webm", ".webp"),
)


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


def output_folder(text: str) -> Path:
    """Parse the path of a folder to write to; refuse the name of a file."""
    path = Path(text)
    if path.suffix.lower() in _FILE_SUFFIXES and not path.is_dir():
        raise argparse.ArgumentTypeError(
            f"is a folder, which holds all files of the run; {text} is the name of a file: give "
            f"{path.with_suffix('')}, for example"
        )
    return path


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
