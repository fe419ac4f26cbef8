"""The `edan` command: one sub-command a file of this folder."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType

import edan_ros.cli
from edan_ros.core.images import ImageError
from edan_ros.datasets import DataError
from edan_ros.detection.detectors import DetectorError
from edan_ros.engines import EngineError
from edan_ros.recording.errors import RecordingError
from edan_ros.sources import SourceError
from edan_ros.training.common.errors import ConfigError

#: What a command may raise for its user to read: one sentence, without a traceback.
USER_ERRORS = (
    ConfigError,
    DataError,
    DetectorError,
    EngineError,
    ImageError,
    RecordingError,
    SourceError,
)


def commands() -> dict[str, ModuleType]:
    """The commands by name: every module of this folder but this one and those with a _ in front.

    Each has add_arguments(parser) and run(args), which returns the exit code.
    """
    names = [entry.name for entry in pkgutil.iter_modules(edan_ros.cli.__path__)]
    return {
        name: importlib.import_module(f"edan_ros.cli.{name}")
        for name in names
        if name != "main" and not name.startswith("_")
    }


def parser() -> argparse.ArgumentParser:
    """The command line: `edan COMMAND [arguments]`."""
    top = argparse.ArgumentParser(
        prog="edan", description="Faces, 68 landmarks and emotions on ROS 2 camera topics."
    )
    version = importlib.metadata.version("edan_ros")
    top.add_argument("--version", action="version", version=f"edan {version}")
    choices = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in commands().items():
        summary = (module.__doc__ or "").strip().splitlines()[0]
        command = choices.add_parser(name, help=summary, description=summary)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code: 0, 1 for a failure, 2 for a wrong command line."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return 130


def _run(arguments: Sequence[str] | None) -> int:
    args = parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except USER_ERRORS as error:
        print(f"edan {args.command}: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        # ROS, torch, PyAV: each is needed by some commands only.
        print(
            f"edan {args.command}: the Python module '{error.name}' is not installed here; "
            "`edan doctor` says what there is and what to do",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
