"""Declares a node's parameters from a table, and guards every later change with it.

A table says all there is about a parameter: type (that of the default), meaning, range, and when
it may change. What `ros2 param describe` shows, what a change is checked against, and what
config/*.yaml is tested against is the same table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from edan_ros.nodes.common.reporting import record_error

#: A choice that YAML reads as a boolean where it is not quoted.
OFF = "off"
Value = bool | int | float | str | list[str]


class Change(enum.Enum):
    """When a parameter may change."""

    LIVE = "takes effect at once"
    CONFIGURE = "read on configure: may change while the node is unconfigured"
    NEVER = "read only"


@dataclass(frozen=True)
class Parameter:
    """One parameter. bounds: smallest and largest value of a number, both included. file: it names
    a file, which is read anew when it is set again."""

    name: str
    default: Value
    meaning: str
    change: Change = Change.LIVE
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    file: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """What the parameter services tell of it."""
        descriptor = ParameterDescriptor(
            name=self.name,
            description=self.meaning,
            additional_constraints=self._constraints(),
            read_only=self.change is Change.NEVER,
        )
        # YAML reads `off` without quotes as the boolean false.
        descriptor.dynamic_typing = OFF in self.choices
        if self.bounds is not None:
            low, high = self.bounds
            if isinstance(self.default, int):
                step = IntegerRange(from_value=int(low), to_value=int(high), step=1)
                descriptor.integer_range = [step]
            else:
                span = FloatingPointRange(from_value=float(low), to_value=float(high))
                descriptor.floating_point_range = [span]
        return descriptor

    def normalize(self, value: Any) -> Any:
        """Return the value with the boolean false, which YAML makes of `off`, as "off"."""
        return OFF if value is False and OFF in self.choices else value

    def _constraints(self) -> str:
        choices = f"one of {', '.join(self.choices)}; " if self.choices else ""
        return choices + self.change.value


class ConflictingParametersError(ParameterException):
    """Values given from outside that are valid each, but not together."""

    def __init__(self, message: str) -> None:
        # rclpy's own constructor appends the name of one parameter.
        Exception.__init__(self, message)


class ParameterSet:
    """The declared parameters of a node.

    table: the parameters. may_configure: whether those of Change.CONFIGURE may change now.
    check: called with all values as they would be after a change; raises ValueError, with a
    sentence for the user, to refuse it. apply: called with the same, and the names of those that
    differ from before, once a change has passed; raises ValueError as check does, where it cannot.

    Raises rclpy's ParameterException where a value given from outside (file, command line) is
    not of the type, in the range or among the choices.
    """

    def __init__(
        self,
        node: Node,
        table: Iterable[Parameter],
        *,
        may_configure: Callable[[], bool],
        check: Callable[[Mapping[str, Any]], None] = lambda _: None,
        apply: Callable[[Mapping[str, Any], set[str]], None] = lambda _values, _changed: None,
    ) -> None:
        self._table = {parameter.name: parameter for parameter in table}
        self._may_configure = may_configure
        self._check = check
        self._apply = apply
        self._node = node
        self._values: dict[str, Any] = {}
        self._complete = False
        node.add_on_set_parameters_callback(self._on_set)
        node.declare_parameters(
            "", [(p.name, p.default, p.descriptor()) for p in self._table.values()]
        )
        self._complete = True
        try:
            check(self._values)
        except ValueError as error:
            raise ConflictingParametersError(str(error)) from error

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def values(self) -> Mapping[str, Any]:
        """All values by name."""
        return self._values

    def _on_set(self, changes: list[RosParameter]) -> SetParametersResult:
        """Checks a change, by a service or at declaration, and takes it over if it is good."""
        wanted = {
            c.name: self._table[c.name].normalize(c.value) for c in changes if c.name in self._table
        }
        declaring = not self._complete
        try:
            for name, value in wanted.items():
                self._check_one(self._table[name], value)
            values = self._values | wanted
            if not declaring:
                self._check(values)
            changed = {
                name
                for name, value in wanted.items()
                if value != self._values.get(name) or self._table[name].file
            }
            if changed and not declaring:
                self._apply(values, changed)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        except Exception as error:  # the client is to get an answer whatever happens
            record_error(self._node, "parameters could not be set", error)
            return SetParametersResult(successful=False, reason=f"internal error: {error}")
        self._values = values
        return SetParametersResult(successful=True)

    def _check_one(self, parameter: Parameter, value: Any) -> None:
        if parameter.choices and value not in parameter.choices:
            raise ValueError(
                f"{parameter.name} is '{value}', must be one of {', '.join(parameter.choices)}"
            )
        changed = parameter.name in self._values and value != self._values[parameter.name]
        if changed and parameter.change is Change.CONFIGURE and not self._may_configure():
            raise ValueError(
                f"{parameter.name} is read on configure: deactivate and clean up the node, set it, "
                "then configure and activate (ros2 lifecycle set)"
            )
