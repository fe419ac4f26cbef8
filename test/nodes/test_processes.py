from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from edan_ros.nodes.common.processes import ros_arguments


def test_arguments_of_a_node() -> None:
    arguments = ros_arguments(
        {"rate": 5.0, "loop": True}, namespace="/front", parameter_files=["a.yaml", "b.yaml"]
    )
    assert arguments == [
        *["--ros-args", "-r", "__ns:=/front"],
        *["--params-file", "a.yaml", "--params-file", "b.yaml"],
        *["-p", "rate:=5.0", "-p", "loop:=true"],
    ]


def test_no_arguments_without_parameters() -> None:
    assert ros_arguments({}) == ["--ros-args"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))))
def test_a_text_stays_a_text(value: str) -> None:
    _, _, argument = ros_arguments({"source": value})
    name, _, given_value = argument.partition(":=")
    assert name == "source"
    # ROS reads what follows as YAML.
    assert yaml.safe_load(given_value) == value
