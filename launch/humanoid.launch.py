"""Camera, emotion node and humanoid_node together:
whom a robot attends to, where it looks and how it reacts.

    ros2 launch edan_ros humanoid.launch.py source:=0
    ros2 launch edan_ros humanoid.launch.py image_topic:=/eye/image_raw behavior_params:=my.yaml

It takes the arguments of emotion.launch.py, and `behavior_params`.
"""

from __future__ import annotations

from edan_ros.nodes.behaviors.behavior_launch import describe
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return describe("humanoid_node", "humanoid.yaml")
