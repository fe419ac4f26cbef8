"""Worker processes: every job is done once, whatever dies."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest
from fleet_jobs import die_the_first_time, double, double_or_die, wait_for_ever

from edan_ros.fleet.workers import MAX_DEATHS, FleetError, WorkerDied, run_locally, run_on_dask


def test_every_job_is_done_once() -> None:
    assert sorted(run_locally(double, [1, 2, 3, 4, 5], 2)) == [(n, 2 * n) for n in range(1, 6)]
    assert list(run_locally(double, [], 2)) == []


def test_a_job_whose_worker_dies_runs_again(tmp_path: Path) -> None:
    jobs = [(1, tmp_path / "1"), (2, tmp_path / "2")]
    assert sorted(result for _, result in run_locally(die_the_first_time, jobs, 1)) == [2, 4]


def test_a_job_that_always_kills_its_worker_is_given_up_and_the_others_are_done(
    tmp_path: Path,
) -> None:
    attempts = tmp_path / "attempts"
    jobs = [(1, None), (2, attempts), (3, None)]
    results = dict(run_locally(double_or_die, jobs, 2))
    assert isinstance(results.pop((2, attempts)), WorkerDied)
    assert results == {(1, None): 2, (3, None): 6}
    assert len(attempts.read_text().splitlines()) == MAX_DEATHS


def test_closing_ends_all_workers(tmp_path: Path) -> None:
    started = tmp_path / "started"
    jobs = run_locally(wait_for_ever, [None, started], 2)
    assert next(jobs) == (None, None)
    end = time.monotonic() + 120.0
    while not started.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    jobs.close()
    assert multiprocessing.active_children() == []


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the extra fleet is not installed")
    monkeypatch.setattr("edan_ros.fleet.workers.CONNECT_SECONDS", 0.1)
    with pytest.raises(FleetError, match=r"tcp://127\.0\.0\.1:9"):
        next(run_on_dask(double, [1], "tcp://127.0.0.1:9", print))
