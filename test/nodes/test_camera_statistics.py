"""Rates, percentiles, outages and throttling, against a clock that the test moves."""

from __future__ import annotations

import pytest

from edan_ros.nodes.common.camera_statistics import CameraStatistics
from edan_ros.nodes.common.reporting import Throttle


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def statistics(clock: FakeClock) -> CameraStatistics:
    return CameraStatistics(clock=clock, silence_timeout=2.0)


def feed(statistics: CameraStatistics, clock: FakeClock, images: int, period: float) -> None:
    """Images ``period`` seconds apart, every other dropped, the rest processed in 10 ms."""
    for i in range(images):
        clock.now += period
        statistics.arrived()
        if i % 2:
            statistics.dropped()
        else:
            clock.now += 0.010
            statistics.processed(clock.now - 0.010, 1, {"infer": 5.0}, 0.030)
            clock.now -= 0.010


def test_figures_of_a_steady_camera(statistics: CameraStatistics, clock: FakeClock) -> None:
    # 100 images at 20 Hz: in the last 5 s they come at 20 Hz, half of them are dropped.
    feed(statistics, clock, 100, 0.05)
    figures = statistics.figures()
    assert (figures.received, figures.processed, figures.dropped) == (100, 50, 50)
    assert figures.rate_in == pytest.approx(20.0, rel=0.05)
    assert figures.rate_out == pytest.approx(10.0, rel=0.05)
    assert figures.rate_dropped == pytest.approx(10.0, rel=0.05)
    assert figures.latency_ms == pytest.approx({50: 10.0, 95: 10.0, 99: 10.0})
    assert figures.age_ms == pytest.approx(30.0)
    assert figures.stages_ms == {"infer": 5.0}
    assert figures.faces == 1
    assert not figures.silent


def test_rate_falls_when_images_stop(statistics: CameraStatistics, clock: FakeClock) -> None:
    feed(statistics, clock, 100, 0.05)
    clock.now += 4.0
    assert statistics.figures().rate_in < 5.0
    clock.now += 2.0
    assert statistics.figures().rate_in == 0.0


def test_a_gap_is_an_outage_and_is_reported_once(
    statistics: CameraStatistics, clock: FakeClock
) -> None:
    assert statistics.figures().silent
    assert statistics.arrived() is None
    clock.now += 1.9
    assert statistics.arrived() is None
    assert not statistics.figures().silent
    clock.now += 7.0
    figures = statistics.figures()
    assert figures.silent
    assert figures.since_image == pytest.approx(7.0)
    assert statistics.arrived() == pytest.approx(7.0)
    figures = statistics.figures()
    assert figures.outages == 1
    assert figures.returned_after == pytest.approx(7.0)
    clock.now += 0.1
    assert statistics.arrived() is None
    clock.now += 11.0
    assert statistics.figures().returned_after is None


def test_a_pause_is_not_an_outage(statistics: CameraStatistics, clock: FakeClock) -> None:
    statistics.arrived()
    statistics.pause()
    clock.now += 60.0
    assert statistics.arrived() is None
    assert statistics.figures().outages == 0
    assert statistics.figures().received == 2


def test_ages_of_recordings_are_left_out(statistics: CameraStatistics, clock: FakeClock) -> None:
    statistics.processed(clock.now, 0, {}, 86_400.0)
    assert statistics.figures().age_ms is None
    assert statistics.figures().since_face is None


def test_bad_input_is_counted_by_reason(statistics: CameraStatistics) -> None:
    for reason in ("step", "step", "encoding"):
        statistics.bad(reason)
    assert statistics.figures().bad == {"step": 2, "encoding": 1}


def test_lost_images_are_distinguished_from_warnings(
    statistics: CameraStatistics, clock: FakeClock
) -> None:
    statistics.bad("sixteen_bit")
    assert statistics.figures().lost_by == ""
    statistics.bad("encoding", lost=True)
    assert statistics.figures().lost_by == "encoding"
    clock.now += 6.0
    assert statistics.figures().lost_by == ""


def test_a_reset_of_the_outage_timer_prevents_an_outage(
    statistics: CameraStatistics, clock: FakeClock
) -> None:
    statistics.reset_outage_timer()
    assert statistics.figures().since_image is None
    statistics.arrived()
    clock.now += 9.0
    statistics.reset_outage_timer()
    assert statistics.arrived() is None
    assert statistics.figures().outages == 0


def test_throttle_passes_one_of_each_key_in_a_period(clock: FakeClock) -> None:
    throttle = Throttle(5.0, clock)
    assert throttle.admit("a", "bad") == "bad"
    assert throttle.admit("b", "worse") == "worse"
    assert [throttle.admit("a", "bad") for _ in range(3)] == [""] * 3
    clock.now += 5.0
    assert throttle.admit("a", "bad") == "bad (3 similar warnings suppressed)"
    assert throttle.admit("a", "bad") == ""
    clock.now += 5.0
    assert throttle.admit("a", "bad") == "bad (1 similar warning suppressed)"
    assert throttle.admit("b", "worse") == "worse"


def test_stage_times_are_means_over_the_images() -> None:
    """A search in one image of four costs a quarter of its time an image."""
    statistics = CameraStatistics()
    for i in range(8):
        stages = {"detect": 4.0 if i % 4 == 0 else 0.0, "infer": 5.0}
        statistics.processed(0.0, 1, stages, 0.0)
    assert statistics.figures().stages_ms == {"detect": 1.0, "infer": 5.0}


def test_an_image_ends_a_mismatch_of_the_quality_of_service(statistics: CameraStatistics) -> None:
    statistics.incompatible("reliability")
    assert statistics.figures().incompatible_qos == "reliability"
    statistics.arrived()
    assert statistics.figures().incompatible_qos == ""
