"""Labels, bars and panels: inside the image, over no face and over none of each other."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.core.boxes import Box
from edan_ros.drawing.layout import Layout

WIDTH, HEIGHT = 640, 480
frames = st.lists(
    st.builds(Box, st.floats(-60, 640), st.floats(-60, 480), st.floats(5, 300), st.floats(5, 300)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60)
@given(frames, st.integers(10, 150), st.integers(8, 40), st.sampled_from([0, 4, 9]))
def test_nothing_overlaps_a_face_or_anything_else(faces, width, height, bar) -> None:
    layout = Layout(WIDTH, HEIGHT, faces)
    placed: list[Box] = []
    for frame in faces:
        placed += layout.take(layout.label_places(frame, width, height, 2, bar)) or ()
        placed += layout.take(layout.bar_places(frame, 2, bar + 1)) or ()
        placed += layout.take(layout.panel_places(frame, 2 * width, 3 * height, 4)) or ()
    for box in placed:
        assert box.clipped(WIDTH, HEIGHT) == box
        assert not any(box.intersection(frame) for frame in faces)
    assert not any(a.intersection(b) for a, b in combinations(placed, 2))


def test_a_lone_face_has_its_label_below_and_the_bar_under_the_label() -> None:
    layout = Layout(WIDTH, HEIGHT, [Box(200, 100, 80, 90)])
    label, bar = layout.take(layout.label_places(Box(200, 100, 80, 90), 60, 20, 2, 6)) or ()
    assert (label.x, label.y) == (200, 193)
    assert (bar.x, bar.y, bar.width) == (200, 215, 81)


def test_a_label_prefers_places_that_leave_foreheads_visible() -> None:
    upper, lower = Box(200, 100, 80, 90), Box(200, 215, 80, 90)
    layout = Layout(WIDTH, HEIGHT, [upper, lower])
    (label,) = layout.take(layout.label_places(upper, 60, 20, 2, 0)) or ()
    assert label.x > 280


def test_the_label_of_a_face_cut_by_the_border_is_beside_it() -> None:
    frame = Box(300, 300, 200, 250)
    layout = Layout(WIDTH, HEIGHT, [frame])
    layout.take([(Box(505, 300, 100, 180),)])  # a panel
    (label,) = layout.take(layout.label_places(frame, 60, 20, 2, 0)) or ()
    assert label.x == 238
    assert 300 <= label.y <= 460


def test_without_room_there_is_no_place() -> None:
    frame = Box(-10, -10, 700, 500)
    layout = Layout(WIDTH, HEIGHT, [frame])
    assert layout.take(layout.label_places(frame, 60, 20, 2, 4)) is None
    assert layout.take(layout.panel_places(frame, 60, 20, 2)) is None
