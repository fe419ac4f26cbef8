"""Camera, emotion node and vehicle_node together:
who is in the cabin, how the driver is, and advice on speed.

    ros2 launch edan_ros vehicle.launch.py source:=0
    ros2 launch edan_ros vehicle.launch.py image_topic:=/eye/image_raw behavior_params:=my.yaml

It takes the arguments of emotion.launch.py, and `behavior_params`.
"""

from __future__ import annotations

from edan_ros.nodes.behaviors.behavior_launch import describe
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return describe("vehicle_node", "vehicle.yaml")
