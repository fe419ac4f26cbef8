"""Settings as dataclass fields that carry their range, unit and meaning.

One definition serves the checks, the ROS parameters, the command line, the comments of
``config/*.yaml`` and the reference page:

    @dataclass(frozen=True)
    class TrackingConfig:
        memory: float = setting(
            1.0, "time for which a lost track keeps its id", low=0.0, high=60.0, unit="s",
            name="track_memory",
        )

        def __post_init__(self) -> None:
            check_settings(self)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
_KEY = "setting"


class SettingsError(ValueError):
    """A setting out of its range. The message names it, its value and the range."""


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """The definition of one setting.

    Attributes:
        name: for users, unique among all settings: the ROS parameter, configuration key and, with
            dashes, command-line flag. Empty stands for the field's name.
        default: of the type that values must have.
        help: what it means, a clause without a capital letter and full stop.
        low, high: range of a number, both included; None for settings that are not numbers.
        unit: of a number, "s", "px" or "deg" for example; empty for a ratio or a count.
        choices: allowed texts; empty for any.
        live: whether it may change while a node is active.
    """

    name: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    live: bool = True

    @property
    def range(self) -> str:
        """The range or choices for users: "0 to 60 s"; empty without."""
        if self.choices:
            return ", ".join(self.choices)
        if self.low is None or self.high is None:
            return ""
        return f"{self.low:.12g} to {self.high:.12g} {self.unit}".rstrip()

    def check(self, value: object) -> None:
        """Raise SettingsError unless the value is in the range or among the choices."""
        if self.low is not None and self.high is not None:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            # NaN is out of every range.
            if not (number and self.low <= value <= self.high):  # type: ignore[operator]
                raise SettingsError(f"{self.name} is {value}, must be {self.range}")
        elif self.choices and value not in self.choices:
            raise SettingsError(f"{self.name} is '{value}', must be one of {self.range}")


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    live: bool = True,
    name: str = "",
) -> Any:
    """Return a dataclass field for a setting; the arguments are the attributes of Setting."""
    definition = Setting(name, default, help, low, high, unit, choices, live)
    return dataclasses.field(default=default, metadata={_KEY: definition})


def number(default: float, low: float, high: float, help: str, unit: str = "") -> Any:
    """Return a dataclass field for a number from ``low`` to ``high``."""
    return setting(default, help, low=low, high=high, unit=unit)


def seconds(default: float, low: float, high: float, help: str) -> Any:
    """Return a dataclass field for a time in seconds."""
    return number(default, low, high, help, "s")


def fields_of(kind: Any) -> Iterator[Setting]:
    """Yield the settings of a dataclass, those of dataclasses in its fields included.

    Args:
        kind: the dataclass, or an instance, whose values then replace the defaults.
    """
    for field in dataclasses.fields(kind):
        definition: Setting | None = field.metadata.get(_KEY)
        if definition is not None:
            name = definition.name or field.name
            default = definition.default if isinstance(kind, type) else getattr(kind, field.name)
            yield dataclasses.replace(definition, name=name, default=default)
        elif isinstance(kind, type):
            if dataclasses.is_dataclass(field.default_factory):
                yield from fields_of(field.default_factory)
        elif dataclasses.is_dataclass(getattr(kind, field.name)):
            yield from fields_of(getattr(kind, field.name))


def check_settings(config: Any) -> None:
    """Check all settings of a dataclass instance; call it in ``__post_init__``.

    Raises SettingsError for the first setting out of its range.
    """
    for field in dataclasses.fields(config):
        definition: Setting | None = field.metadata.get(_KEY)
        if definition is not None:
            named = dataclasses.replace(definition, name=definition.name or field.name)
            named.check(getattr(config, field.name))


def with_default(kind: Any, name: str, default: Any) -> Any:
    """Return the field of a setting of another dataclass with another default."""
    (field,) = (field for field in dataclasses.fields(kind) if field.name == name)
    definition = dataclasses.replace(field.metadata[_KEY], default=default)
    return dataclasses.field(default=default, metadata={_KEY: definition})


@dataclasses.dataclass(frozen=True)
class CheckedSettings:
    """Base of a dataclass of settings, which are checked when it is created."""

    def __post_init__(self) -> None:
        check_settings(self)


def from_values(kind: type[T], values: Mapping[str, Any]) -> T:
    """Create a dataclass, with those in its fields, from values by the names of its settings.

    Settings without a value take their defaults; other names are ignored. Raises SettingsError
    for a value out of its range.
    """
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        definition: Setting | None = field.metadata.get(_KEY)
        if definition is not None:
            name = definition.name or field.name
            if name in values:
                arguments[field.name] = values[name]
        elif isinstance(field.default_factory, type) and dataclasses.is_dataclass(
            field.default_factory
        ):
            arguments[field.name] = from_values(field.default_factory, values)
    return kind(**arguments)
