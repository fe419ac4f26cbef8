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
#: What OpenCV's logger puts before a message: level, thread, time and place in its code.
_PREFIX = re.compile(rb"\[[^\]]*\] global \S+ ")
_STDERR = 2


class _Redirection:
    """Standard error in a file while a decoder runs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._original = -1
        self._file: BinaryIO | None = None

    def enter(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._original = os.dup(_STDERR)
        os.dup2(self._file.fileno(), _STDERR)

    def restore(self) -> None:
        """Restore standard error if it is redirected."""
        if self._original >= 0:
            os.dup2(self._original, _STDERR)
            os.close(self._original)
            self._original = -1

    def leave(self) -> list[str]:
        """Restore standard error, pass on what others printed, and return the decoder's lines."""
        self.restore()
        assert self._file is not None
        if not self._file.tell():
            return []
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        self._file.seek(0)
        self._file.truncate()
        found = [line for line in lines if _DECODER_LINE.match(line)]
        others = [line for line in lines if not _DECODER_LINE.match(line)]
        if found:  # the text of an exception of OpenCV has further lines, and ends in an empty one
            others = [line for line in others if line.strip() and not line.startswith(b">")]
        if others:
            os.write(_STDERR, b"".join(others))
        return [_PREFIX.sub(b"", line).decode("utf-8", "replace").strip() for line in found]

    def after_fork(self) -> None:
        """Free a child process from the decoder that another thread of its parent ran."""
        self.lock = threading.Lock()
        self._file = None  # its position is shared with the parent
        self.restore()


_redirection = _Redirection()
os.register_at_fork(after_in_child=_redirection.after_fork)


@contextmanager
def decoder_log() -> Iterator[list[str]]:
    """Collect the lines that a decoder prints on standard error, in the list that this yields.

    The list is filled when the block ends. One thread at a time is in the block, so the lines are
    those of its own image.
    """
    lines: list[str] = []
    with _redirection.lock:
        try:
            _redirection.enter()
        except OSError:  # no standard error, or no file descriptor left: decode all the same
            yield lines
            return
        try:
            yield lines
        finally:
            lines += _redirection.leave()
