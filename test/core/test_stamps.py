from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.core.stamps import MAX_STEP_BACK, SEGMENT_PAUSE, SegmentClock, describe_jump, is_jump


def places(stamps: list[float], interval: float = 0.0) -> tuple[list[float], list[float]]:
    clock = SegmentClock(interval)
    return [clock.place(stamp) for stamp in stamps], clock.jumps


@pytest.mark.parametrize(
    ("stamps", "expected", "jumps"),
    [
        ([100.0, 100.1, 159.0], [0.0, 0.1, 59.0], []),
        ([0.0, 1.0, 1.0, 0.9, 2.0], [0.0, 1.0, 1.0, 0.9, 2.0], []),
        ([0.0, 0.1, 25_200.1, 25_200.2], [0.0, 0.1, 1.1, 1.2], [25_200.0]),
        ([4000.0, 4000.5, 400.5, 401.0], [0.0, 0.5, 1.5, 2.0], [-3600.0]),
        ([0.0, 5e6, 0.0], [0.0, 1.0, 2.0], [5e6, -5e6]),
    ],
)
def test_segments_follow_one_another(
    stamps: list[float], expected: list[float], jumps: list[float]
) -> None:
    found, steps = places(stamps)
    assert found == pytest.approx(expected, abs=1e-6)
    assert steps == pytest.approx(jumps, abs=1e-6)


def test_images_usually_far_apart_are_not_jumps() -> None:
    assert not is_jump(600.0, interval=600.0)
    assert is_jump(600.0)
    assert is_jump(13_000.0, interval=600.0)


@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=40))
def test_no_place_is_far_from_the_latest_one(stamps: list[float]) -> None:
    found, _ = places(stamps)
    latest = 0.0
    for place in found:
        assert latest - MAX_STEP_BACK - 1e-6 <= place <= latest + 60.0 + SEGMENT_PAUSE
        latest = max(latest, place)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (-0.5, "back by 0.5 s"),
        (75.0, "ahead by 1 min 15 s"),
        (-25_260.0, "back by 7 h 1 min"),
        (5 * 86_400.0, "ahead by 5 days"),
    ],
)
def test_a_jump_is_described_in_words(step: float, text: str) -> None:
    assert f"the stamps jump {text}: a new segment begins" == describe_jump(step)
