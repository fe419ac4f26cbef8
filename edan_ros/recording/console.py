"""What a run shows on the console: progress, one line a change, the figures at the end."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edan_ros.recording.summary import Summary

#: Played at less than this share of real time, a recording counts as slowed down.
_REAL_TIME = 0.9
#: More tracks than this are not listed one by one.
_TRACKS_SHOWN = 4
#: Seconds between two lines of progress where there is no terminal.
_LINE_EVERY = 5.0


class Display:
    """Shows progress and, above it, one line a change. On no terminal: a line now and then.

    expected: images in all, None where that is not known.
    """

    def __init__(self, console: Console, expected: int | None) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting the nodes", total=expected)
        self._expected = expected
        self._next_line = time.monotonic() + _LINE_EVERY

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def trouble(self, line: str) -> None:
        """A warning or an error of a node."""
        self._console.print(line, style="yellow", markup=False, soft_wrap=True)

    def advance(self, lines: list[str], summary: Summary) -> None:
        """One more image; ``lines`` say what changed with it."""
        for line in lines:
            self._console.print(line, markup=False, soft_wrap=True)
        self._progress.update(
            self._task, completed=summary.results, description=f"{summary.rate:5.1f} images/s"
        )
        now = time.monotonic()
        if not self._console.is_terminal and now >= self._next_line:
            self._next_line = now + _LINE_EVERY
            of = f" of {self._expected}" if self._expected else ""
            self._console.print(f"{summary.results:6d}{of} images, {summary.rate:.1f}/s")


def summary_lines(summary: Summary, unprocessed: int, *, live: bool) -> list[str]:
    """The figures of a run, a line each. unprocessed: images that got no result."""
    rows = [("images", f"{summary.results} in {summary.recorded_seconds:.1f} s of the source")]
    if unprocessed:
        rows.append(("", f"{unprocessed} more were not processed: this machine is too slow"))
    share = f"{100 * summary.face_share:.1f} %, at most {summary.most_faces} at once"
    labels = ", ".join(f"{name} {100 * part:.0f} %" for name, part in summary.label_shares())
    rows += [
        ("with a face", share),
        ("tracks", _tracks(summary)),
        ("labels", labels or "none"),
        ("speed", _speed(summary, live)),
    ]
    p50, p99 = summary.latency(50), summary.latency(99)
    if p50 is not None and p99 is not None:
        told = f"p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms"
        rows.append(("latency", f"{told} (image published to faces received)"))
    return [f"{name:13}{text}" for name, text in rows]


def _tracks(summary: Summary) -> str:
    count = len(summary.tracks)
    if count > _TRACKS_SHOWN:
        return f"{count}, the longest with {max(summary.tracks.values())} images"
    shown = [f"person {track}: {images} images" for track, images in sorted(summary.tracks.items())]
    return f"{count}" + (f" ({', '.join(shown)})" if shown else "")


def _speed(summary: Summary, live: bool) -> str:
    text = f"{summary.rate:.1f} images/s"
    share = summary.recorded_seconds / summary.played_seconds if summary.played_seconds else 1.0
    if not live and share < _REAL_TIME:
        text += f"; slower than recorded ({share:.2f} of real time), so that no image is lost"
    return text
