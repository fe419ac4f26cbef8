"""The settings of the behaviours as parameters of their nodes, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from edan_ros.behaviors.settings import settings_of
from edan_ros.nodes.common.parameters import Change, Parameter

T = TypeVar("T")

#: What every node of a behaviour has.
RATE = Parameter(
    "rate", 10.0, "decisions a second, on the node's clock", Change.NEVER, bounds=(0.5, 100.0)
)


def parameters_of(kind: Any, prefix: str) -> tuple[Parameter, ...]:
    """A parameter `prefix.name` for every setting of a dataclass, changeable at run time.

    Of an instance they have its values as their defaults.
    """
    return tuple(
        Parameter(
            name=f"{prefix}.{item.name}",
            default=item.default,
            meaning=item.meaning,
            bounds=None if item.low is None or item.high is None else (item.low, item.high),
            choices=item.choices,
        )
        for item in settings_of(kind)
    )


def settings_from(kind: type[T], values: Mapping[str, Any], prefix: str) -> T:
    """The dataclass from the values of its parameters. Raises SettingsError, a ValueError."""
    return kind(**{item.name: values[f"{prefix}.{item.name}"] for item in settings_of(kind)})
