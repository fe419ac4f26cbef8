"""Start camera, emotion node and humanoid_node: attention, gaze and reactions of a robot.

    ros2 launch edan_ros humanoid.launch.py source:=0
    ros2 launch edan_ros humanoid.launch.py image_topic:=/eye/image_raw behavior_params:=my.yaml

It accepts the arguments of emotion.launch.py, `behavior_params` and `faces_topic`.
"""

from __future__ import annotations

from edan_ros.nodes.common.launching import behavior_launch
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return behavior_launch("humanoid_node", "humanoid.yaml")
