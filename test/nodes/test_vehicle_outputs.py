"""The advice in the words of planners. Those that are not installed are skipped."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip("rclpy")

from edan_ros.msg import FaceEmotionArray
from probe import spin, wait_for
from rclpy.node import Node
from rclpy.time import Time
from replay import HEIGHT, WIDTH, face

from edan_ros.behaviors.speed import Advice, Reason
from edan_ros.nodes import qos
from edan_ros.nodes.processes import NodeProcess, ros_arguments
from edan_ros.nodes.vehicle_outputs import AutowareOutput, Nav2Output, Output

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
        self._executor, self._thread = spin(self.me)

    def tell(self, output: Output, *scales: float) -> None:
        for scale in scales:
            output.tell(advice(scale), NOW)
            time.sleep(0.02)

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self.me.destroy_node()
        self.node.destroy_node()


def test_nav2_is_told_percentages_and_that_there_is_no_limit(ros: None) -> None:  # noqa: ARG001
    nav2 = pytest.importorskip("nav2_msgs.msg", reason="nav2_msgs is not installed")
    listener = Listener(limit=(nav2.SpeedLimit, "speed_limit"))
    output = Nav2Output(listener.node)
    wait_for(lambda: listener.node.count_subscribers("speed_limit"), "the planner")
    listener.tell(output, 1.0, 0.9, 0.899, 0.7, 1.0, 1.0)
    wait_for(lambda: len(listener.heard["limit"]) == 3, "three messages")
    assert all(m.percentage for m in listener.heard["limit"])
    assert [m.speed_limit for m in listener.heard["limit"]] == pytest.approx([90.0, 70.0, 0.0])
    listener.tell(output, 0.5)
    output.release(NOW)
    wait_for(lambda: len(listener.heard["limit"]) == 5, "the limit and its end")
    assert listener.heard["limit"][-1].speed_limit == Nav2Output.NO_LIMIT
    listener.close()


def test_autoware_is_told_speeds_and_to_clear_them(ros: None) -> None:  # noqa: ARG001
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
    listener.tell(output, 1.0, 0.8, 0.799, 0.6, 1.0, 1.0)
    wait_for(lambda: listener.heard["clear"], "the clear command")
    limits = listener.heard["limit"]
    assert [m.max_velocity for m in limits] == pytest.approx([8.0, 6.0])
    assert {m.sender for m in limits} == {"edan_ros"}
    (clear,) = listener.heard["clear"]
    assert clear.command
    assert clear.sender == "edan_ros"
    listener.close()


def test_a_node_that_is_ended_withdraws_its_limit_first(ros: None) -> None:  # noqa: ARG001
    """The real process, ended by SIGINT while somebody is afraid."""
    nav2 = pytest.importorskip("nav2_msgs.msg", reason="nav2_msgs is not installed")
    listener = Listener(limit=(nav2.SpeedLimit, "speed_limit"))
    troubles: list[str] = []
    arguments = ros_arguments({"nav2": True, "speed.slow_rate": 1.0})
    process = NodeProcess("vehicle_node", arguments, troubles.append)
    publisher = listener.node.create_publisher(FaceEmotionArray, "faces", qos.RESULTS)
    try:
        for _ in range(400):
            array = FaceEmotionArray(image_width=WIDTH, image_height=HEIGHT)
            array.header.stamp = listener.node.get_clock().now().to_msg()
            array.faces = [face(1, "fear", 0.95)]
            publisher.publish(array)
            if listener.heard["limit"]:
                break
            time.sleep(0.05)
        assert listener.heard["limit"], list(process.tail)
        assert process.stop() == 0
        wait_for(lambda: listener.heard["limit"][-1].speed_limit == 0.0, "the end of the limit")
        assert troubles == []
    finally:
        process.stop()
        listener.close()
