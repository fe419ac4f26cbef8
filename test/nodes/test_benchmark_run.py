"""`edan benchmark` between processes: what went in comes out, on time, and is counted."""

from __future__ import annotations

import pytest

from edan_ros.nodes.tools.benchmark_run import Load, RosBenchmark
from edan_ros.nodes.tools.session import SessionError

pytest.importorskip("skimage", reason="the photographs are scikit-image's (extra demo)")


@pytest.mark.slow
def test_two_cameras_are_measured_from_stamp_to_result(ros_domain: int) -> None:  # noqa: ARG001
    said: list[str] = []
    with RosBenchmark("edan-lite", 1, said.append) as ros:
        row = ros.run(Load(cameras=2, hz=5.0), 4.0)
        assert ros.startup_s is not None
        assert 0.1 < ros.startup_s < 60.0
        assert ros.memory_mb is not None
        assert 100 < ros.memory_mb < 1000
    assert (row.resolution, row.faces, row.cameras, row.offered_hz) == ("vga", 1, 2, 5.0)
    assert 0 < row.fps <= 12.0
    # Everything that was published is either a result or a drop.
    assert row.drops + round(row.fps * 4.0) == pytest.approx(40, abs=2)
    assert 0.0 < row.p50_ms <= row.p90_ms <= row.p99_ms
    assert row.cpu_percent > 0
    assert {"decode", "detect", "crop", "infer", "track", "smooth", "publish"} == set(row.ms)


@pytest.mark.slow
def test_a_soak_reports_its_memory(ros_domain: int) -> None:  # noqa: ARG001
    """Here of nine seconds; the first half is for settling."""
    with RosBenchmark("edan-lite", 1, lambda _: None) as ros:
        soak = ros.soak(0.15)
    assert 50 < soak.start_own_mb < soak.start_mb <= soak.most_mb < 1000
    assert soak.start_own_mb <= soak.most_own_mb < soak.most_mb


@pytest.mark.slow
def test_a_node_that_does_not_start_is_reported(ros_domain: int) -> None:  # noqa: ARG001
    with (
        RosBenchmark("no_such_model", 1, lambda _: None) as ros,
        pytest.raises(SessionError, match="no model is called"),
    ):
        ros.run(Load(), 1.0)
