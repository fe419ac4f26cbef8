"""The advice on speed in the words of planners: Nav2 and Autoware, each where it is installed."""

from __future__ import annotations

import abc

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.time import Time
from std_msgs.msg import Header

from edan_ros.behaviors.speed import Advice
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.optional import find_messages

#: Change of the scale below which planners are not told anew.
SMALLEST_CHANGE = 0.005
#: How long the end of a limit is given to arrive.
ARRIVAL = Duration(seconds=0.5)


class Output(abc.ABC):
    """Somebody who is told the advice: a limit while there is any, and its end after.

    The end is told at first, too: a node that died before may have left a limit.
    """

    def __init__(self) -> None:
        self._told: float | None = None  # the scale; None before anything was told

    def tell(self, advice: Advice, stamp: Time) -> None:
        """Tells the advice where it has changed."""
        if not advice.active:
            self.release(stamp)
        elif self._told is None or abs(advice.scale - self._told) >= SMALLEST_CHANGE:
            self._limit(advice.scale, stamp)
            self._told = advice.scale

    def release(self, stamp: Time) -> None:
        """Withdraws whatever was told, and sees that it arrives."""
        if self._told != 1.0:
            self._end(stamp).wait_for_all_acked(ARRIVAL)
            self._told = 1.0

    @abc.abstractmethod
    def _limit(self, scale: float, stamp: Time) -> None:
        """Publishes a limit."""

    @abc.abstractmethod
    def _end(self, stamp: Time) -> Publisher:
        """Publishes that there is no limit; gives the publisher that did."""


class Nav2Output(Output):
    """`nav2_msgs/SpeedLimit` in percent on `speed_limit`, which Nav2's controller server takes.

    Nav2 keeps a limit until told otherwise, and takes 0 for 'no limit'.
    """

    NO_LIMIT = 0.0

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._kind = find_messages("nav2_msgs").SpeedLimit
        self._publisher = node.create_publisher(self._kind, "speed_limit", qos.LATCHED)

    def _limit(self, scale: float, stamp: Time) -> None:
        self._publish(100.0 * scale, stamp)

    def _end(self, stamp: Time) -> Publisher:
        self._publish(self.NO_LIMIT, stamp)
        return self._publisher

    def _publish(self, limit: float, stamp: Time) -> None:
        header = Header(stamp=stamp.to_msg())
        self._publisher.publish(self._kind(header=header, percentage=True, speed_limit=limit))


class AutowareOutput(Output):
    """Autoware's external velocity limit: a candidate while there is advice, a clear command after.

    cruise_speed: metres a second that a scale of 1 stands for.
    """

    SENDER = "edan_ros"
    #: The newer messages first; both have the same fields.
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
