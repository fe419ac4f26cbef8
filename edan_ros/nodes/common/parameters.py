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
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

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
        if self.bounds is not None:
            low, high = self.bounds
            if isinstance(self.default, int):
                step = IntegerRange(from_value=int(low), to_value=int(high), step=1)
                descriptor.integer_range = [step]
            else:
                span = FloatingPointRange(from_value=float(low), to_value=float(high))
                descriptor.floating_point_range = [span]
        return descriptor

    def _constraints(self) -> str:
        choices = f"one of {', '.join(self.choices)}; " if self.choices else ""
        return choices + self.change.value


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
        self._values: dict[str, Any] = {}
        node.add_on_set_parameters_callback(self._on_set)
        node.declare_parameters(
            "", [(p.name, p.default, p.descriptor()) for p in self._table.values()]
        )

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def values(self) -> Mapping[str, Any]:
        """All values by name."""
        return self._values

    def _on_set(self, changes: list[RosParameter]) -> SetParametersResult:
        """Checks a change, by a service or at declaration, and takes it over if it is good."""
        wanted = {c.name: c.value for c in changes if c.name in self._table}
        try:
            for name, value in wanted.items():
                self._check_one(self._table[name], value)
            values = self._values | wanted
            if len(values) == len(self._table):
                self._check(values)
            declaring = len(self._values) < len(self._table)
            changed = {
                name
                for name, value in wanted.items()
                if value != self._values.get(name) or self._table[name].file
            }
            if changed and not declaring:
                self._apply(values, changed)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
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
