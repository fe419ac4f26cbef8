"""A table of parameters against the real parameter machinery of rclpy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from edan_ros.nodes.common.parameters import (
    Change,
    ConflictingParametersError,
    Parameter,
    ParameterSet,
)

TABLE = (
    Parameter("low", 0.2, "lower bound", low=0.0, high=1.0),
    Parameter("high", 0.8, "upper bound", low=0.0, high=1.0),
    Parameter("count", 3, "how many", low=1, high=9),
    Parameter("kind", "soft", "of what kind", choices=("soft", "hard")),
    Parameter("output", "auto", "where to", choices=("off", "auto")),
    Parameter("file", "a", "what to load", change=Change.CONFIGURE),
    Parameter("names", [""], "of the inputs", change=Change.CONFIGURE),
    Parameter("fixed", True, "at the start", change=Change.NEVER),
)


def check(values: Mapping[str, Any]) -> None:
    if values["low"] > values["high"]:
        raise ValueError("low must not exceed high")


class Owner:
    """A node with the table, and the changes that were applied to it."""

    def __init__(self, **overrides: object) -> None:
        self.configurable = True
        self.applied: list[tuple[dict[str, Any], set[str]]] = []
        given = [RosParameter(name, value=value) for name, value in overrides.items()]
        self.node = Node("owner", parameter_overrides=given)
        try:
            self.set = ParameterSet(
                self.node,
                TABLE,
                may_configure=lambda: self.configurable,
                check=check,
                apply=lambda values, changed: self.applied.append((dict(values), changed)),
            )
        except Exception:
            self.node.destroy_node()
            raise

    def change(self, **values: object) -> tuple[bool, str]:
        """Set all at once, as `ros2 param load` does."""
        parameters = [RosParameter(name, value=value) for name, value in values.items()]
        result = self.node.set_parameters_atomically(parameters)
        return result.successful, result.reason


@pytest.fixture(autouse=True)
def _ros(ros_domain: int) -> Iterator[None]:  # noqa: ARG001
    rclpy.init()
    yield
    rclpy.shutdown()


@pytest.fixture
def owner() -> Iterator[Owner]:
    value = Owner()
    yield value
    value.node.destroy_node()


def test_declares_defaults_with_their_descriptions(owner: Owner) -> None:
    assert owner.set.values == {p.name: p.default for p in TABLE}
    assert owner.set["names"] == [""]
    assert not owner.applied
    descriptors = {p.name: owner.node.describe_parameter(p.name) for p in TABLE}
    for parameter in TABLE:
        assert descriptors[parameter.name].description == parameter.help
        assert descriptors[parameter.name].read_only == (parameter.change is Change.NEVER)
    assert descriptors["low"].floating_point_range[0].to_value == 1.0
    assert descriptors["count"].integer_range[0].from_value == 1
    assert "soft, hard" in descriptors["kind"].additional_constraints
    assert "unconfigured" in descriptors["file"].additional_constraints


def test_a_live_change_is_applied_once_with_all_values(owner: Owner) -> None:
    assert owner.change(low=0.5, count=4) == (True, "")
    assert len(owner.applied) == 1
    values = {p.name: p.default for p in TABLE} | {"low": 0.5, "count": 4}
    assert owner.applied[0] == (values, {"low", "count"})
    assert owner.set["low"] == 0.5
    assert owner.node.get_parameter("low").value == 0.5


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"low": 1.5}, "range"),
        ({"low": math.nan}, "range"),
        ({"count": 0}, "range"),
        ({"kind": "liquid"}, "soft, hard"),
        ({"low": 0.9}, "exceed"),
        ({"low": "much"}, "type"),
        ({"fixed": False}, "read-only"),
        ({"count": 5, "kind": "liquid"}, "soft, hard"),
    ],
)
def test_an_invalid_change_is_refused_completely(
    owner: Owner, change: dict[str, object], word: str
) -> None:
    before = dict(owner.set.values)
    successful, reason = owner.change(**change)
    assert not successful
    assert word in reason
    assert owner.set.values == before
    assert not owner.applied


def test_a_configure_parameter_changes_only_while_unconfigured(owner: Owner) -> None:
    assert owner.change(file="b", names=["x", "y"])[0]
    owner.configurable = False
    successful, reason = owner.change(file="c")
    assert not successful
    assert "file" in reason
    assert "configure" in reason
    assert owner.set["file"] == "b"
    # To say again what holds already is no change.
    assert owner.change(file="b", low=0.1)[0]
    assert owner.set["low"] == 0.1
    assert owner.applied[-1][1] == {"low"}


def test_takes_overrides() -> None:
    owner = Owner(low=0.1, names=["front", "cabin"], fixed=False)
    assert owner.set["names"] == ["front", "cabin"]
    assert owner.set["fixed"] is False
    owner.node.destroy_node()


@pytest.mark.parametrize("given", [{"low": 2.0}, {"kind": "liquid"}])
def test_an_invalid_override_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(InvalidParameterValueException):
        Owner(**given)


def test_conflicting_overrides_name_only_the_parameters_in_conflict() -> None:
    with pytest.raises(ConflictingParametersError) as caught:
        Owner(low=0.95)
    assert str(caught.value) == "low must not exceed high"


def test_the_boolean_that_yaml_makes_of_off_is_accepted(owner: Owner) -> None:
    started = Owner(output=False)
    assert started.set["output"] == "off"
    started.node.destroy_node()
    assert owner.change(output=False) == (True, "")
    assert owner.set["output"] == "off"
    assert not owner.change(output=True)[0]


def test_a_check_that_fails_with_another_error_still_gets_an_answer() -> None:
    def broken(values: Mapping[str, Any]) -> None:
        if values["count"] == 7:
            raise KeyError("missing")

    node = Node("broken")
    ParameterSet(node, TABLE, may_configure=lambda: True, check=broken)
    result = node.set_parameters_atomically([RosParameter("count", value=7)])
    assert not result.successful
    assert "missing" in result.reason
    node.destroy_node()


def test_an_override_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidParameterTypeException):
        Owner(low="much")
