"""The ``edan`` command: every module of this folder without a leading underscore is a command.

Only what the chosen command needs is imported, and only after signals are handled: Ctrl-C shows no
traceback at any moment.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edan_ros.cli._signals import handler

if TYPE_CHECKING:
    import argparse

_format_with_place = warnings.formatwarning


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program's name; None for that of the process.

    Returns:
        The exit code: 0 for success, 1 for a failure, 2 for a wrong command line, 128 plus the
        number of the signal that ended the command.
    """
    handler.install()
    format_before, warnings.formatwarning = warnings.formatwarning, _format_warning
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    finally:
        if arguments is not None:  # in a process of its own they stay until its end
            handler.restore()
            warnings.formatwarning = format_before


def commands() -> list[str]:
    """Return the names of all commands, sorted."""
    import pkgutil

    import edan_ros.cli

    names = [entry.name for entry in pkgutil.iter_modules(edan_ros.cli.__path__)]
    shown = (name for name in names if name != "main" and not name.startswith("_"))
    return sorted(name.replace("_", "-") for name in shown)


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of ``edan COMMAND [arguments]``.

    Args:
        only: name of the one command that gets its arguments; None for all commands. The others
            are listed with their summaries without being imported.
    """
    import importlib

    import edan_ros
    from edan_ros.cli._parser import Parser

    top = Parser(prog="edan", description="Find faces, their 68 landmarks and their emotions.")
    top.add_argument("--version", action="version", version=f"edan {edan_ros.__version__}")
    choices = top.add_subparsers(dest="command", metavar="COMMAND")
    for name in commands():
        summary = _summary(name)
        command = choices.add_parser(name, help=summary, description=summary)
        if only in (None, name):
            module = importlib.import_module(f"edan_ros.cli.{name.replace('-', '_')}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return top


def _summary(name: str) -> str:
    """Return the first line of a command's docstring without importing its module."""
    import ast
    from pathlib import Path

    module = name.replace("-", "_")
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Return the text of a warning; one for users (FutureWarning) without its place in the code."""
    if issubclass(category, FutureWarning):
        return f"warning: {message}\n"
    return _format_with_place(message, category, filename, lineno, line)


def _run(arguments: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # file names need not be valid UTF-8
            stream.reconfigure(errors="backslashreplace")
    command = next((word for word in arguments if not word.startswith("-")), "")
    top = parser(only=command)
    args = top.parse_args(arguments)
    if args.command is None:
        top.print_help()
        return 0
    handler.start()
    try:
        code = int(args.run(args))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return handler.exit_code if handler.number else 130
    except BrokenPipeError:
        # The reader of the output is gone; the interpreter would fail to flush it at its end.
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115
        return 1
    except Exception as error:
        if handler.number:  # libraries turn the interruption of an import into errors of their own
            return handler.exit_code
        from edan_ros.cli._errors import message_for

        message = message_for(args.command, error)
        if message is None:
            raise
        print(message, file=sys.stderr)
        return 1
    finally:
        handler.finish()
    return code


if __name__ == "__main__":
    sys.exit(main())
