"""Progress of a run: images so far, messages, and the time left."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

#: Seconds between two lines without a terminal.
_LINE_EVERY = 5.0


class ImageProgress:
    """A context manager that shows a bar with the time left; without a terminal, lines.

    Args:
        expected: number of images, None where that is not known.
        waiting: text before the first image.
        unit: what is counted, if not images.

    Attributes:
        images: number of images so far.
    """

    def __init__(
        self, console: Console, expected: int | None, waiting: str = "", unit: str = "images"
    ) -> None:
        self._console = console
        self._expected, self._unit = expected, unit
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(waiting, total=expected)
        self._begin = time.monotonic()
        self._first = self._begin
        self._next_line = self._begin + _LINE_EVERY
        self.images = 0

    def __enter__(self) -> ImageProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._begin

    @property
    def rate(self) -> float:
        """Images per second since the first one; for a single one, since the run began."""
        if self.images > 1:
            return (self.images - 1) / max(time.monotonic() - self._first, 1e-9)
        return self.images / max(self.seconds, 1e-9)

    def advance(self, lines: Iterable[str] = ()) -> None:
        """Count an image; ``lines`` describe what changed with it."""
        for line in lines:
            self.log(line)
        self.images += 1
        if self.images == 1:
            self._first = time.monotonic()
        self._progress.update(
            self._task, completed=self.images, description=f"{self.rate:5.1f} {self._unit}/s"
        )
        now = time.monotonic()
        # A single image gives no rate for a forecast.
        if not self._console.is_terminal and self.images > 1 and now >= self._next_line:
            self._next_line = now + _LINE_EVERY
            self.log(self._line())

    def log(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, markup=False, soft_wrap=True)

    def warn(self, line: str) -> None:
        """Print a warning above the bar."""
        self._console.print(line, style="yellow", markup=False, soft_wrap=True)

    def _line(self) -> str:
        text = f"{self.images:6d} {self._unit}, {self._rate_text()}"
        if self._expected is None:
            return text
        left = max(self._expected - self.images, 0) / self.rate
        done = f"{self.images:6d} of {self._expected} {self._unit}"
        return f"{done}, {self._rate_text()}, {left:.0f} s left"

    def _rate_text(self) -> str:
        return f"{self.rate:.1f}/s" if self.rate >= 1.0 else f"{self.rate:.2g}/s"
