from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edan_ros.recording.pairing import Pair, Pairing


def test_a_result_finds_its_image_and_the_time_between() -> None:
    pairing: Pairing[str, str] = Pairing()
    assert pairing.add_image(10, "image", 5.0) == []
    (pair,) = pairing.add_result(10, "result", 5.25)
    assert pair == Pair(10, "result", "image", 0.25)


def test_a_result_may_overtake_its_image() -> None:
    pairing: Pairing[str, str] = Pairing()
    assert pairing.add_result(10, "result", 5.25) == []
    assert pairing.add_image(10, "image", 5.0) == [Pair(10, "result", "image", 0.25)]


def test_images_older_than_a_result_were_not_processed() -> None:
    pairing: Pairing[str, str] = Pairing()
    for stamp in (1, 2, 3):
        pairing.add_image(stamp, f"image {stamp}", 0.0)
    (pair,) = pairing.add_result(3, "result", 1.0)
    assert pair.image == "image 3"
    assert pairing.unprocessed == 2
    assert pairing.add_result(2, "late", 1.0) == []


def test_a_lost_image_does_not_hold_up_its_result() -> None:
    pairing: Pairing[str, str] = Pairing()
    pairing.add_result(10, "result", 5.0)
    assert pairing.add_image(20, "next image", 6.0) == [Pair(10, "result", None, None)]
    assert pairing.imageless == 1
    assert pairing.add_result(20, "next", 7.0) == [Pair(20, "next", "next image", 1.0)]


def test_the_end_returns_results_still_waiting() -> None:
    pairing: Pairing[str, str] = Pairing()
    pairing.add_result(10, "result", 5.0)
    assert pairing.finish() == [Pair(10, "result", None, None)]
    assert pairing.finish() == []


def test_no_more_than_the_limit_wait() -> None:
    pairing: Pairing[str, str] = Pairing(limit=3)
    for stamp in range(5):
        pairing.add_image(stamp, "image", 0.0)
    assert pairing.unprocessed == 2
    assert pairing.add_result(0, "result", 1.0) == []
    assert [pair.stamp_ns for pair in pairing.add_result(4, "result", 1.0)] == [4]


def test_repetitions_are_ignored() -> None:
    pairing: Pairing[str, str] = Pairing()
    pairing.add_image(10, "image", 5.0)
    pairing.add_image(10, "image", 5.5)
    assert len(pairing.add_result(10, "result", 6.0)) == 1
    assert pairing.add_image(10, "image", 6.1) == []
    assert pairing.add_result(10, "result", 6.2) == []
    pairing.add_image(20, "next image", 7.0)
    assert len(pairing.add_result(20, "next", 7.5)) == 1
    assert (pairing.images, pairing.results, pairing.unprocessed) == (2, 2, 0)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_every_result_comes_out_once_with_its_own_image(processed: list[bool], seed: int) -> None:
    """Images and the results of some of them, each kind in order, interleaved at random."""
    results = [stamp for stamp, flag in enumerate(processed) if flag]
    random = np.random.default_rng(seed)
    order = random.permutation([0] * len(processed) + [1] * len(results))
    images, answers = iter(range(len(processed))), iter(results)
    pairing: Pairing[int, int] = Pairing(limit=len(processed))
    pairs = []
    for kind in order:
        if kind:
            stamp = next(answers)
            pairs += pairing.add_result(stamp, stamp, 0.0)
        else:
            stamp = next(images)
            pairs += pairing.add_image(stamp, stamp, 0.0)
    pairs += pairing.finish()
    assert sorted(pair.result for pair in pairs) == results
    assert all(pair.image == pair.result for pair in pairs), "all images came in the end"
    assert pairing.results == len(results)
    assert pairing.images == len(processed)
