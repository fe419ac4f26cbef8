"""The launch files of the behaviours against the real `launch`, which a ROS installation has."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="ROS 2 from wheels has no launch; apt's has")

import rclpy
from launched import TIMEOUT, call, launched
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters

FOLDER = Path(__file__).parents[2] / "launch"
BEHAVIORS = {
    "vehicle": ("vehicle_node", "speed.minimum", "speed_advisory"),
    "humanoid": ("humanoid_node", "attention.near", "attended_track"),
    "assistive": ("announcer_node", "announcer.near", "announcement"),
}


@pytest.mark.parametrize("name", BEHAVIORS)
def test_emotion_node_and_behaviour_start_and_end_together(
    name: str,
    ros_domain: int,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    """In a namespace, with a parameter file of one's own, which also says what time it is."""
    executable, parameter, topic = BEHAVIORS[name]
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"/**/{executable}:\n  ros__parameters:\n    {parameter}: 0.65\n    use_sim_time: true\n"
    )
    options = ["namespace:=robot", f"behavior_params:={file}", "log_level:=warn"]
    rclpy.init()
    node = rclpy.create_node("me")
    try:
        with launched(FOLDER / f"{name}.launch.py", *options) as process:
            request = GetParameters.Request(names=[parameter, "use_sim_time"])
            service = f"/robot/{executable}/get_parameters"
            values = call(node, GetParameters, service, request).values
            assert values[0].double_value == 0.65
            assert values[1].bool_value is True
            call(node, GetState, "/robot/emotion_node/get_state", GetState.Request())
            faces = "/robot/faces"
            end = time.monotonic() + TIMEOUT
            while not (node.count_publishers(faces) and node.count_subscribers(faces)):
                assert time.monotonic() < end
                time.sleep(0.1)
            assert node.count_publishers(f"/robot/{topic}") == 1
            assert node.count_publishers("/faces") == 0
    finally:
        node.destroy_node()
        rclpy.shutdown()
    assert process.output.count("process has finished cleanly") == 2, process.output


@pytest.mark.usefixtures("ros_domain")
def test_a_parameter_file_of_a_behaviour_that_is_missing_is_an_error() -> None:
    with launched(FOLDER / "vehicle.launch.py", "behavior_params:=/no/such.yaml") as process:
        assert process.wait(TIMEOUT) == 1
    assert "behavior_params:=/no/such.yaml: there is no such file" in process.output
