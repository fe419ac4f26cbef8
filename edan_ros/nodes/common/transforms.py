"""Publishes TF frames, with the messages alone: tf2_ros need not be there."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from edan_ros.nodes.common.optional import find_messages

#: That of tf2_ros' broadcasters.
_PROFILE = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE
)


class Transforms:
    """Frames on /tf. Raises MissingMessagesError where tf2_msgs is not installed."""

    def __init__(self, node: Node) -> None:
        self._kind = find_messages("tf2_msgs").TFMessage
        self._publisher = node.create_publisher(self._kind, "/tf", _PROFILE)

    def send(self, frames: Iterable[TransformStamped]) -> None:
        """Publishes some frames at once."""
        self._publisher.publish(self._kind(transforms=list(frames)))
