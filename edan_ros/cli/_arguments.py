"""Kinds of arguments that several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path


def not_negative(text: str) -> float:
    """A number, 0 or more. Raises what argparse turns into a message."""
    value = _number(text)
    if not value >= 0.0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {text}")
    return value


def positive(text: str) -> float:
    """A number above 0. Raises what argparse turns into a message."""
    value = _number(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return value


def existing_file(text: str) -> str:
    """The path of a file that is there. Raises what argparse turns into a message."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None
