"""The bar of a run, and its lines where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edan_ros.recording import progress as module
from edan_ros.recording.progress import ImageProgress


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def console(terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, highlight=False)


def text(of: Console) -> str:
    assert isinstance(of.file, io.StringIO)
    return of.file.getvalue()


def test_without_a_terminal_a_line_every_five_seconds_shows_the_time_left(clock: Clock) -> None:
    shown = console()
    with ImageProgress(shown, 101) as progress:
        clock.now += 3.0  # until the first image: no part of the rate
        for _ in range(21):
            progress.advance()
            clock.now += 0.5
    # A line at 5 s, when 5 images have come, and one 5 s later.
    assert text(shown).splitlines() == [
        "     5 of 101 images, 2.0/s, 48 s left",
        "    15 of 101 images, 2.0/s, 43 s left",
    ]
    assert progress.seconds == 13.5


def test_an_unknown_length_has_no_time_left(clock: Clock) -> None:
    shown = console()
    with ImageProgress(shown, None) as progress:
        clock.now += 10.0  # until the first image, of which nothing is foretold
        progress.advance()
        clock.now += 0.5
        progress.advance()
    assert text(shown) == "     2 images, 2.0/s\n"


def test_a_terminal_shows_changes_above_the_bar() -> None:
    shown = console(terminal=True)
    with ImageProgress(shown, 2, "starting the nodes") as progress:
        progress.warn("[warning] no images")
        progress.advance(["   0.00 s  person 1 appears, [happy]"])
        progress.advance()
    said = text(shown)
    assert "starting the nodes" in said
    assert "[warning] no images" in said
    assert "person 1 appears, [happy]" in said
    assert "2/2" in said
