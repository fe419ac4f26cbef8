"""The humanoid node over DDS, on simulated time: attention, gaze, reactions, the robot's face."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from edan_ros.msg import Engagement, EngagementArray, FaceEmotion, Reaction
from geometry_msgs.msg import PointStamped
from probe import wait_for
from rclpy.exceptions import ParameterException
from replay import Replay, face, seconds_of
from std_msgs.msg import String, UInt32

from edan_ros.behaviors.engagement import Level
from edan_ros.nodes.behaviors.humanoid_node import HumanoidNode
from edan_ros.nodes.common import qos

TOPICS = {
    "reaction": Reaction,
    "gaze_target": PointStamped,
    "attended_track": UInt32,
    "engagement": EngagementArray,
}
TABLE = """
rules:
  - {name: joy, emotion: happy, after: 0.8, intensity: 0.5, priority: 1, cooldown: 6,
     behavior: nod, utterance: "How nice!", expression: happy}
  - {name: alarm, emotion: fear, after: 0.5, priority: 9, cooldown: 6, who: anyone}
"""


@pytest.fixture
def make_replay(ros: None, tmp_path: Path) -> Iterator[Callable[..., Replay]]:  # noqa: ARG001
    table = tmp_path / "table.yaml"
    table.write_text(TABLE)
    made: list[Replay] = []

    def make(**given: Any) -> Replay:
        given = {"reactions": str(table), "expression.reaction_interval": 2.0} | given
        made.append(Replay(HumanoidNode, TOPICS, **given))
        return made[-1]

    yield make
    for replay in made:
        replay.close()


def test_a_smile_gets_a_reaction_with_a_reason(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay()
    replay.play(1.0, face(3, x=0.6))
    replay.play(2.0, face(3, "happy", x=0.6))
    (reaction,) = replay.heard["reaction"]
    assert reaction.header.frame_id == "cabin_optical"
    assert 101.7 < seconds_of(reaction.header.stamp) < 102.3
    assert (reaction.track_id, reaction.rule, reaction.priority) == (3, "joy", 1)
    assert (reaction.emotion, reaction.label) == (FaceEmotion.HAPPY, "happy")
    assert (reaction.behavior, reaction.utterance) == ("nod", "How nice!")
    assert reaction.expression == FaceEmotion.HAPPY
    assert reaction.intensity == pytest.approx(0.88, abs=0.01)
    assert 0.75 < seconds_of(reaction.emotion_duration) < 1.2
    assert reaction.gaze_target_valid
    assert (reaction.gaze_target.x, reaction.gaze_target.z) == pytest.approx((0.1, 1.0), abs=0.01)
    assert 0.0 < reaction.attention_score <= 1.0
    assert "Person 3, whom it attends to, has looked happy for" in reaction.why


def test_a_table_that_is_set_again_is_read_again(
    make_replay: Callable[..., Replay], tmp_path: Path
) -> None:
    replay = make_replay()
    table = tmp_path / "table.yaml"
    table.write_text(TABLE.replace("How nice!", "Again!"))
    assert replay.set(reactions=str(table))[0]
    replay.play(1.0, face(3))
    replay.play(2.0, face(3, "happy"))
    assert [reaction.utterance for reaction in replay.heard["reaction"]] == ["Again!"]
    table.write_text("rules: 5")
    ok, why = replay.set(reactions=str(table))
    assert not ok
    assert "it needs a list called 'rules'" in why


def test_the_gaze_follows_the_attended_person(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay()
    replay.play(2.0, face(1, x=0.2, distance=3.0), face(2, x=0.7, distance=1.0))
    gaze = replay.heard["gaze_target"][-1]
    assert gaze.header.frame_id == "cabin_optical"
    assert seconds_of(gaze.header.stamp) == pytest.approx(replay.now, abs=0.3)
    assert (gaze.point.x, gaze.point.z) == pytest.approx((0.2, 1.0), abs=0.02)
    assert replay.heard["attended_track"][-1].data == 2
    replay.heard["gaze_target"].clear()
    replay.play(4.0)
    assert replay.heard["attended_track"][-1].data == 0
    assert replay.heard["gaze_target"] == []


def test_the_levels_are_the_constants_of_the_message() -> None:
    assert {level.name: int(level) for level in Level} == {
        level.name: getattr(Engagement, level.name) for level in Level
    }


def test_engagement_is_published_for_every_image(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay()
    looking, away = face(1), face(2, x=0.7, distance=2.0)
    away.gaze_valid = True
    away.gaze.x, away.gaze_yaw, away.gaze_pitch = 1.0, 1.57, 0.0
    away.eye_quality, away.eye_openness = FaceEmotion.EYES_VISIBLE, [0.9, 0.9]
    replay.play(2.0, looking, away)
    newest = replay.heard["engagement"][-1]
    assert newest.header.frame_id == "cabin_optical"
    assert seconds_of(newest.header.stamp) == pytest.approx(replay.now, abs=0.3)
    first, second = newest.people
    assert (first.track_id, first.level, first.looking_at_robot) == (1, Engagement.ENGAGED, True)
    assert not first.by_gaze
    assert 1.0 <= seconds_of(first.looking_for) <= 2.0
    assert (second.track_id, second.level) == (2, Engagement.DISENGAGED)
    assert second.by_gaze
    # The eyes look along x, the camera is 2 m behind and 0.4 m to the left.
    assert second.angle == pytest.approx(math.pi / 2 + math.atan(0.2), abs=1e-3)
    assert seconds_of(second.looking_for) == 0.0
    replay.play(0.5)
    assert list(replay.heard["engagement"][-1].people) == []


def test_without_a_head_pose_reactions_have_no_gaze_target(
    make_replay: Callable[..., Replay],
) -> None:
    replay = make_replay()
    replay.play(3.0, face(1, "happy", distance=None))
    (reaction,) = replay.heard["reaction"]
    assert not reaction.gaze_target_valid
    assert replay.heard["gaze_target"] == []


def test_no_reaction_within_a_cooldown_with_drops_and_repeats(
    make_replay: Callable[..., Replay],
) -> None:
    replay = make_replay()
    rate = 15.0
    for i in range(round(18.0 * rate)):
        replay.tick(1.0 / rate)
        person = face(1, ("happy", "fear", "neutral")[i // 30 % 3])
        if i % 5:
            replay.show(person)
        if i % 4 == 0:
            replay.show(person)
        if i % 6 == 0:
            replay.show(person, stamp=replay.now - 0.4)
    replay.settle()
    reactions = replay.heard["reaction"]
    assert len(reactions) >= 4
    times = [seconds_of(r.header.stamp) for r in reactions]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 2.0
    for rule in ("joy", "alarm"):
        fired = [t for t, r in zip(times, reactions, strict=True) if r.rule == rule]
        assert len(fired) >= 2
        assert min(b - a for a, b in itertools.pairwise(fired)) >= 6.0


def test_the_robots_face_is_latched_and_mirrors(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay(**{"expression.expression_time": 0.1})
    replay.play(2.5, face(1, "surprise"))
    replay.listen(String, "robot_expression", qos.LATCHED)
    wait_for(lambda: replay.heard["robot_expression"], "the expression told last")
    assert replay.heard["robot_expression"][-1].data == "surprise"
    replay.play(4.0)
    assert replay.heard["robot_expression"][-1].data == "neutral"


def test_another_table_takes_over_and_an_invalid_one_is_refused(
    make_replay: Callable[..., Replay], tmp_path: Path
) -> None:
    replay = make_replay()
    other = tmp_path / "other.yaml"
    other.write_text("rules: [{name: greet, emotion: neutral, after: 0.3, utterance: Hello}]")
    assert replay.set(reactions=str(other)) == (True, "")
    replay.play(1.5, face(1))
    assert [r.utterance for r in replay.heard["reaction"]] == ["Hello"]
    other.write_text("rules: [{name: greet, emotion: bored}]")
    good, why = replay.set(reactions=str(other) + "x")
    assert not good
    assert "No such file" in why


def test_an_invalid_table_keeps_the_node_from_starting(ros: None, tmp_path: Path) -> None:  # noqa: ARG001
    bad = tmp_path / "bad.yaml"
    bad.write_text("rules: [{name: greet, emotion: bored}]")
    with pytest.raises(ParameterException, match="emotion is 'bored', it must be one of"):
        Replay(HumanoidNode, {}, reactions=str(bad))


def test_the_table_of_the_package_is_the_default(make_replay: Callable[..., Replay]) -> None:
    replay = make_replay(reactions="")
    replay.play(3.0, face(1, "happy"))
    assert [r.rule for r in replay.heard["reaction"]] == ["share_joy"]
    said = replay.report(face(1, "happy")).message
    assert said.startswith("Attending to person 1: score")


def test_a_frame_is_kept_at_the_gaze_target(make_replay: Callable[..., Replay]) -> None:
    tf2 = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed")
    replay = make_replay(gaze_frame="look_here")
    replay.listen(tf2.TFMessage, "/tf")
    replay.play(1.0, face(1, x=0.7, distance=1.0))
    (frame,) = replay.heard["/tf"][-1].transforms
    assert (frame.header.frame_id, frame.child_frame_id) == ("cabin_optical", "look_here")
    at = frame.transform.translation
    assert (at.x, at.y, at.z) == pytest.approx((0.2, 0.0, 1.0), abs=0.01)
    assert frame.transform.rotation.w == 1.0


def test_without_tf2_only_the_frame_is_missing(
    make_replay: Callable[..., Replay],
) -> None:
    try:
        __import__("tf2_msgs")
    except ModuleNotFoundError:
        pass
    else:
        pytest.skip("tf2_msgs is installed here")
    replay = make_replay(gaze_frame="look_here")
    replay.play(1.0, face(1))
    assert replay.heard["gaze_target"]
