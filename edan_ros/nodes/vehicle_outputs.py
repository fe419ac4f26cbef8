"""The advice on speed in the words of planners: Nav2 and Autoware, each where it is installed."""

from __future__ import annotations

from typing import Protocol

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from edan_ros.behaviors.speed import Advice
from edan_ros.nodes import qos
from edan_ros.nodes.optional import find_messages

#: Change of the scale below which planners are not told anew.
SMALLEST_CHANGE = 0.005
#: How long the end of a limit is given to arrive.
ARRIVAL = Duration(seconds=0.5)


def _is_news(scale: float, told: float | None) -> bool:
    return told is None or abs(scale - told) >= SMALLEST_CHANGE


class Output(Protocol):
    """Somebody who is told the advice."""

    def tell(self, advice: Advice, stamp: Time) -> None:
        """Tells the advice where it has changed."""

    def release(self, stamp: Time) -> None:
        """Withdraws whatever was told."""


class Nav2Output:
    """`nav2_msgs/SpeedLimit` in percent on `speed_limit`, which Nav2's controller server takes.

    Nav2 keeps a limit until told otherwise, and takes 0 for 'no limit': that is told on release,
    and at first, for a node that died before may have left a limit.
    """

    NO_LIMIT = 0.0

    def __init__(self, node: Node) -> None:
        self._kind = find_messages("nav2_msgs").SpeedLimit
        self._publisher = node.create_publisher(self._kind, "speed_limit", qos.LATCHED)
        self._told: float | None = None

    def tell(self, advice: Advice, stamp: Time) -> None:
        """Publishes the scale in percent when it has changed."""
        if not advice.active:
            self.release(stamp)
        elif _is_news(advice.scale, self._told):
            self._publish(100.0 * advice.scale, stamp)
            self._told = advice.scale

    def release(self, stamp: Time) -> None:
        """Publishes that there is no limit; sees that it arrives."""
        if self._told != 1.0:
            self._publish(self.NO_LIMIT, stamp)
            self._publisher.wait_for_all_acked(ARRIVAL)
            self._told = 1.0

    def _publish(self, limit: float, stamp: Time) -> None:
        header = Header(stamp=stamp.to_msg())
        self._publisher.publish(self._kind(header=header, percentage=True, speed_limit=limit))


class AutowareOutput:
    """Autoware's external velocity limit: a candidate while there is advice, a clear command after
    it, and at first, for a node that died before may have left a limit.

    cruise_speed: metres a second that a scale of 1 stands for.
    """

    SENDER = "edan_ros"
    #: The newer messages first; both have the same fields.
    PACKAGES = ("autoware_internal_planning_msgs", "tier4_planning_msgs")
    LIMIT_TOPIC = "/planning/scenario_planning/max_velocity_candidates"
    CLEAR_TOPIC = "/planning/scenario_planning/clear_velocity_limit"

    def __init__(self, node: Node, cruise_speed: float) -> None:
        self.cruise_speed = cruise_speed
        messages = find_messages(*self.PACKAGES)
        self._limit = messages.VelocityLimit
        self._clear = messages.VelocityLimitClearCommand
        self._limits = node.create_publisher(self._limit, self.LIMIT_TOPIC, qos.LATCHED)
        self._clears = node.create_publisher(self._clear, self.CLEAR_TOPIC, qos.LATCHED)
        self._told: float | None = None

    def tell(self, advice: Advice, stamp: Time) -> None:
        """Publishes the scaled cruise speed when it has changed."""
        if not advice.active:
            self.release(stamp)
        elif _is_news(advice.scale, self._told):
            speed = advice.scale * self.cruise_speed
            limit = self._limit(stamp=stamp.to_msg(), max_velocity=speed, sender=self.SENDER)
            self._limits.publish(limit)
            self._told = advice.scale

    def release(self, stamp: Time) -> None:
        """Clears this sender's limit; sees that it arrives."""
        if self._told != 1.0:
            self._clears.publish(
                self._clear(stamp=stamp.to_msg(), command=True, sender=self.SENDER)
            )
            self._clears.wait_for_all_acked(ARRIVAL)
            self._told = 1.0
