"""A bar on the terminal for work of known length; elsewhere nothing is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def progress(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """The items, one by one as they come, with a bar on standard error."""
    console = Console(stderr=True)
    yield from track(
        items,
        title,
        total=total,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
