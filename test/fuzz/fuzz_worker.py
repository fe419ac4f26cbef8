"""The process that fuzzing may kill: it checks inputs of one target until it finds a fault.

The input in use is always in a file, so that the parent process finds it after a crash.
A signal ends the process after 5 s of processor time for one input.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
import traceback
from pathlib import Path

from fuzz_targets import TARGETS, Target

#: Seconds of processor time for one input.
MAX_SECONDS = 5.0
#: Memory in bytes that one input may take beyond that before it.
MAX_BYTES = 400_000_000


def check(target: Target, data: bytes, current: Path) -> None:
    """Check one input. Raises AssertionError for one that takes too much memory."""
    current.write_bytes(data)
    before = _reset_peak()
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
    target.check(data)
    signal.setitimer(signal.ITIMER_PROF, 0)
    taken = _memory("VmHWM") - before
    assert taken <= MAX_BYTES, f"takes {taken / 1e6:.0f} MB"


def _reset_peak() -> int:
    """Reset the peak of the resident memory, and return the memory in use (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    return 0


def fuzz(
    target: Target, pool: list[bytes], seed: int, count: int, seconds: float, current: Path
) -> int:
    """Check mutations of the inputs in the pool; return how many there were."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    done = 0
    while done < count and time.monotonic() < end:
        data = target.mutate(rng.choice(pool), rng)
        if len(data) <= target.max_bytes:
            check(target, data, current)
            done += 1
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("current", type=Path, help="file for the input in use")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=0, help="mutations to check")
    parser.add_argument("--seconds", type=float, default=1e9, help="time for mutations")
    parser.add_argument("--inputs", type=Path, nargs="*", default=[], help="files to check first")
    args = parser.parse_args()
    target = TARGETS[args.target]()
    inputs = [path.read_bytes() for path in args.inputs]
    try:
        for data in inputs:
            check(target, data, args.current)
        done = len(inputs)
        if args.count:
            pool = [*inputs, *target.seeds()]
            done += fuzz(target, pool, args.seed, args.count, args.seconds, args.current)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    print(done)


if __name__ == "__main__":
    main()
