"""Kinds of arguments that several commands take."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryFile

from edan_ros.recording.errors import RecordingError
from edan_ros.sources import Source


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


def count(text: str) -> int:
    """A whole number, 1 or more. Raises what argparse turns into a message."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up, not {text}")
    return int(text)


def whole(text: str) -> int:
    """A whole number, 0 or more. Raises what argparse turns into a message."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 up, not {text}")
    return int(text)


def existing_file(text: str) -> str:
    """The path of a file that is there. Raises what argparse turns into a message."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return text


def make_folder(folder: Path) -> Path:
    """The folder, made where it is not there. Raises RecordingError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise RecordingError(f"the folder {folder} cannot be written: {error.strerror}") from error


def refuse_to_replace(source: Source, names: Collection[str], folder: Path) -> None:
    """Raises RecordingError where what is read would be replaced by files of these names."""
    path = Path(source.name).expanduser()
    if path.name in names and path.resolve().parent == folder.resolve():
        raise RecordingError(f"{path} would be replaced: name another folder with --out")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None
