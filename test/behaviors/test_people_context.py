"""The context of people for agents: who is present, since when, facing whom, and how certain."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenarios import face, invalid_faces, snapshot

from edan_ros.behaviors.engagement import gaze_of, head_of
from edan_ros.behaviors.people_context import LIMITS, ContextOptions, PeopleContext, target_of
from edan_ros.behaviors.snapshot import FaceSnapshot
from edan_ros.behaviors.timing import Admission


def head_target(shown: FaceSnapshot, others: list[FaceSnapshot]) -> str:
    return target_of(head_of(shown), shown, snapshot(1.0, *others), 0.3)


def play(context: PeopleContext, begin: float, duration: float, *faces: Any) -> float:
    """Observe the same faces at 10 Hz; return the last stamp."""
    count = round(duration * 10)
    for step in range(count + 1):
        stamp = begin + step / 10
        assert context.observe(snapshot(stamp, *faces), stamp) is Admission.NEW
    return begin + count / 10


def test_everybody_is_described_with_time_place_and_expression() -> None:
    context = PeopleContext(ContextOptions())
    now = play(context, 10.0, 3.0, face(1, "happy", 0.7, x=0.2), face(2, "unknown", x=0.8))
    found = context.describe(now)
    assert found["is_current"]
    assert found["stamp"] == now
    first, second = found["people"]
    assert (first["id"], first["here_for_s"], first["visible"]) == (1, 3.0, True)
    assert (first["side"], second["side"]) == ("left", "right")
    assert first["distance_m"] == pytest.approx(math.hypot(0.3, 1.0), abs=0.01)
    shown = first["expression"]
    assert (shown["label"], shown["probability"], shown["alternatives"]) == ("happy", 0.7, {})
    assert 2.5 <= shown["for_s"] <= 3.0
    # Entropy of 0.7 and six times 0.05, over log 7.
    assert shown["uncertainty"] == pytest.approx(0.59, abs=0.01)
    assert second["expression"]["label"] == "unknown"
    assert second["expression"]["probability"] is None
    assert second["expression"]["uncertainty"] == 1.0
    assert set(second["expression"]["alternatives"]) >= {"neutral", "anger"}
    assert found["limits"] == list(LIMITS)


def test_who_left_the_image_is_not_visible_and_then_gone() -> None:
    context = PeopleContext(ContextOptions())
    now = play(context, 10.0, 2.0, face(1), face(2, x=0.8))
    now = play(context, now + 0.1, 1.0, face(1))
    assert [(p["id"], p["visible"]) for p in context.describe(now)["people"]] == [
        (1, True),
        (2, False),
    ]
    now = play(context, now + 0.1, 1.0, face(1))
    assert [p["id"] for p in context.describe(now)["people"]] == [1]


def test_without_fresh_images_nobody_is_listed() -> None:
    context = PeopleContext(ContextOptions())
    assert context.describe(5.0) == {
        "stamp": None,
        "is_current": False,
        "people": [],
        "limits": list(LIMITS),
    }
    now = play(context, 10.0, 1.0, face(1))
    assert context.describe(now + 0.9)["people"]
    found = context.describe(now + 1.1)
    assert (found["is_current"], found["people"], found["stamp"]) == (False, [], now)


def test_a_head_is_turned_to_the_camera_another_person_or_elsewhere() -> None:
    left, right = face(1, x=-0.5), face(2, x=1.5)  # a metre to each side, and a metre away
    everybody = [left, right]
    assert head_target(left, everybody) == "elsewhere", "parallel to the optical axis"
    # From the left, the camera is 45 degrees to the right of the axis, the other person 90.
    assert head_target(face(1, x=-0.5, yaw=math.pi / 4), everybody) == "robot"
    assert head_target(face(1, x=-0.5, yaw=math.pi / 2), everybody) == "2"
    assert head_target(face(2, x=1.5, yaw=-math.pi / 2), everybody) == "1"
    assert head_target(face(1, x=-0.5, yaw=-math.pi / 2), everybody) == "elsewhere"
    assert head_target(face(1, pitch=-0.5), []) == "elsewhere"
    assert head_target(face(1, yaw=math.nan), []) == "unknown"


def test_without_a_position_only_the_camera_is_a_target() -> None:
    facing = face(1, distance=None)
    assert head_target(facing, [facing, face(2)]) == "robot"
    assert head_target(face(1, distance=None, yaw=1.0), [facing, face(2)]) == "elsewhere"


def test_without_a_position_the_line_of_sight_to_the_camera_counts() -> None:
    # At the border of the image an assumed lens sees a face by atan(0.4) from its axis.
    border = face(1, distance=None, x=0.9)
    assert head_target(border, []) == "elsewhere", "parallel to the optical axis"
    assert head_target(face(1, distance=None, x=0.9, yaw=-math.atan(0.4)), []) == "robot"


def test_eyes_and_head_point_at_targets_of_their_own() -> None:
    context = PeopleContext(ContextOptions())
    # The head faces the camera, the eyes the other person, a metre to the right.
    looking = replace(face(1, x=0.5), gaze=(1.0, 0.0, 0.0))
    assert gaze_of(looking) == (1.0, 0.0, 0.0)
    now = play(context, 10.0, 1.0, looking, face(2, x=1.5, yaw=1.0))
    first, second = context.describe(now)["people"]
    assert (first["head_towards"], first["eyes_towards"]) == ("robot", "2")
    assert (second["head_towards"], second["eyes_towards"]) == ("elsewhere", "unknown")


def test_a_glance_does_not_change_the_target() -> None:
    context = PeopleContext(ContextOptions())
    now = play(context, 10.0, 1.0, face(1))
    now = play(context, now + 0.1, 0.3, face(1, yaw=1.0))
    assert context.describe(now)["people"][0]["head_towards"] == "robot"
    now = play(context, now + 0.1, 1.0, face(1, yaw=1.0))
    assert context.describe(now)["people"][0]["head_towards"] == "elsewhere"


@settings(max_examples=40, deadline=None)
@given(
    choices=st.lists(
        st.tuples(st.floats(0.0, 3.0), st.lists(st.integers(0, 30), max_size=4)), max_size=12
    )
)
def test_any_sequence_gives_valid_json_of_known_people(choices: list[Any]) -> None:
    pool = [*invalid_faces(), face(1), face(2, "unknown", yaw=math.nan, distance=None), face(3)]
    context = PeopleContext(ContextOptions())
    now = 10.0
    for passed, picked in choices:
        now += passed
        context.observe(snapshot(now, *(pool[i % len(pool)] for i in picked)), now)
        found = json.loads(json.dumps(context.describe(now), allow_nan=False))
        for person in found["people"]:
            assert person["id"] > 0
            assert 0.0 <= person["expression"]["uncertainty"] <= 1.0
            assert person["here_for_s"] >= 0.0
