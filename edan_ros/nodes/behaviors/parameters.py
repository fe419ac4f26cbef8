"""Settings of the behaviours as parameters of their nodes, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edan_ros.behaviors.timing import TimeSettings
from edan_ros.core.settings import fields_of, from_values
from edan_ros.nodes.common.parameters import Change, Group, Parameter

RATE = Parameter(
    "rate", 10.0, "decisions per second, on the node's clock", 0.5, 100.0, "Hz", change=Change.NEVER
)


@dataclass(frozen=True)
class Part:
    """A dataclass of settings as a group of parameters ``prefix.name``.

    settings: the dataclass, or an instance, whose values are the defaults then.
    """

    prefix: str
    settings: Any
    title: str

    def group(self) -> Group:
        """Return the parameters."""
        parameters = (
            Parameter.of(item, prefix=f"{self.prefix}.") for item in fields_of(self.settings)
        )
        return Group(self.title, tuple(parameters))

    def read(self, values: Mapping[str, Any]) -> Any:
        """Create the settings from the values of all parameters of the node.

        Raises:
            SettingsError: a value is out of its range.
        """
        settings = self.settings if isinstance(self.settings, type) else type(self.settings)
        own = {item.name: values[f"{self.prefix}.{item.name}"] for item in fields_of(settings)}
        return from_values(settings, own)


TIME = Part("time", TimeSettings, "Time and outdated faces")


def behavior_groups(parts: Iterable[Part], *parameters: Parameter) -> tuple[Group, ...]:
    """Return the groups of a behaviour node: its rate and its own parameters, then the parts."""
    return Group("", (RATE, *parameters)), *(part.group() for part in parts)


def read_parts(parts: Iterable[Part], values: Mapping[str, Any]) -> dict[str, Any]:
    """Create the settings of all parts, by prefix. Raises SettingsError."""
    return {part.prefix: part.read(values) for part in parts}
