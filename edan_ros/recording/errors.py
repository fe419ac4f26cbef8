"""Errors while results are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RecordingError(RuntimeError):
    """Something cannot be written. The message is one sentence: what, and what to do."""


@contextmanager
def writing(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn errors in the block into a RecordingError that names the path and the reason.

    errors: exceptions to turn beside OSError.
    """
    handled: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield
    except handled as error:
        reason = getattr(error, "strerror", None) or error
        raise RecordingError(f"{path} cannot be written: {reason}") from error
