"""Tracks of faces over a recording: no image of a face is left uncovered between detections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.core.boxes import Box
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.drawing.privacy import PRIVACY_MARGIN, Cover, cover_heads
from edan_ros.offline.covers import MAX_GAP, Finding, link, plan_covers

#: Images per second.
RATE = 10.0


def face(x: float, y: float, side: float = 20.0, *, landmarks: bool = False) -> Finding:
    """A face with its centre at x, y."""
    points = np.float32(MEAN_SHAPE * side + (x, y)) if landmarks else None
    return Finding("fake", Box(x - side / 2, y - side / 2, side, side), 0.9, landmarks=points)


def hides(covers: list[Cover], box: Box, shape: tuple[int, int] = (120, 160)) -> bool:
    """Whether no pixel of a box is original."""
    if not covers:
        return False
    hidden = cover_heads(np.zeros((*shape, 3), np.uint8), covers).hidden
    inside = box.clipped(shape[1], shape[0])
    rows = slice(round(inside.y), round(inside.y + inside.height))
    return bool(hidden[rows, round(inside.x) : round(inside.x + inside.width)].all())


def times(count: int) -> list[float]:
    return [i / RATE for i in range(count)]


@settings(max_examples=40, deadline=None)
@given(
    detected=st.lists(st.booleans(), min_size=3, max_size=30),
    start=st.tuples(st.floats(30.0, 130.0), st.floats(30.0, 90.0)),
    velocity=st.tuples(st.floats(-40.0, 40.0), st.floats(-40.0, 40.0)),
)
def test_every_image_between_two_detections_is_covered(
    detected: list[bool], start: tuple[float, float], velocity: tuple[float, float]
) -> None:
    faces = [
        face(start[0] + velocity[0] * t, start[1] + velocity[1] * t) for t in times(len(detected))
    ]
    found = [[each] if seen else [] for each, seen in zip(faces, detected, strict=True)]
    covers = plan_covers(times(len(faces)), found, avatars=False)
    seen = [i for i, value in enumerate(detected) if value]
    margin, longest = round(PRIVACY_MARGIN * RATE), round(MAX_GAP * RATE)
    for number, place in enumerate(covers):
        before = max((i for i in seen if i <= number), default=None)
        after = min((i for i in seen if i >= number), default=None)
        if before is not None and after is not None and after - before <= longest:
            assert hides(place, faces[number].box), number
        near = [i for i in seen if abs(i - number) < margin]
        assert bool(place) or not near, number


def test_both_ends_are_extended_by_half_a_second_or_an_image() -> None:
    found = [[], [], [], [], [], [], [], [face(80, 60)], [], [], [], [], [], [], []]
    covers = plan_covers(times(15), found, avatars=False)
    assert [i for i, place in enumerate(covers) if place] == list(range(2, 13))
    slow = plan_covers([0.0, 0.9, 1.8], [[], [face(80, 60)], []], avatars=False)
    assert all(slow)
    apart = plan_covers([0.0, 3.0, 6.0], [[], [face(80, 60)], []], avatars=False)
    assert [bool(place) for place in apart] == [False, True, False]


def test_a_face_that_leaves_is_covered_where_it_stays_and_where_it_goes() -> None:
    found = [[face(60 + 10 * i, 60)] for i in range(5)] + [[]] * 3
    covers = plan_covers(times(8), found, avatars=False)
    for step in (1, 2, 3):
        assert hides(covers[4 + step], face(100 + 10 * step, 60).box)
        assert hides(covers[4 + step], face(100, 60).box)


def test_two_people_who_cross_stay_two_tracks_and_covered() -> None:
    left = [face(20 + 6 * i, 40) for i in range(20)]
    right = [face(134 - 6 * i, 62) for i in range(20)]
    found = [[a, b] if i % 3 else [] for i, (a, b) in enumerate(zip(left, right, strict=True))]
    covers = plan_covers(times(20), found, avatars=False)
    for number in range(1, 20):
        assert hides(covers[number], left[number].box)
        assert hides(covers[number], right[number].box)
    assert len(link(times(20), found)) == 2


def test_avatars_are_drawn_where_landmarks_are_known_and_blurred_elsewhere() -> None:
    found = [[face(60, 60, landmarks=True)], [face(62, 60)], [face(64, 60, landmarks=True)], []]
    covers = plan_covers(times(4), found, avatars=True)
    drawn = [[c.landmarks for c in place if c.landmarks is not None] for place in covers]
    assert [len(each) for each in drawn] == [1, 1, 1, 0]
    middle = MEAN_SHAPE * 20.0 + (62, 60)
    np.testing.assert_allclose(drawn[1][0], middle, atol=1e-4)
    assert hides(covers[3], face(64, 60).box)
    assert not any(c.landmarks is not None for c in plan_covers(times(4), found, avatars=False)[0])


def test_detections_of_one_face_by_several_detectors_are_one_track() -> None:
    found = [[face(60, 60), face(61, 60, 21.0), face(60, 61, landmarks=True)]] * 4
    (track,) = link(times(4), found)
    assert track.images == [0, 1, 2, 3]
    assert all(f.landmarks is not None for f in track.findings)


@pytest.mark.parametrize("flat", [False, True])
def test_a_face_found_again_is_covered_flat(flat: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    hidden = cover_heads(noise, [Cover(face(80, 60).box, flat=flat)])
    colours = {tuple(pixel) for pixel in hidden.pixels[hidden.hidden].tolist()}
    assert (len(colours) == 1) == flat
    assert np.array_equal(hidden.pixels[~hidden.hidden], noise[~hidden.hidden])
