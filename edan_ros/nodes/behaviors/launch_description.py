"""Launch description of the behaviours: emotion node, camera and one behaviour node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace

from edan_ros.nodes.common.environment import require_file, share_directory
from launch import LaunchContext, LaunchDescription


def describe(executable: str, parameters: str) -> LaunchDescription:
    """Return a launch description that includes emotion.launch.py and adds one behaviour node.

    Args:
        executable: of the behaviour node.
        parameters: name of its default parameter file in config/.
    """
    share = share_directory()
    emotion = PythonLaunchDescriptionSource(str(share / "launch" / "emotion.launch.py"))

    def node(context: LaunchContext) -> list[Node]:
        given = LaunchConfiguration("use_sim_time").perform(context)
        values: list[Any] = [LaunchConfiguration("behavior_params")]
        if given:  # if empty, the parameter file decides
            values.append({"use_sim_time": given == "true"})
        return [
            Node(
                package="edan_ros",
                executable=executable,
                name=executable,
                output="screen",
                parameters=values,
                ros_arguments=["--log-level", LaunchConfiguration("log_level")],
                remappings=[("faces", LaunchConfiguration("faces_topic"))],
            )
        ]

    def check(context: LaunchContext) -> None:
        require_file("behavior_params", LaunchConfiguration("behavior_params").perform(context))

    namespace = PushRosNamespace(LaunchConfiguration("namespace"))
    return LaunchDescription(
        [
            *_arguments(executable, share / "config" / parameters),
            OpaqueFunction(function=check),  # before the first node starts
            # In a group, so that the namespace that it pushes does not reach the node beside it.
            GroupAction([IncludeLaunchDescription(emotion)]),
            GroupAction([namespace, OpaqueFunction(function=node)]),
        ]
    )


def _arguments(executable: str, parameters: Path) -> list[DeclareLaunchArgument]:
    """Return the arguments of the behaviour, and those shared with emotion.launch.py."""
    return [
        DeclareLaunchArgument(
            "behavior_params",
            default_value=str(parameters),
            description=f"Parameter file of {executable}; the default lists every parameter",
        ),
        DeclareLaunchArgument(
            "faces_topic",
            default_value="faces",
            description="Topic of the faces; with several cameras that of one, such as cabin/faces",
        ),
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of the nodes and their topics"
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="",
            choices=["", "true", "false"],
            description="Whether the nodes use the time on /clock",
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error", "fatal"],
            description="Lowest severity of the log messages",
        ),
    ]
