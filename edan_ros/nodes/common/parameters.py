"""Declares a node's parameters from a table, and checks every later change against it.

A table has all there is to know about a parameter: type (that of the default), meaning, range, and
when it may change. `ros2 param describe`, the check of a change and config/*.yaml come from it.
"""

from __future__ import annotations

import enum
import json
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
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

from edan_ros.core.settings import Setting
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
class Parameter(Setting):
    """A setting as a parameter.

    Attributes:
        change: when it may change.
        file: whether it names a file, which is read again when the parameter is set again.
        dynamic: whether values of other types are accepted too.
    """

    change: Change = Change.LIVE
    file: bool = False
    dynamic: bool = False

    @staticmethod
    def of(setting: Setting, *, fixed: Change = Change.CONFIGURE, prefix: str = "") -> Parameter:
        """Return the parameter for a setting; ``fixed``: when it may change if it is not live."""
        values = asdict(setting) | {"name": prefix + setting.name}
        return Parameter(**values, change=Change.LIVE if setting.live else fixed)

    def descriptor(self) -> ParameterDescriptor:
        """Return the descriptor that the parameter services give."""
        one_of = "one of " if self.choices else ""
        constraints = [f"{one_of}{self.range}", self.change.value]
        descriptor = ParameterDescriptor(
            name=self.name,
            description=self.help,
            additional_constraints="; ".join(filter(None, constraints)),
            read_only=self.change is Change.NEVER,
        )
        # YAML reads `off` without quotes as the boolean false.
        descriptor.dynamic_typing = self.dynamic or OFF in self.choices
        if self.low is not None and self.high is not None:
            if isinstance(self.default, int):
                step = IntegerRange(from_value=int(self.low), to_value=int(self.high), step=1)
                descriptor.integer_range = [step]
            else:
                span = FloatingPointRange(from_value=float(self.low), to_value=float(self.high))
                descriptor.floating_point_range = [span]
        return descriptor

    def normalize(self, value: Any) -> Any:
        """Return the value with the boolean false, which YAML makes of `off`, as "off"."""
        return OFF if value is False and OFF in self.choices else value


@dataclass(frozen=True)
class Group:
    """Parameters under one title of a parameter file; "" for the first ones."""

    title: str
    parameters: tuple[Parameter, ...]


def parameters_in(groups: Iterable[Group]) -> tuple[Parameter, ...]:
    """Return the parameters of all groups, in order."""
    return tuple(parameter for group in groups for parameter in group.parameters)


def render_file(node: str, introduction: str, groups: Iterable[Group]) -> str:
    """Return the text of a parameter file: each parameter with its comment and default.

    Args:
        node: name of the node.
        introduction: for the head of the file; lines that begin with a space stay as they are.
        groups: of parameters.
    """
    lines = [f"# {line}".rstrip() for line in introduction.splitlines()]
    lines += ["", f"/**/{node}:", "  ros__parameters:"]
    for number, group in enumerate(groups):
        if group.title:
            lines += [*([""] if number else []), f"    # --- {group.title} ---"]
        for index, parameter in enumerate(group.parameters):
            first = not number and not group.title and not index
            lines += [*([] if first else [""]), *_comment(parameter)]
            lines.append(f"    {parameter.name}: {json.dumps(parameter.default)}")
    return "\n".join(lines) + "\n"


def _comment(parameter: Parameter) -> list[str]:
    limits = f" ({parameter.range})" if parameter.range else ""
    meaning = parameter.help[0].upper() + parameter.help[1:]
    text = f"{meaning}{limits} [{parameter.change.name.lower()}]"
    return textwrap.wrap(
        text,
        100,
        initial_indent="    # ",
        subsequent_indent="    # ",
        break_long_words=False,
        break_on_hyphens=False,
    )


class ConflictingParametersError(ParameterException):
    """Values from a file or the command line that are valid each, but not together."""

    def __init__(self, message: str) -> None:
        # rclpy's own constructor appends the name of one parameter.
        Exception.__init__(self, message)


class ParameterSet:
    """The declared parameters of a node.

    Args:
        node: the node.
        table: its parameters.
        may_configure: returns whether those of Change.CONFIGURE may change now.
        check: called with all values as they would be after a change; raises ValueError, with a
            sentence for the user, to refuse it.
        apply: called with the same, and with the names of those that differ from before, once a
            change has passed the check; raises ValueError to refuse it.

    Raises:
        rclpy.exceptions.ParameterException: a value from a file or the command line has the wrong
            type, is out of range, is not among the choices, or conflicts with another.
    """

    def __init__(
        self,
        node: Node,
        table: Iterable[Parameter],
        *,
        may_configure: Callable[[], bool],
        check: Callable[[Mapping[str, Any]], object] = lambda _: None,
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
        """Check a change, by a service or at declaration, and apply it if it is valid."""
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
                "then configure and activate it again (ros2 lifecycle set)"
            )
