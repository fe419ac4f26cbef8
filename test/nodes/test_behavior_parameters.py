"""The parameters of the behaviours' nodes: the files that document them, and how they are made."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("rclpy")

import yaml

from edan_ros.behaviors.speed import SpeedSettings
from edan_ros.core.settings import SettingsError
from edan_ros.nodes.behaviors import (
    announcer_node,
    humanoid_node,
    people_context_node,
    ros4hri_node,
    vehicle_node,
)
from edan_ros.nodes.behaviors.parameters import Part
from edan_ros.nodes.common.parameters import parameters_in

CONFIG = Path(__file__).parents[2] / "config"
NODES = {
    "vehicle": vehicle_node,
    "humanoid": humanoid_node,
    "announcer": announcer_node,
    "ros4hri": ros4hri_node,
    "people_context": people_context_node,
}


@pytest.mark.parametrize("name", NODES)
def test_the_file_lists_every_parameter_with_its_default(name: str) -> None:
    sections = yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))
    assert list(sections) == [f"/**/{name}_node"]
    values = sections[f"/**/{name}_node"]["ros__parameters"]
    defaults = {p.name: p.default for p in parameters_in(NODES[name].GROUPS)}
    assert values == defaults
    for key, value in values.items():
        assert type(value) is type(defaults[key]), key


def test_settings_become_parameters_and_back() -> None:
    part = Part("speed", SpeedSettings, "Speed")
    values = {p.name: p.default for p in part.group().parameters}
    assert part.read(values) == SpeedSettings()
    with pytest.raises(SettingsError, match="fear_off must be below fear_on"):
        part.read(values | {"speed.fear_off": 0.9})
