"""The launch file against the real `launch` and `launch_ros`, which a ROS installation has."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("launch_ros", reason="ROS 2 from wheels has no launch; apt's has")

import rclpy
import rclpy.node
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import LifecycleNode, Node
from launched import TIMEOUT, call, launched
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters

import launch
from edan_ros.engines import ENGINES
from edan_ros.nodes.common.environment import FASTDDS_VARIABLES

FILE = Path(__file__).parents[2] / "launch" / "emotion.launch.py"


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user who has set none."""
    for name in FASTDDS_VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def module() -> ModuleType:
    """The launch file as a module."""
    spec = importlib.util.spec_from_file_location("emotion_launch", FILE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def arguments(module: ModuleType) -> dict[str, DeclareLaunchArgument]:
    entities = module.generate_launch_description().entities
    return {e.name: e for e in entities if isinstance(e, DeclareLaunchArgument)}


def test_every_argument_has_a_description(module: ModuleType) -> None:
    found = arguments(module)
    wanted = {"source", "image_topic", "compressed", "engine", "model", "params_file"}
    wanted |= {"image_transport"}
    assert wanted | {"namespace", "log_level"} <= set(found)
    for name, argument in found.items():
        assert len(argument.description) > 20, name
        assert argument.default_value is not None, name
    assert set(found["engine"].choices) == {"", *ENGINES}
    assert found["compressed"].choices == ["", "true", "false"]


def started(module: ModuleType, **given: str) -> list[Node]:
    """The nodes that would be started with these arguments."""
    context = launch.LaunchContext()
    entities = module.generate_launch_description().entities
    context.launch_configurations.update(given)
    for entity in entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.visit(context)
    (function,) = [e for e in entities if isinstance(e, OpaqueFunction)]
    return function.visit(context)


def test_a_camera_node_only_for_a_source(module: ModuleType) -> None:
    (emotion,) = started(module)
    assert isinstance(emotion, LifecycleNode)
    both = started(module, source="0")
    assert [node.node_executable for node in both] == ["emotion_node", "camera_node"]


def test_a_value_that_is_not_a_choice_is_refused(module: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="abacus"):
        started(module, engine="abacus")


def test_a_parameter_file_that_is_missing_is_refused(module: ModuleType) -> None:
    with pytest.raises(FileNotFoundError, match=r"params_file:=/no/such\.yaml"):
        started(module, params_file="/no/such.yaml")


def test_the_profile_for_large_images_is_set_unless_the_user_has_one(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def profiles() -> list[str]:
        context = launch.LaunchContext()
        for entity in module.generate_launch_description().entities:
            if isinstance(entity, launch.actions.SetEnvironmentVariable):
                entity.visit(context)
        values = (context.environment.get(name, "") for name in FASTDDS_VARIABLES.values())
        return [value for value in values if value]

    before = dict(os.environ)
    assert profiles()
    assert all(Path(value).is_file() for value in profiles())
    os.environ.clear()
    os.environ.update(before)
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/my/profile.xml")
    assert profiles() == ["/my/profile.xml"]


@pytest.mark.usefixtures("ros_domain")
def test_ros2_launch_ends_with_an_error_where_a_parameter_file_is_missing() -> None:
    with launched(FILE, "params_file:=/no/such.yaml") as process:
        assert process.wait(TIMEOUT) == 1
    assert "params_file:=/no/such.yaml: there is no such file" in process.output


@pytest.mark.usefixtures("ros_domain")
def test_ros2_launch_starts_and_ends_the_node(tmp_path: Path) -> None:
    """In a namespace, with another topic, and with an argument over a parameter file."""
    file = tmp_path / "my.yaml"
    file.write_text(
        "/**/emotion_node:\n  ros__parameters:\n"
        "    {smoothing_time: 0.8, image_transport: raw, silence_timeout: 9.0}\n",
        encoding="utf-8",
    )
    options = ["namespace:=robot", "image_topic:=eye/image", "compressed:=true", "log_level:=warn"]
    rclpy.init()
    node = rclpy.create_node("me")
    try:
        with launched(FILE, *options, f"params_file:={file}") as process:
            end, label = time.monotonic() + TIMEOUT, ""
            while label != "active":
                assert time.monotonic() < end, label
                time.sleep(0.1)
                answer = call(node, GetState, "/robot/emotion_node/get_state", GetState.Request())
                label = answer.current_state.label
            assert node.count_subscribers("/robot/eye/image/compressed") == 1
            assert node.count_subscribers("/robot/eye/camera_info") == 1
            names = ["smoothing_time", "image_transport", "silence_timeout", "max_faces"]
            request = GetParameters.Request(names=names)
            service = "/robot/emotion_node/get_parameters"
            values = call(node, GetParameters, service, request).values
            assert [values[0].double_value, values[1].string_value] == [0.8, "compressed"]
            assert [values[2].double_value, values[3].integer_value] == [9.0, 16]
    finally:
        node.destroy_node()
        rclpy.shutdown()
    assert "process has finished cleanly" in process.output
    assert process.process.returncode == 0
