"""The advice as messages of planners; skipped where these are not installed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from edan_ros.msg import FaceEmotionArray
from probe import TIMEOUT, wait_for
from rclpy.node import Node
from rclpy.time import Time
from replay import HEIGHT, WIDTH, face
from spinner import Spinner
from std_msgs.msg import String

from edan_ros.behaviors.speed import Advice, Reason
from edan_ros.nodes.behaviors import planner_outputs
from edan_ros.nodes.behaviors.planner_outputs import AutowareOutput, Nav2Output, PlannerOutput
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.processes import ros_arguments

NOW = Time(seconds=5)


def advice(scale: float) -> Advice:
    return Advice(scale=scale, target=scale, reason=Reason.NONE if scale == 1.0 else Reason.FEAR)


class Listener:
    """Hears what an output publishes."""

    def __init__(self, **topics: Any) -> None:
        self.node = Node("vehicle")
        self.me = Node("planner")
        self.heard: dict[str, list[Any]] = {name: [] for name in topics}
        for name, (kind, topic) in topics.items():
            self.me.create_subscription(kind, topic, self.heard[name].append, qos.RESULTS)
        self._spinner = Spinner(self.me)

    def update(self, output: PlannerOutput, *scales: float) -> None:
        for scale in scales:
            output.update(advice(scale), NOW)
            time.sleep(0.02)

    def close(self) -> None:
        self._spinner.close()
        self.node.destroy_node()


def test_nav2_gets_percentages_and_the_end_of_the_limit(ros: None) -> None:  # noqa: ARG001
    nav2 = pytest.importorskip("nav2_msgs.msg", reason="nav2_msgs is not installed")
    listener = Listener(limit=(nav2.SpeedLimit, "speed_limit"))
    output = Nav2Output(listener.node)
    wait_for(lambda: listener.node.count_subscribers("speed_limit"), "the planner")
    listener.update(output, 1.0, 0.9, 0.899, 0.7, 1.0, 1.0)
    wait_for(lambda: len(listener.heard["limit"]) == 4, "four messages")
    assert all(m.percentage for m in listener.heard["limit"])
    assert [m.speed_limit for m in listener.heard["limit"]] == pytest.approx([0, 90, 70, 0])
    listener.update(output, 0.5)
    output.release(NOW)
    wait_for(lambda: len(listener.heard["limit"]) == 6, "the limit and its end")
    assert listener.heard["limit"][-1].speed_limit == Nav2Output.NO_LIMIT
    listener.close()


def test_autoware_gets_speeds_and_clear_commands(ros: None) -> None:  # noqa: ARG001
    for package in AutowareOutput.PACKAGES:
        try:
            messages = __import__(f"{package}.msg", fromlist=["VelocityLimit"])
            break
        except ModuleNotFoundError:
            continue
    else:
        pytest.skip("Autoware's messages are not installed")
    listener = Listener(
        limit=(messages.VelocityLimit, AutowareOutput.LIMIT_TOPIC),
        clear=(messages.VelocityLimitClearCommand, AutowareOutput.CLEAR_TOPIC),
    )
    output = AutowareOutput(listener.node, cruise_speed=10.0)
    wait_for(lambda: listener.node.count_subscribers(AutowareOutput.CLEAR_TOPIC), "the planner")
    listener.update(output, 1.0, 0.8, 0.799, 0.6, 1.0, 1.0)
    wait_for(lambda: len(listener.heard["clear"]) == 2, "the clear commands, the first at once")
    limits = listener.heard["limit"]
    assert [m.max_velocity for m in limits] == pytest.approx([8.0, 6.0])
    assert {m.sender for m in limits} == {"edan_ros"}
    clear = listener.heard["clear"][-1]
    assert clear.command
    assert clear.sender == "edan_ros"
    listener.close()


class Ear:
    """Stands in for a node and its publisher: planners' messages are not installed everywhere."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def create_publisher(self, *_: Any) -> Ear:
        return self

    def publish(self, message: Any) -> None:
        self.heard.append(message)

    def wait_for_all_acked(self, _timeout: Any) -> None:
        """Nothing is on its way."""


@pytest.mark.parametrize("make", [Nav2Output, lambda node: AutowareOutput(node, 10.0)])
def test_a_limit_of_a_node_that_died_is_withdrawn_at_the_start(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[Any], PlannerOutput]
) -> None:
    messages = SimpleNamespace(
        SpeedLimit=lambda **given: ("limit", given["speed_limit"]),
        VelocityLimit=lambda **given: ("limit", given["max_velocity"]),
        VelocityLimitClearCommand=lambda **_: ("limit", 0.0),
    )
    monkeypatch.setattr(planner_outputs, "find_messages", lambda *_: messages)
    ear = Ear()
    output = make(ear)
    for scale in (1.0, 1.0, 0.5, 1.0, 1.0):
        output.update(advice(scale), NOW)
    output.release(NOW)
    assert [limit > 0.0 for _, limit in ear.heard] == [False, True, False]


#: A vehicle node whose planner takes strings: planners' messages are not installed everywhere.
STANDING_IN = """
from std_msgs.msg import String
from edan_ros.nodes.behaviors import vehicle_node
from edan_ros.nodes.common import qos

class Planner:
    def __init__(self, node):
        self.publisher = node.create_publisher(String, "told", qos.LATCHED)

    def update(self, advice, stamp):
        self.publisher.publish(String(data="a limit" if advice.active else "nothing"))

    def release(self, stamp):
        self.publisher.publish(String(data="its end"))
        self.publisher.wait_for_all_acked()

vehicle_node.Nav2Output = Planner
vehicle_node.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_node_withdraws_its_limit_before_it_ends(
    ros: None,  # noqa: ARG001
    number: signal.Signals,
) -> None:
    """The real process, ended while an occupant shows fear."""
    listener = Listener(told=(String, "told"))
    arguments = ros_arguments({"nav2": True, "speed.slow_rate": 1.0})
    process = subprocess.Popen([sys.executable, "-c", STANDING_IN, *arguments])
    publisher = listener.node.create_publisher(FaceEmotionArray, "faces", qos.RESULTS)

    def told() -> str:
        return listener.heard["told"][-1].data if listener.heard["told"] else ""

    def is_limited() -> bool:
        array = FaceEmotionArray(image_width=WIDTH, image_height=HEIGHT)
        array.header.stamp = listener.node.get_clock().now().to_msg()
        array.faces = [face(1, "fear", 0.95)]
        publisher.publish(array)
        return told() == "a limit"

    try:
        wait_for(is_limited, "a limit", period=0.05)
        process.send_signal(number)
        assert process.wait(TIMEOUT) == 0
        wait_for(lambda: told() == "its end", "the end of the limit")
    finally:
        process.kill()
        process.wait()
        listener.close()
