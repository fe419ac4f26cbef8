"""What another process uses of the machine, as Linux tells under /proc."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int, *, shared: bool = True) -> float:
    """Memory that it holds, in 2**20 bytes.

    shared: False leaves out memory that it shares with other processes, such as the rings through
    which a middleware hands over images: of a fixed size, but resident only once used.
    """
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    names = ("RssAnon", "RssFile", *(("RssShmem",) if shared else ()))
    return sum(int(fields[name].split()[0]) for name in names) / 1024


def processor_seconds(pid: int) -> float:
    """Time that all its threads have spent on processors, for itself and in the kernel."""
    # The second field is the name, in brackets, and may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
