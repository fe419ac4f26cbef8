"""Settings of the behaviours: dataclasses whose fields carry their range and meaning.

The same description serves the checks here, the ROS parameters of the nodes and the documentation.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting out of its range; the message names it, its value and the range."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting: the range of a number (both ends allowed) or the choices of a text."""

    name: str
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    meaning: str


def setting(default: float, low: float, high: float, meaning: str) -> Any:
    """A field for a number from `low` to `high`; an int default makes it a whole number."""
    return dataclasses.field(
        default=default, metadata={"low": low, "high": high, "choices": (), "meaning": meaning}
    )


def choice(default: str | bool, meaning: str, choices: tuple[str, ...] = ()) -> Any:
    """A field for a switch (bool) or a text; a text is one of `choices` if there are any."""
    return dataclasses.field(
        default=default,
        metadata={"low": None, "high": None, "choices": choices, "meaning": meaning},
    )


def settings_of(kind: Any) -> Iterator[Setting]:
    """The settings that a dataclass describes, in the order of its fields.

    Of an instance they have its values as their defaults.
    """
    for field in dataclasses.fields(kind):
        if "meaning" in field.metadata:
            yield Setting(name=field.name, default=getattr(kind, field.name), **field.metadata)


def check(values: Any) -> None:
    """Checks every setting of a dataclass instance. To be called from its `__post_init__`.

    Raises SettingsError naming the first setting that is out of its range.
    """
    for item in settings_of(values):
        value = getattr(values, item.name)
        if item.low is not None and item.high is not None:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (number and math.isfinite(value) and item.low <= value <= item.high):
                raise SettingsError(
                    f"{item.name} is {value!r}: it must be a number from {item.low} to {item.high}"
                    f" ({item.meaning})"
                )
        elif item.choices and value not in item.choices:
            raise SettingsError(
                f"{item.name} is {value!r}: it must be one of {', '.join(item.choices)}"
            )
