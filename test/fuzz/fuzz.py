"""Fuzz the package for some minutes: make fuzz MINUTES=10.

Each target runs in a process of its own, which may die. An input that shows a fault is minimised
and kept in test/fuzz/corpus/TARGET, which the test suite checks from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus"
WORKER = FOLDER / "fuzz_worker.py"
#: Targets of `make fuzz`; those of one image format are part of images.
TARGETS = ("images", "bags", "video", "messages", "behaviors", "parameters")
#: Seconds of one process, so that a leak does not add up.
ROUND = 30.0
#: Seconds within which a process ends whatever its input.
TIMEOUT = 120.0
#: Most runs of the worker to minimise one input.
MAX_RUNS = 150


@dataclass(frozen=True)
class Run:
    """The result of a worker.

    Attributes:
        fault: what went wrong; "" if nothing did.
        done: number of inputs checked.
        data: the last input.
        printed: what was printed on standard error.
    """

    fault: str
    done: int
    data: bytes
    printed: str = ""


def run_worker(target: str, *arguments: str) -> Run:
    """Run the worker on a target and return its result."""
    with tempfile.TemporaryDirectory() as folder:
        current = Path(folder, "input")
        command = [sys.executable, str(WORKER), target, str(current), *arguments]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            fault, done, printed = f"no end within {TIMEOUT:.0f} s", 0, ""
        else:
            done = int(ended.stdout or 0) if ended.returncode == 0 else 0
            lines = ended.stderr.strip().splitlines() or [""]
            fault = f"exit code {ended.returncode}: {lines[-1]}" if ended.returncode else ""
            printed = ended.stderr
        return Run(fault, done, current.read_bytes() if current.exists() else b"", printed)


def check_inputs(target: str, *inputs: Path) -> Run:
    """Check the inputs in files."""
    return run_worker(target, "--inputs", *map(str, inputs))


def minimise(target: str, data: bytes) -> bytes:
    """Return a shorter input with a fault: remove ranges, the longest first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "candidate")
        runs, size = 0, len(data) // 2
        while size:
            at = 0
            while at < len(data) and runs < MAX_RUNS:
                shorter = data[:at] + data[at + size :]
                path.write_bytes(shorter)
                runs += 1
                if check_inputs(target, path).fault:
                    data = shorter
                else:
                    at += size
            size //= 2
    return data


def corpus_of(target: str) -> list[Path]:
    """Return the stored inputs of a target."""
    return sorted(path for path in (CORPUS / target).glob("*") if path.is_file())


def fuzz(target: str, seconds: float, seed: int) -> int:
    """Fuzz a target for some seconds, keep inputs with faults, and return their number."""
    end, done, found = time.monotonic() + seconds, 0, 0
    while (left := end - time.monotonic()) > 0:
        seed += 1
        run = run_worker(
            target,
            *("--seed", str(seed), "--count", str(10**9), "--seconds", str(min(left, ROUND))),
            *("--inputs", *map(str, corpus_of(target))),
        )
        done += run.done
        if run.fault:
            found += 1
            print(f"{target}: seed {seed}: {run.fault}", flush=True)
            data = minimise(target, run.data)
            path = CORPUS / target / hashlib.sha256(data).hexdigest()[:12]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"{target}: {len(data)} bytes in {path}", flush=True)
            break  # the same fault would be found again and again
    print(f"{target}: {done} inputs, {found} faults", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all targets together")
    parser.add_argument("--seed", type=int, help="the same inputs again; by default others")
    parser.add_argument("targets", nargs="*", default=TARGETS, help=", ".join(TARGETS))
    args = parser.parse_args()
    seed = random.randrange(10**6) if args.seed is None else args.seed
    seconds = 60.0 * args.minutes / len(args.targets)
    sys.exit(1 if sum(fuzz(target, seconds, seed) for target in args.targets) else 0)


if __name__ == "__main__":
    main()
