"""Heartbeat of the package `bond`, by which Nav2's lifecycle manager supervises a node."""

from __future__ import annotations

import uuid

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer

from edan_ros.nodes.common import qos
from edan_ros.nodes.common.topics import find_messages


class Bond:
    """One end of a bond, whose id is the name of the node; the manager has the other.

    The manager expects a heartbeat once the node is active, and acts when none comes for its
    ``bond_timeout``. The heartbeat comes from the node's executor, on steady time, so that a node
    whose executor hangs counts as dead. The node does not watch the manager.

    Args:
        node: the node.
        period: seconds between two heartbeats.

    Raises:
        MissingMessagesError: the package `bond` is not installed.
    """

    def __init__(self, node: Node, period: float) -> None:
        messages = find_messages("bond")
        self._message = messages.Status
        self._timeout = float(messages.Constants.DEFAULT_HEARTBEAT_TIMEOUT)
        self._node = node
        self._period = period
        self._instance = ""
        self._timer: Timer | None = None
        self._publisher = node.create_publisher(messages.Status, "bond", qos.RESULTS)

    def start(self) -> None:
        """Start the heartbeat of a new instance."""
        self._instance = str(uuid.uuid4())
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(self._period, self._publish, clock=steady)
        self._publish()

    def stop(self) -> None:
        """Stop the heartbeat, and let the manager know that this is on purpose."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
            if self._node.context.ok():
                self._publish(active=False)

    def _publish(self, *, active: bool = True) -> None:
        message = self._message(id=self._node.get_name(), instance_id=self._instance, active=active)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.heartbeat_timeout = self._timeout
        message.heartbeat_period = self._period
        self._publisher.publish(message)
