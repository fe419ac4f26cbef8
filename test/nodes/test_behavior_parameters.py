"""The parameters of the behaviours' nodes: the files that document them, and how they are made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

import yaml

from edan_ros.behaviors.settings import SettingsError
from edan_ros.behaviors.speed import SpeedSettings
from edan_ros.nodes.behaviors import announcer_node, humanoid_node, ros4hri_node, vehicle_node
from edan_ros.nodes.behaviors.behavior_parameters import RATE, parameters_of, settings_from

CONFIG = Path(__file__).parents[2] / "config"
NODES = {
    "vehicle": vehicle_node,
    "humanoid": humanoid_node,
    "announcer": announcer_node,
    "ros4hri": ros4hri_node,
}
ALL = [(name, p) for name, node in NODES.items() for p in (RATE, *node.PARAMETERS)]


@pytest.mark.parametrize("name", NODES)
def test_the_file_lists_every_parameter_with_its_default(name: str) -> None:
    sections = yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))
    assert list(sections) == [f"/**/{name}_node"]
    values = sections[f"/**/{name}_node"]["ros__parameters"]
    defaults = {p.name: p.default for p in (RATE, *NODES[name].PARAMETERS)}
    assert values == defaults
    for key, value in values.items():
        assert type(value) is type(defaults[key]), key


@pytest.mark.parametrize(
    ("name", "parameter"), ALL, ids=lambda value: getattr(value, "name", value)
)
def test_the_file_says_what_each_parameter_means(name: str, parameter: Any) -> None:
    text = (CONFIG / f"{name}.yaml").read_text(encoding="utf-8")
    match = re.search(rf"((?:^ +#.*\n)+) +{re.escape(parameter.name)}: ", text, re.MULTILINE)
    assert match is not None
    comment = " ".join(line.strip(" #") for line in match[1].splitlines())
    assert parameter.meaning.lower() in comment.lower()
    assert f"[{parameter.change.name.lower()}]" in comment
    if parameter.choices:
        assert f"({', '.join(parameter.choices)})" in comment
    if parameter.bounds is not None:
        assert "({:g} to {:g})".format(*parameter.bounds) in comment


def test_settings_become_parameters_and_back() -> None:
    parameters = parameters_of(SpeedSettings, "speed")
    values = {p.name: p.default for p in parameters}
    assert settings_from(SpeedSettings, values, "speed") == SpeedSettings()
    with pytest.raises(SettingsError, match="fear_off must be below fear_on"):
        settings_from(SpeedSettings, values | {"speed.fear_off": 0.9}, "speed")
