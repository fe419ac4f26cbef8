"""Start camera, emotion node and announcer_node: spoken sentences for a blind person.

    ros2 launch edan_ros assistive.launch.py source:=0
    ros2 launch edan_ros assistive.launch.py image_topic:=/eye/image_raw behavior_params:=my.yaml

It accepts the arguments of emotion.launch.py, `behavior_params` and `faces_topic`.
"""

from __future__ import annotations

from edan_ros.nodes.common.launching import behavior_launch
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return behavior_launch("announcer_node", "announcer.yaml")
