"""Arguments of the launch files, and the launch description of the behaviours."""

from __future__ import annotations

from collections.abc import Mapping
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

#: Choices of a switch; where it is empty, the parameter file decides.
SWITCH = ("", "true", "false")
_LEVELS = ("debug", "info", "warn", "error", "fatal")
#: Default, choices (empty for any text) and description of an argument.
Argument = tuple[str, tuple[str, ...], str]
#: Arguments of all launch files.
SHARED: dict[str, Argument] = {
    "namespace": ("", (), "Namespace of the nodes and their topics"),
    "use_sim_time": ("", SWITCH, "Whether the nodes use the time on /clock"),
    "log_level": ("info", _LEVELS, "Lowest severity of the log messages"),
}


def declare(arguments: Mapping[str, Argument]) -> list[DeclareLaunchArgument]:
    """Return the actions that declare these arguments."""
    return [
        DeclareLaunchArgument(
            name, default_value=default, choices=list(choices) or None, description=description
        )
        for name, (default, choices, description) in arguments.items()
    ]


def behavior_launch(executable: str, parameters: str) -> LaunchDescription:
    """Return a launch description that includes emotion.launch.py and adds one behaviour node.

    Args:
        executable: of the behaviour node.
        parameters: name of its default parameter file in config/.
    """
    share = share_directory()
    arguments: dict[str, Argument] = {
        "behavior_params": (
            str(share / "config" / parameters),
            (),
            f"Parameter file of {executable}; the default lists every parameter",
        ),
        "faces_topic": (
            "faces",
            (),
            "Topic of the faces; with several cameras that of one, such as cabin/faces",
        ),
    }
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
            *declare(arguments | SHARED),
            OpaqueFunction(function=check),  # before the first node starts
            # In a group, so that the namespace that it pushes does not reach the node beside it.
            GroupAction([IncludeLaunchDescription(emotion)]),
            GroupAction([namespace, OpaqueFunction(function=node)]),
        ]
    )
