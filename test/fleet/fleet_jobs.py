"""Jobs for the tests of a fleet; worker processes import this file."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edan_ros.fleet.processing import Job, Record


def end_at_once() -> None:
    """End this process as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def double(number: int) -> int:
    return 2 * number


def double_or_die(job: tuple[int, Path | None]) -> int:
    """Double a number; where there is a file, note the attempt in it and die."""
    number, attempts = job
    if attempts is not None:
        with attempts.open("a") as file:
            file.write("attempt\n")
        end_at_once()
    return 2 * number


def die_the_first_time(job: tuple[int, Path]) -> int:
    number, marker = job
    if not marker.exists():
        marker.touch()
        end_at_once()
    return 2 * number


def wait_for_ever(started: Path | None) -> None:
    """Return at once without a file; else make it, and wait."""
    if started is not None:
        started.touch()
        while True:
            signal.pause()


def process_but_die_once(job: Job) -> Record:
    """Process a recording; the first time, die in the middle of writing its table."""
    from edan_ros.fleet.processing import process  # the other jobs start quickly without it

    marker = job.out.parent / "died"
    if "deadly" in job.recording.name and not marker.exists():
        marker.touch()
        job.table.parent.mkdir(parents=True, exist_ok=True)
        job.table.with_name(f".{job.table.name}.host.1.part").write_bytes(b"half a table")
        end_at_once()
    return process(job)
