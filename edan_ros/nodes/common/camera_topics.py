"""Where the images of a camera and its calibration are, by image_transport's convention."""

from __future__ import annotations

from rclpy.node import Node

from edan_ros.sources.bag import info_topic


def camera_topics(node: Node, prefix: str = "", *, compressed: bool = False) -> tuple[str, str]:
    """The topics of the images and of camera_info, both as remapped.

    The compressed images are under the raw ones, and camera_info is beside them: whoever remaps
    image_raw moves all three.
    """
    topic = node.resolve_topic_name(f"{prefix}image_raw")
    if compressed:
        topic = _remapped(node, f"{prefix}image_raw/compressed") or f"{topic}/compressed"
    return topic, _remapped(node, f"{prefix}camera_info") or info_topic(topic)


def _remapped(node: Node, name: str) -> str | None:
    """Where a topic has been remapped to; None where it has not."""
    resolved = node.resolve_topic_name(name)
    return None if resolved == node.resolve_topic_name(name, only_expand=True) else resolved
