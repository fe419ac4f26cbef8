"""The parameter files in config/, rendered from the nodes' tables.

python -m edan_ros.nodes.tools.parameter_files config/
"""

from __future__ import annotations

import sys
from pathlib import Path

from edan_ros.nodes.behaviors import (
    announcer_node,
    humanoid_node,
    people_context_node,
    ros4hri_node,
    vehicle_node,
)
from edan_ros.nodes.common.parameters import render_file
from edan_ros.nodes.emotion import parameters as emotion_parameters

_LIVE = "[live]: may change while the node runs."
_NEVER = "[never]: read once, at the start."


def _introduction(
    title: str, *commands: str, legend: str = f"{_LIVE} {_NEVER}", more: str = ""
) -> str:
    head = f"Parameters of the {title} with their defaults{more}. Copy what you want to change:"
    return "\n".join([head, "", *(f"    {command}" for command in commands), "", legend])


def render_all() -> dict[str, str]:
    """Return the text of each parameter file by its name."""
    launch = "ros2 launch edan_ros {}.launch.py behavior_params:=my_copy.yaml"
    run = "ros2 run edan_ros {} --ros-args --params-file my_copy.yaml"
    emotion = _introduction(
        "emotion node",
        "ros2 launch edan_ros emotion.launch.py params_file:=my_copy.yaml",
        run.format("emotion_node"),
        legend=f"{_LIVE} For example: ros2 param set /emotion_node smoothing_time 0.8\n"
        "[configure]: read on configure; may change while the node is unconfigured.\n" + _NEVER,
    )
    vehicle = _introduction("vehicle node", launch.format("vehicle"))
    humanoid = _introduction(
        "humanoid node",
        launch.format("humanoid"),
        more=" (its reactions are in reactions.yaml)",
    )
    announcer = _introduction("announcer node", launch.format("assistive"))
    ros4hri = _introduction("ROS4HRI node", run.format("ros4hri_node"))
    context = _introduction("people context node", run.format("people_context_node"))
    return {
        "emotion.yaml": render_file("emotion_node", emotion, emotion_parameters.GROUPS),
        "vehicle.yaml": render_file("vehicle_node", vehicle, vehicle_node.GROUPS),
        "humanoid.yaml": render_file("humanoid_node", humanoid, humanoid_node.GROUPS),
        "announcer.yaml": render_file("announcer_node", announcer, announcer_node.GROUPS),
        "people_context.yaml": render_file(
            "people_context_node", context, people_context_node.GROUPS
        ),
        "ros4hri.yaml": render_file("ros4hri_node", ros4hri, ros4hri_node.GROUPS),
    }


def main() -> None:
    """Write the files into the folder that the command line names."""
    for name, text in render_all().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
