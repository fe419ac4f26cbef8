"""What is found of ROS on this machine."""

from __future__ import annotations

from rclpy.utilities import get_rmw_implementation_identifier

from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.common.environment import fastdds_variables


def ros_found() -> dict[str, str]:
    """What there is, by name."""
    profile = ", ".join(f"{name}={value}" for name, value in fastdds_variables().items())
    return {
        "ROS 2": f"rclpy and the messages ({FaceEmotionArray.__module__})",
        "middleware": get_rmw_implementation_identifier(),
        "large images": profile or "your own Fast DDS profile is used",
    }
