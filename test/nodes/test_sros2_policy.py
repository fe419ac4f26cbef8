"""The policy for SROS 2 permits what the nodes do, and no more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import cv2
import pytest
from fakes import dark
from probe import Probe, wait_for
from rclpy.node import Node
from rclpy.parameter import Parameter

from edan_ros.nodes.behaviors.humanoid_node import HumanoidNode
from edan_ros.nodes.behaviors.vehicle_node import VehicleNode
from edan_ros.nodes.camera.camera_node import CameraNode
from edan_ros.nodes.emotion.camera_input import IMAGE_TYPES
from edan_ros.nodes.emotion.standard_outputs import STANDARD_OUTPUTS

AUTOWARE_TOPICS = ("max_velocity_candidates", "clear_velocity_limit")
NO_ROBOT_FACE = Parameter("robot_face", value=False)
POLICY = Path(__file__).parents[2] / "config" / "sros2_policy.xml"
#: Topics that the emotion node has with other values of its parameters alone.
OPTIONAL = {
    "subscribe": {f"/image_raw/{name}" for name in IMAGE_TYPES if name != "raw"} | {"/boxes"},
    "publish": {f"/faces/{name}" for name in STANDARD_OUTPUTS} | {"/bond"},
    "reply": set(),
}
#: The same of the vehicle node.
VEHICLE_OPTIONAL = {
    "subscribe": {"/cmd_vel_in"},
    "publish": {
        *("/speed_limit", "/cmd_vel_out"),
        *(f"/planning/scenario_planning/{name}" for name in AUTOWARE_TOPICS),
    },
    "reply": set(),
}
#: The same of the humanoid node.
HUMANOID_OPTIONAL = {
    "subscribe": set[str](),
    "publish": {"/robot_face/expression", "/tf"},
    "reply": set[str](),
}
#: What the executable of another distribution of ROS adds to every node.
NEWER = {"get_type_description"}


def permitted(name: str) -> dict[str, set[str]]:
    """Return what a node is permitted: names of topics and services in full."""
    profile = ElementTree.parse(POLICY).find(f".//profile[@node='{name}']")
    assert profile is not None
    found: dict[str, set[str]] = {"subscribe": set(), "publish": set(), "reply": set()}
    for group in profile:
        ((verb, rule),) = group.attrib.items()
        assert rule == "ALLOW"
        for item in group:
            text = str(item.text).replace("~", f"/{name}")
            found[verb].add(text if text.startswith("/") else f"/{text}")
    return found


def used(observer: Node, name: str) -> dict[str, set[str]]:
    """Return what a node has, as another one sees it."""
    found = {
        "subscribe": observer.get_subscriber_names_and_types_by_node(name, "/"),
        "publish": observer.get_publisher_names_and_types_by_node(name, "/"),
        "reply": observer.get_service_names_and_types_by_node(name, "/"),
    }
    return {
        verb: {each for each, _ in pairs if each.rpartition("/")[2] not in NEWER}
        for verb, pairs in found.items()
    }


def test_the_emotion_node_needs_exactly_what_is_permitted(
    make_probe: Callable[..., Probe],
) -> None:
    probe = make_probe()
    allowed = permitted("emotion_node")
    assert all(allowed[verb] >= names for verb, names in OPTIONAL.items())
    needed = {verb: names - OPTIONAL[verb] for verb, names in allowed.items()}
    wait_for(lambda: used(probe.me, "emotion_node") == needed, f"{needed}")


@pytest.mark.usefixtures("ros")
def test_the_camera_node_needs_exactly_what_is_permitted(tmp_path: Path) -> None:
    file = tmp_path / "dark.png"
    cv2.imwrite(str(file), dark())
    given = {"source": str(file), "compressed": True, "at_end": "stay"}
    node = CameraNode(parameter_overrides=[Parameter(k, value=v) for k, v in given.items()])
    observer = Node("observer")
    try:
        needed = permitted("camera_node")
        wait_for(lambda: used(observer, "camera_node") == needed, f"{needed}")
    finally:
        node.destroy_node()
        observer.destroy_node()


@pytest.mark.usefixtures("ros")
@pytest.mark.parametrize(
    ("make", "optional"),
    [
        (VehicleNode, VEHICLE_OPTIONAL),
        (partial(HumanoidNode, parameter_overrides=[NO_ROBOT_FACE]), HUMANOID_OPTIONAL),
    ],
    ids=["vehicle_node", "humanoid_node"],
)
def test_a_behaviour_node_needs_exactly_what_is_permitted(
    make: Callable[[], Node], optional: dict[str, set[str]]
) -> None:
    node, observer = make(), Node("observer")
    name = node.get_name()
    try:
        allowed = permitted(name)
        assert all(allowed[verb] >= names for verb, names in optional.items())
        needed = {verb: names - optional[verb] for verb, names in allowed.items()}
        wait_for(lambda: used(observer, name) == needed, f"{needed}")
    finally:
        node.destroy_node()
        observer.destroy_node()


def test_each_node_has_an_enclave_of_its_own() -> None:
    root = ElementTree.parse(POLICY).getroot()
    assert (root.tag, root.attrib) == ("policy", {"version": "0.2.0"})
    enclaves = {e.attrib["path"]: e.findall("profiles/profile") for e in root.iter("enclave")}
    assert set(enclaves) == {"/emotion_node", "/camera_node", "/vehicle_node", "/humanoid_node"}
    for path, profiles in enclaves.items():
        assert [p.attrib for p in profiles] == [{"ns": "/", "node": path.removeprefix("/")}]
