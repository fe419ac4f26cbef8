"""Keep what image decoders print away from standard error.

libpng and libjpeg, as built into OpenCV, print a line for each damaged image and offer no switch.
A camera with a bad cable would fill the log at its frame rate.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

#: Lines of libpng, libjpeg and OpenCV. Whatever else is printed meanwhile is passed on.
_DECODER_LINE = re.compile(
    rb"libpng |Corrupt JPEG data|Premature end of JPEG|Invalid SOS parameters|Warning: unknown JFIF"
    rb"|Inconsistent progression|Unknown Adobe color|Application transferred|\[ ?(WARN|ERROR|INFO):"
    rb"|TIFF|imdecode_"
)
_STDERR = 2


class _Redirection:
    """Standard error in a file, while at least one decoder runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._original = -1
        self._file: BinaryIO | None = None

    def enter(self) -> None:
        with self._lock:
            if not self._users:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
                self._original = os.dup(_STDERR)
                os.dup2(self._file.fileno(), _STDERR)
            self._users += 1

    def leave(self) -> list[str]:
        """Restore standard error with the last user; the decoders' lines."""
        with self._lock:
            self._users -= 1
            if self._users:
                return []
            os.dup2(self._original, _STDERR)
            os.close(self._original)
            assert self._file is not None
            if not self._file.tell():
                return []
            self._file.seek(0)
            lines = self._file.read().splitlines(keepends=True)
            self._file.seek(0)
            self._file.truncate()
            others = [line for line in lines if not _DECODER_LINE.match(line)]
            if others:
                os.write(_STDERR, b"".join(others))
            found = [line for line in lines if _DECODER_LINE.match(line)]
            return [line.decode("utf-8", "replace").strip() for line in found]


_redirection = _Redirection()


@contextmanager
def decoder_log() -> Iterator[list[str]]:
    """Collect the lines that decoders print on standard error, in the list that this yields.

    The list is filled when the block ends. If several threads decode at the same time, the lines
    of all go to the one that ends last.
    """
    lines: list[str] = []
    try:
        _redirection.enter()
    except OSError:  # no standard error, or no file descriptor left: decode all the same
        yield lines
        return
    try:
        yield lines
    finally:
        lines += _redirection.leave()
