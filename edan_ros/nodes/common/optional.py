"""Messages of other packages, used where they are installed and done without where not."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingMessagesError(RuntimeError):
    """Messages that were asked for are not installed; the message names the package."""


def find_messages(*packages: str) -> ModuleType:
    """The `msg` module of the first of these packages that is installed.

    Raises MissingMessagesError where none is.
    """
    for package in packages:
        try:
            return importlib.import_module(f"{package}.msg")
        except ModuleNotFoundError:
            continue
    raise MissingMessagesError(f"{' or '.join(packages)} is not installed")
