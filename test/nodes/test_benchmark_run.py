"""`edan benchmark` between processes: what went in comes out, on time, and is counted."""

from __future__ import annotations

import pytest

from edan_ros.nodes.tools.benchmark_run import Load, RosBenchmark, summarise
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
    # At most one image for each period; a camera on a busy machine publishes fewer.
    assert 0 <= row.drops < row.drops + round(row.fps * 4.0) <= 41
    assert 0.0 < row.p50_ms <= row.p90_ms <= row.p99_ms
    assert row.cpu_percent > 0
    assert {"decode", "detect", "crop", "infer", "track", "smooth", "eyes", "publish"} == set(
        row.ms
    )


def test_every_published_image_is_a_result_or_a_drop() -> None:
    """Of 40 images after one that does not count, every fourth is dropped."""
    begin, period = 10**18, 10**8
    stamps = [begin + number * period for number in range(-1, 40) if number % 4]
    arrivals = [(stamp, stamp + (5 + i % 2) * 10**6, 1) for i, stamp in enumerate(stamps)]
    stages = [{"infer": 2.0, "crop": 0.2}, {"infer": 4.0, "crop": 0.4}]
    sent = {"begin_ns": begin, "published": 40}
    row = summarise(Load(cameras=2, hz=5.0), 4.0, arrivals, stages, sent, 12.34)
    assert (row.fps, row.drops, row.cpu_percent) == (7.5, 10, 12.3)
    assert (row.p50_ms, row.p90_ms, row.p99_ms) == (5.5, 6.0, 6.0)
    assert row.growth_ms == 0.0
    assert row.ms == {"infer": 3.0, "crop": 0.3}


def test_latency_that_grows_is_reported() -> None:
    arrivals = [(i * 10**8, i * 10**8 + i * 10**6, 1) for i in range(30)]
    row = summarise(Load(), 3.0, arrivals, [], {"begin_ns": 0, "published": 30}, 1.0)
    assert row.growth_ms == 20.0  # the means of 20 to 29 and of 0 to 9
    with pytest.raises(SessionError, match="no result was received"):
        summarise(Load(), 3.0, [], [], {"begin_ns": 0, "published": 30}, 1.0)


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
