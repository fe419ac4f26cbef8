"""Settings of the behaviours as parameters of their nodes, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from edan_ros.core.settings import fields_of, from_values
from edan_ros.nodes.common.parameters import Change, Parameter

T = TypeVar("T")

#: A parameter of every behaviour node.
RATE = Parameter(
    "rate",
    10.0,
    "decisions per second, on the node's clock",
    Change.NEVER,
    low=0.5,
    high=100.0,
    unit="Hz",
)


def parameters_of(kind: Any, prefix: str) -> tuple[Parameter, ...]:
    """Return a parameter ``prefix.name`` for each setting of a dataclass.

    Args:
        kind: the dataclass, or an instance, whose values are the defaults then.
        prefix: of the names.
    """
    return tuple(Parameter.of(item, prefix=f"{prefix}.") for item in fields_of(kind))


def settings_from(kind: type[T], values: Mapping[str, Any], prefix: str) -> T:
    """Create the dataclass from the values of its parameters.

    Raises:
        SettingsError: a value is out of its range.
    """
    return from_values(
        kind, {item.name: values[f"{prefix}.{item.name}"] for item in fields_of(kind)}
    )
