from __future__ import annotations

import pytest
from results import face, result

from edan_ros.recording.summary import Summary, summary_lines


def test_figures_of_four_images() -> None:
    summary = Summary()
    summary.add(100.0, 0.010, result())
    summary.add(100.5, 0.020, result(face(1), face(2, "sad")))
    summary.add(101.0, None, result(face(1)))
    summary.add(102.0, 0.030, result(face(3, "unknown")))
    assert summary.results == 4
    assert summary.face_share == 0.75
    assert summary.most_faces == 2
    assert dict(summary.tracks) == {1: 2, 2: 1, 3: 1}
    assert summary.label_shares() == [("happy", 0.5), ("sad", 0.25), ("unknown", 0.25)]
    assert summary.recorded_seconds == 2.0
    assert summary.latency(50) == pytest.approx(0.020)
    assert summary.latency(100) == pytest.approx(0.030)
    assert summary.rate > 0.0


@pytest.mark.parametrize("jump", [25_200.0, -3600.0])
def test_jumps_of_the_stamps_are_not_recorded_time(jump: float) -> None:
    summary = Summary()
    for i in range(20):
        summary.add(5000.0 + 0.1 * i + (jump if i >= 10 else 0.0), None, result())
    assert summary.recorded_seconds == pytest.approx(0.9 + 1.0 + 0.9)
    assert summary.jumps == pytest.approx([jump + 0.1])
    lines = summary_lines(summary, 0, live=False)
    assert lines[0].endswith("20 in 2.8 s of the source")
    assert "the stamps jump" in lines[1]


def test_a_summary_without_results() -> None:
    summary = Summary()
    assert summary.face_share == 0.0
    assert summary.rate == 0.0
    assert summary.latency(50) is None
    assert summary.label_shares() == []
