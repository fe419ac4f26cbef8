"""NewestWorker: the newest of each source, one round at a time, nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from edan_ros.nodes.emotion.worker import NewestWorker

#: Seconds that are waited for anything at most: long, for the machine may be busy.
TIMEOUT = 60.0


class Recorder:
    """Work that waits to be let go, so that a test decides what piles up meanwhile."""

    def __init__(self) -> None:
        self.batches: list[dict[str, int]] = []
        self.started = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self, batch: dict[str, int]) -> None:
        self.batches.append(batch)
        self.started.release()
        assert self.go.acquire(timeout=TIMEOUT)


@pytest.fixture
def errors() -> Iterator[list[Exception]]:
    """What the work has raised; by default nothing may."""
    found: list[Exception] = []
    yield found
    assert not found


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_takes_only_the_newest_of_each_source_and_reports_drops(
    recorder: Recorder, errors: list[Exception]
) -> None:
    worker = NewestWorker(recorder, errors.append)
    worker.start()
    assert worker.put("a", 1) is False
    assert recorder.started.acquire(timeout=TIMEOUT)
    # Round one is at work on 1: of what comes now, only the newest is kept.
    dropped = [worker.put("a", 2), worker.put("a", 3), worker.put("b", 7), worker.put("a", 4)]
    assert dropped == [False, True, False, True]
    recorder.go.release(2)
    assert recorder.started.acquire(timeout=TIMEOUT)
    worker.stop()
    assert recorder.batches == [{"a": 1}, {"a": 4, "b": 7}]


def test_stop_waits_for_the_call_in_progress_and_drops_the_rest(
    recorder: Recorder, errors: list[Exception]
) -> None:
    worker = NewestWorker(recorder, errors.append)
    worker.start()
    worker.put("a", 1)
    assert recorder.started.acquire(timeout=TIMEOUT)
    worker.put("a", 2)
    dropped: list[str] = []
    stopper = threading.Thread(target=lambda: dropped.extend(worker.stop()))
    stopper.start()
    stopper.join(0.1)
    assert stopper.is_alive()
    recorder.go.release()
    stopper.join(TIMEOUT)
    assert not stopper.is_alive()
    assert recorder.batches == [{"a": 1}]
    assert dropped == ["a"]


def test_starts_again_after_a_stop_without_leaving_threads(
    recorder: Recorder, errors: list[Exception]
) -> None:
    before = threading.active_count()
    worker = NewestWorker(recorder, errors.append)
    for i in range(5):
        worker.start()
        worker.put("a", i)
        assert recorder.started.acquire(timeout=TIMEOUT)
        recorder.go.release()
        worker.stop()
    assert recorder.batches == [{"a": i} for i in range(5)]
    assert threading.active_count() == before


def test_stop_before_start_does_nothing(errors: list[Exception]) -> None:
    worker = NewestWorker(lambda _: None, errors.append)
    worker.put("a", 1)
    worker.stop()
    assert worker.put("a", 2) is False


def test_an_error_is_reported_and_the_thread_goes_on() -> None:
    found: list[Exception] = []
    done = threading.Event()

    def work(batch: dict[str, int]) -> None:
        if batch["a"] == 1:
            raise ValueError("one")
        done.set()

    worker = NewestWorker(work, lambda error: (found.append(error), raised.set()))
    raised = threading.Event()
    worker.start()
    worker.put("a", 1)
    assert raised.wait(TIMEOUT)
    worker.put("a", 2)
    assert done.wait(TIMEOUT)
    worker.stop()
    assert [str(error) for error in found] == ["one"]
