"""What a run shows on the console: progress, one line a change, the figures at the end."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from edan_ros.recording.summary import Summary

#: Played at less than this share of real time, a recording counts as slowed down.
_REAL_TIME = 0.9
#: Tracks that the summary lists one by one.
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


def summary_table(summary: Summary, unprocessed: int, *, live: bool) -> Table:
    """The figures of a run for the console. unprocessed: images that got no result."""
    table = Table.grid(padding=(0, 2))
    add = table.add_row
    add("images", f"{summary.results} in {summary.recorded_seconds:.1f} s of the source")
    if unprocessed:
        add("", f"{unprocessed} more were not processed: this machine is too slow for all")
    add("with a face", f"{100 * summary.face_share:.1f} %, at most {summary.most_faces} at once")
    add("tracks", _tracks(summary))
    add("labels", ", ".join(f"{n} {100 * s:.0f} %" for n, s in summary.label_shares()) or "none")
    add("speed", _speed(summary, live))
    if summary.latencies:
        p50, p99 = (1e3 * float(summary.latency(p) or 0.0) for p in (50, 99))
        add("latency", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (image published to faces received)")
    return table


def _tracks(summary: Summary) -> str:
    longest = sorted(summary.tracks.most_common(_TRACKS_SHOWN))
    shown = [f"person {track}: {count} images" for track, count in longest]
    rest = len(summary.tracks) - len(shown)
    if rest:
        shown.append(f"{rest} others less")
    return f"{len(summary.tracks)}" + (f" ({', '.join(shown)})" if shown else "")


def _speed(summary: Summary, live: bool) -> str:
    text = f"{summary.rate:.1f} images/s"
    share = summary.recorded_seconds / summary.played_seconds if summary.played_seconds else 1.0
    if not live and share < _REAL_TIME:
        text += f"; slower than recorded ({share:.2f} of real time), so that no image is lost"
    return text
