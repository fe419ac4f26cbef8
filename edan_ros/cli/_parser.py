"""The parser of the command line, whose errors are short and suggest what may be meant."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from edan_ros.core.wording import did_you_mean

_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """A parser that reports an unknown flag before other errors, and leaves out the usage."""

    _words: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; exit with code 2 for anything unknown, while the command's own flags are known."""
        self._words = list(args or ())
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with a suggestion, and where arguments are listed; exit with 2."""
        hint = ""
        unknown = self._unknown_flags()
        if unknown:  # the value of such a flag was taken for something else
            message = f"unrecognized arguments: {' '.join(unknown)}"
            hint = did_you_mean(unknown[0], self._option_string_actions)
        elif choice := _CHOICE.search(message):
            hint = did_you_mean(choice[1], re.findall(r"[^\s,']+", choice[2]))
            if " " not in self.prog and Path(choice[1]).exists():  # no command at all
                hint = f"; did you mean `{self.prog} annotate {choice[1]}`?"
        self.exit(2, f"{self.prog}: {message}{hint}\n`{self.prog} --help` lists the arguments.\n")

    def _unknown_flags(self) -> list[str]:
        own = list(takewhile(lambda word: word not in ("--", "--ros-args"), self._words))
        if self._subparsers is not None:  # what comes after a command belongs to that
            own = list(takewhile(lambda word: word.startswith("-"), own))
        flags = [word.partition("=")[0] for word in own if word.startswith("--")]
        known = self._option_string_actions
        return [flag for flag in flags if not any(name.startswith(flag) for name in known)]
