"""The advice on speed as messages of planners: Nav2 and Autoware, each where it is installed."""

from __future__ import annotations

import abc

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.time import Time
from std_msgs.msg import Header

from edan_ros.behaviors.speed import Advice
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.topics import find_messages

#: Change of the scale below which no new limit is published.
SMALLEST_CHANGE = 0.005
#: Longest time to wait until the end of a limit has been acknowledged.
ACKNOWLEDGEMENT_TIMEOUT = Duration(seconds=0.5)


class PlannerOutput(abc.ABC):
    """A planner that receives the advice: a limit while there is one, and then its end.

    The end is published at the start, too: a node that died before may have left a limit.
    """

    def __init__(self) -> None:
        self._published: float | None = None  # the scale; None before the first message

    def update(self, advice: Advice, stamp: Time) -> None:
        """Publish the advice if it has changed."""
        if not advice.active:
            self.release(stamp)
        elif self._published is None or abs(advice.scale - self._published) >= SMALLEST_CHANGE:
            self._limit(advice.scale, stamp)
            self._published = advice.scale

    def release(self, stamp: Time) -> None:
        """End the limit, and wait until the message has arrived."""
        if self._published != 1.0:
            self._end(stamp).wait_for_all_acked(ACKNOWLEDGEMENT_TIMEOUT)
            self._published = 1.0

    @abc.abstractmethod
    def _limit(self, scale: float, stamp: Time) -> None:
        """Publish a limit."""

    @abc.abstractmethod
    def _end(self, stamp: Time) -> Publisher:
        """Publish that there is no limit, and return the publisher."""


class Nav2Output(PlannerOutput):
    """`nav2_msgs/SpeedLimit` in percent on `speed_limit`, for Nav2's controller server.

    Nav2 keeps a limit until the next message; 0 means 'no limit'.
    """

    NO_LIMIT = 0.0

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._kind = find_messages("nav2_msgs").SpeedLimit
        self._publisher = node.create_publisher(self._kind, "speed_limit", qos.LATCHED)

    def _limit(self, scale: float, stamp: Time) -> None:
        header = Header(stamp=stamp.to_msg())
        limit = 100.0 * scale
        self._publisher.publish(self._kind(header=header, percentage=True, speed_limit=limit))

    def _end(self, stamp: Time) -> Publisher:
        self._limit(self.NO_LIMIT, stamp)
        return self._publisher


class AutowareOutput(PlannerOutput):
    """Autoware's external velocity limit: a candidate while there is advice, a clear command after.

    cruise_speed: metres per second that a scale of 1 stands for.
    """

    SENDER = "edan_ros"
    #: The newer package first; the messages of both have the same fields.
    PACKAGES = ("autoware_internal_planning_msgs", "tier4_planning_msgs")
    LIMIT_TOPIC = "/planning/scenario_planning/max_velocity_candidates"
    CLEAR_TOPIC = "/planning/scenario_planning/clear_velocity_limit"

    def __init__(self, node: Node, cruise_speed: float) -> None:
        super().__init__()
        self.cruise_speed = cruise_speed
        self._messages = find_messages(*self.PACKAGES)
        limit, clear = self._messages.VelocityLimit, self._messages.VelocityLimitClearCommand
        self._limits = node.create_publisher(limit, self.LIMIT_TOPIC, qos.LATCHED)
        self._clears = node.create_publisher(clear, self.CLEAR_TOPIC, qos.LATCHED)

    def _limit(self, scale: float, stamp: Time) -> None:
        speed = scale * self.cruise_speed
        self._limits.publish(
            self._messages.VelocityLimit(
                stamp=stamp.to_msg(), max_velocity=speed, sender=self.SENDER
            )
        )

    def _end(self, stamp: Time) -> Publisher:
        self._clears.publish(
            self._messages.VelocityLimitClearCommand(
                stamp=stamp.to_msg(), command=True, sender=self.SENDER
            )
        )
        return self._clears
