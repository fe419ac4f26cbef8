"""The people context node over DDS: its topic and its service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

from probe import wait_for
from replay import Replay, face
from std_msgs.msg import String
from std_srvs.srv import Trigger

from edan_ros.nodes.behaviors.people_context_node import PeopleContextNode
from edan_ros.nodes.common import qos


@pytest.fixture
def replay(ros: None) -> Iterator[Replay]:  # noqa: ARG001
    made = Replay(PeopleContextNode, {"people_context": String})
    yield made
    made.close()


def test_topic_and_service_agree(replay: Replay) -> None:
    replay.play(3.0, face(1, "happy", x=0.5))
    contexts = [json.loads(message.data) for message in replay.heard["people_context"]]
    labels = [c["people"][0]["expression"]["label"] for c in contexts if c["people"]]
    assert labels[0] == "unknown"
    assert labels[-1] == "happy"
    assert len(contexts) < 15, "published on change, not at every step"

    client = replay.me.create_client(Trigger, "people_context_node/people_context")
    assert client.wait_for_service(60.0)
    future = client.call_async(Trigger.Request())
    wait_for(future.done, "an answer")
    answer = future.result()
    assert answer.success
    (person,) = json.loads(answer.message)["people"]
    assert (person["id"], person["expression"]["label"]) == (1, "happy")
    assert person["head_towards"] == "robot"
    assert replay.report().message == "1 person in the context"


def test_a_late_subscriber_gets_the_newest_context(replay: Replay) -> None:
    replay.play(1.0)
    kept: list[Any] = []
    replay.me.create_subscription(String, "people_context", kept.append, qos.LATCHED)
    wait_for(lambda: kept, "the latched context")
    assert json.loads(kept[0].data)["people"] == []
