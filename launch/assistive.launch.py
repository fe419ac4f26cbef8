"""Camera, emotion node and announcer_node together:
sentences for a person who cannot see.

    ros2 launch edan_ros assistive.launch.py source:=0
    ros2 launch edan_ros assistive.launch.py image_topic:=/eye/image_raw behavior_params:=my.yaml

It takes the arguments of emotion.launch.py, and `behavior_params`.
"""

from __future__ import annotations

from edan_ros.nodes.behaviors.behavior_launch import describe
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` runs."""
    return describe("announcer_node", "announcer.yaml")
