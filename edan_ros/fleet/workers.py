"""Where the jobs of a fleet run: in processes of this machine, or on a Dask cluster.

Both yield each job once with what its function returned, in the order they are done. The function
and the jobs must be importable and picklable, as for ``multiprocessing``.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any, TypeVar

J = TypeVar("J")
R = TypeVar("R")

#: Worker processes that may die of a job before it fails.
MAX_DEATHS = 3
#: Seconds to wait for the scheduler of a cluster.
CONNECT_SECONDS = 30


class FleetError(RuntimeError):
    """The workers cannot be used. The message is one sentence: what, and what to do."""


class WorkerDied(RuntimeError):  # noqa: N818
    """Every worker that ran a job died of it."""


def run_locally(
    function: Callable[[J], R], jobs: Sequence[J], count: int
) -> Generator[tuple[J, R | WorkerDied], None, None]:
    """Run jobs in ``count`` processes of this machine, one job at a time in each.

    A process that dies, for lack of memory or of a fault in a decoder, is replaced, and its job
    runs again; after MAX_DEATHS it is given up. Closing the iterator ends all processes.
    """
    waiting, deaths = deque(enumerate(jobs)), Counter[int]()
    idle: list[_Worker] = []
    busy: dict[Any, tuple[_Worker, int]] = {}  # by the end of its pipe that is here
    try:
        while waiting or busy:
            while waiting and len(busy) < count:
                number, job = waiting.popleft()
                worker = idle.pop() if idle else _Worker(function)
                busy[worker.pipe] = worker, number
                with suppress(BrokenPipeError):  # it died while it was idle; found below
                    worker.pipe.send(job)
            for pipe in wait(busy):
                worker, number = busy.pop(pipe)
                try:
                    result: R | WorkerDied = worker.pipe.recv()
                    idle.append(worker)
                except (EOFError, ConnectionResetError):
                    worker.stop()
                    deaths[number] += 1
                    if deaths[number] < MAX_DEATHS:
                        waiting.append((number, jobs[number]))
                        continue
                    result = WorkerDied(f"{MAX_DEATHS} worker processes died of it")
                yield jobs[number], result
    finally:
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.stop()


def run_on_dask(
    function: Callable[[J], R], jobs: Sequence[J], address: str, log: Callable[[str], None]
) -> Generator[tuple[J, R | WorkerDied], None, None]:
    """Run jobs on the workers of a Dask cluster, which may come and go.

    The scheduler gives the jobs of a lost worker to another one; its ``allowed-failures`` limit how
    often. Closing the iterator cancels the jobs that have not begun.

    Args:
        function, jobs: see above. Workers must find the same files under the same paths.
        address: of the scheduler, such as "tcp://10.0.0.1:8786".
        log: receives a sentence on the cluster.

    Raises:
        FleetError: if no scheduler answers, the connection is lost, or a worker has another
            version of this package.
        ModuleNotFoundError: without ``distributed``.
    """
    from concurrent.futures import CancelledError

    from distributed import Client, KilledWorker, as_completed

    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise FleetError(
            f"no Dask scheduler answers at {address} ({error}): start one with `dask scheduler`"
        ) from error
    with client:
        _check_versions(client.run(_package_version, on_error="return"))
        workers = len(client.nthreads())
        log(f"{workers} workers at {address}" if workers else f"waiting for workers at {address}")
        futures = {client.submit(function, job, pure=False): job for job in jobs}
        try:
            for future in as_completed(list(futures)):
                try:
                    result: R | WorkerDied = future.result()
                except KilledWorker as error:
                    result = WorkerDied(f"the workers that ran it died: {error}")
                except CancelledError as error:
                    raise FleetError(
                        f"the connection to {address} was lost: run the command again to go on"
                    ) from error
                yield futures.pop(future), result
        finally:
            client.cancel(list(futures))


class _Worker:
    """A process that runs a function on what it receives; started afresh, not forked."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(function, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends with the process

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.pipe.close()
        self._process.kill()
        self._process.join()


def _serve(function: Callable[[Any], Any], pipe: Any) -> None:
    # Ctrl-C reaches all processes of a terminal; the one that started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            pipe.send(function(pipe.recv()))


def _package_version() -> str:
    import edan_ros

    return edan_ros.__version__


def _check_versions(found: dict[str, Any]) -> None:
    """Raise FleetError unless all workers have this version. found: by address of the worker."""
    own = _package_version()
    for worker, version in found.items():
        if isinstance(version, Exception):
            raise FleetError(f"worker {worker} cannot use edan_ros ({version}): install it there")
        if version != own:
            raise FleetError(
                f"worker {worker} has edan_ros {version}, this machine {own}: install one version"
            )
