"""Output of commands, and the folders that they write to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from edan_ros.core.wording import printable
from edan_ros.recording.files import RecordingError
from edan_ros.sources import Source

T = TypeVar("T")


def progress(items: Iterable[T], total: int | None, title: str) -> Iterator[T]:
    """Yield the items, with a progress bar on standard error if that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(
        items,
        printable(title),
        total=total,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def expected_images(source: Source, seconds: float | None, rate: float = 0.0) -> int | None:
    """Return the number of images to process, None if it is unknown.

    Args:
        seconds: length of the source to process, None for all.
        rate: images per second, 0 for that of the source.
    """
    rate = rate or source.rate
    if seconds is None or not rate:
        return source.length
    expected = int(seconds * rate) + 1
    return expected if source.length is None else min(source.length, expected)


def refuse_to_replace(source: Source, names: Collection[str], folder: Path) -> None:
    """Raise RecordingError if a run that writes ``names`` to a folder would replace its source."""
    path = Path(source.name).expanduser()
    if path.name in names and path.resolve().parent == folder.resolve():
        raise RecordingError(f"{path} would be replaced: name another folder with --out")
