"""Start camera, emotion node and vehicle_node: cabin, driver, and advice on speed.

    ros2 launch edan_ros vehicle.launch.py source:=0
    ros2 launch edan_ros vehicle.launch.py image_topic:=/eye/image_raw behavior_params:=my.yaml

It accepts the arguments of emotion.launch.py, `behavior_params` and `faces_topic`.
"""

from __future__ import annotations

from edan_ros.nodes.common.launching import behavior_launch
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return behavior_launch("vehicle_node", "vehicle.yaml")
