"""The layouts for Foxglove and RViz name the topics and fields that the real node has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from edan_ros.msg import FaceEmotion, FaceEmotionArray
from probe import Probe, wait_for

from edan_ros.core.emotions import EMOTIONS
from edan_ros.drawing.colours import EMOTION_COLOURS
from edan_ros.nodes.camera.camera_node import DEFAULT_FRAME_ID
from edan_ros.nodes.common.environment import share_directory
from edan_ros.nodes.emotion.standard_outputs import STANDARD_OUTPUTS

CONFIG = Path(__file__).parents[2] / "config"
KINDS = {"FaceEmotionArray": FaceEmotionArray, "FaceEmotion": FaceEmotion}


@pytest.fixture
def topics(make_probe: Callable[..., Probe]) -> dict[str, list[str]]:
    """Every topic of a running node, with its types."""
    probe = make_probe()
    wait_for(lambda: probe.me.count_publishers("/model_info"), "the node's topics")
    return dict(probe.me.get_topic_names_and_types())


@pytest.fixture
def layout() -> dict[str, Any]:
    return json.loads((CONFIG / "foxglove_layout.json").read_text())


def panels(node: Any, configs: dict[str, Any]) -> Iterator[str]:
    """The panels that a layout's tree places, those in tabs included."""
    if isinstance(node, str):
        yield node
        for tab in configs[node].get("tabs", []):
            yield from panels(tab["layout"], configs)
        return
    assert node["direction"] in ("row", "column")
    assert 0 < node["splitPercentage"] < 100
    yield from panels(node["first"], configs)
    yield from panels(node["second"], configs)


def paths(panel: dict[str, Any]) -> list[str]:
    """What a panel of Foxglove shows, in its message path syntax."""
    single = [panel.get("topicToRender"), panel.get("topicPath")]
    mode = panel.get("imageMode", {})
    single += [mode.get("imageTopic"), *mode.get("annotations", {}), *panel.get("topics", {})]
    return [path for path in single if path] + [path["value"] for path in panel.get("paths", [])]


def kind_at(path: str, topics: dict[str, list[str]]) -> str:
    """The type of what a message path leads to; fails where there is no such thing."""
    topic, *fields = path.split(".")
    (kind,) = topics[topic]
    for field in fields:
        name, _, index = field.partition("[")
        kind = KINDS[kind.rpartition("/")[2]].get_fields_and_field_types()[name]
        if not index:
            continue
        size = re.search(r"\[(\d+)\]$", kind)
        assert kind.startswith("sequence<") or size, f"{path}: {name} is no array"
        assert size is None or int(index.rstrip("]")) < int(size[1])
        kind = kind[9:-1] if size is None else kind[: size.start()]
    return kind


def test_every_panel_of_foxglove_is_placed_and_has_its_type(layout: dict[str, Any]) -> None:
    placed = panels(layout["layout"], layout["configById"])
    assert sorted(placed) == sorted(layout["configById"])
    kinds = {name.partition("!")[0] for name in layout["configById"]}
    assert kinds == {
        *("3D", "Image", "StateTransitions", "Plot", "DiagnosticSummary", "RawMessages", "Tab")
    }


def test_foxglove_shows_what_the_node_publishes(
    layout: dict[str, Any], topics: dict[str, list[str]]
) -> None:
    configs = layout["configById"]
    shown = {name: paths(panel) for name, panel in configs.items() if "tabs" not in panel}
    assert all(shown.values()), "no panel is empty"
    optional = {f"/faces/{name}" for name in STANDARD_OUTPUTS}
    topics = {name: ["off by default"] for name in optional} | topics
    kinds = {path: kind_at(path, topics) for of in shown.values() for path in of}
    plotted = [path for name, of in shown.items() if name.startswith("Plot!") for path in of]
    assert {kinds[path] for path in plotted} == {"float"}
    assert kinds["/faces/annotated"] == "sensor_msgs/msg/Image"
    assert kinds["/faces.faces[0].label"] == "string"
    assert set(topics) >= {"/diagnostics", "/model_info"}
    assert optional & kinds.keys() == {"/faces/annotations", "/faces/markers"}
    assert configs["3D!heads"]["followTf"] == DEFAULT_FRAME_ID


def test_foxglove_names_and_colours_the_emotions_as_everywhere(layout: dict[str, Any]) -> None:
    lines = layout["configById"]["Plot!probabilities"]["paths"]
    assert [line["label"] for line in lines] == list(EMOTIONS)
    assert [line["value"][-3:] for line in lines] == [f"[{i}]" for i in range(7)]
    for line in lines:
        assert line["enabled"], "Foxglove draws nothing without"
        blue, green, red = EMOTION_COLOURS[line["label"]]
        assert line["color"] == f"#{red:02x}{green:02x}{blue:02x}"


def test_rviz_shows_what_the_node_takes_and_draws(topics: dict[str, list[str]]) -> None:
    manager = yaml.safe_load((CONFIG / "edan.rviz").read_text())["Visualization Manager"]
    images = [d for d in manager["Displays"] if d["Class"] == "rviz_default_plugins/Image"]
    assert {display["Topic"]["Value"] for display in images} == {"/faces/annotated", "/image_raw"}
    for display in images:
        assert topics[display["Topic"]["Value"]] == ["sensor_msgs/msg/Image"]
        # Best effort receives from either kind of camera.
        assert display["Topic"]["Reliability Policy"] == "Best Effort"
    (heads,) = (d for d in manager["Displays"] if d["Class"] == "rviz_default_plugins/MarkerArray")
    assert heads["Topic"]["Value"] == "/faces/markers"
    assert heads["Topic"]["Value"].rpartition("/")[2] in STANDARD_OUTPUTS
    assert manager["Global Options"]["Fixed Frame"] == DEFAULT_FRAME_ID


@pytest.mark.parametrize("name", ["foxglove_layout.json", "edan.rviz"])
def test_both_are_installed_with_the_package(name: str) -> None:
    assert (share_directory() / "config" / name).read_bytes() == (CONFIG / name).read_bytes()
