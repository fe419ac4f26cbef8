"""What goes wrong when a run's results are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RecordingError(RuntimeError):
    """Something cannot be written. The message is one sentence: what, and what to do."""


@contextmanager
def writing(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Says of what fails in here that the path cannot be written, and why.

    errors: what may be raised beside OSError. Raises RecordingError instead.
    """
    try:
        yield
    except (OSError, *errors) as error:
        why = getattr(error, "strerror", None) or error
        raise RecordingError(f"{path} cannot be written: {why}") from error
