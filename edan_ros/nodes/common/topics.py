"""Topics by convention: those of a camera, of TF, and of packages that may not be installed."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from edan_ros.sources.bag import info_topic

#: The profile of tf2_ros' broadcasters.
_TF_PROFILE = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE
)


def camera_topics(node: Node, prefix: str = "", *, transport: str = "raw") -> tuple[str, str]:
    """Return the topics of a camera's images and of its camera_info, both as remapped.

    By the convention of image_transport other forms of the images are below the raw ones, and
    camera_info is beside them, so that a remapping of image_raw moves all of them.

    Args:
        node: the node whose remappings apply.
        prefix: of the camera's topics, "front/" for example; "" for none.
        transport: "raw", or the name below image_raw, "compressed" for example.
    """
    topic = node.resolve_topic_name(f"{prefix}image_raw")
    if transport != "raw":
        topic = _remapped(node, f"{prefix}image_raw/{transport}") or f"{topic}/{transport}"
    return topic, _remapped(node, f"{prefix}camera_info") or info_topic(topic)


def _remapped(node: Node, name: str) -> str | None:
    """Return what a topic has been remapped to; None where it has not."""
    resolved: str = node.resolve_topic_name(name)
    return None if resolved == node.resolve_topic_name(name, only_expand=True) else resolved


class MissingMessagesError(RuntimeError):
    """Requested messages are not installed; the error's message names the package."""


def find_messages(*packages: str) -> ModuleType:
    """Return the `msg` module of the first of these packages that is installed.

    Raises:
        MissingMessagesError: none is installed.
    """
    for package in packages:
        try:
            return importlib.import_module(f"{package}.msg")
        except ModuleNotFoundError:
            continue
    raise MissingMessagesError(f"{' or '.join(packages)} is not installed")


def find_message_type(kind: str) -> type:
    """Return the class of a message by its full name, "sensor_msgs/msg/Image" for example.

    Raises:
        MissingMessagesError: its package is not installed.
    """
    package, _, name = kind.split("/")
    found: type = getattr(find_messages(package), name)
    return found


class TransformPublisher:
    """Publishes frames on /tf, without tf2_ros.

    Args:
        node: publishes the frames.
        messages: the module tf2_msgs.msg.
    """

    def __init__(self, node: Node, messages: ModuleType) -> None:
        self._type = messages.TFMessage
        self._publisher = node.create_publisher(self._type, "/tf", _TF_PROFILE)

    @classmethod
    def create(cls, node: Node, lost: str) -> TransformPublisher | None:
        """Return a publisher; None, with ``lost`` in the log, where tf2_msgs is not installed."""
        try:
            return cls(node, find_messages("tf2_msgs"))
        except MissingMessagesError as error:
            node.get_logger().error(f"{error}: {lost} is not published")
            return None

    def publish(self, frames: Iterable[TransformStamped]) -> None:
        """Publish several frames in one message."""
        self._publisher.publish(self._type(transforms=list(frames)))
