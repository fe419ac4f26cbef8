"""Settings: definitions read from dataclasses, checks, and creation from values by name."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from edan_ros.core.settings import SettingsError, check_settings, fields_of, from_values, setting


@dataclass(frozen=True, slots=True)
class Inner:
    seconds: float = setting(1.0, "time to wait", low=0.0, high=2.5, unit="s", name="wait")

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class Outer:
    count: int = setting(3, "number of tries", low=1, high=9)
    mode: str = setting("slow", "how to try", choices=("slow", "fast"), live=False)
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        check_settings(self)


def test_settings_are_listed_with_those_of_nested_dataclasses() -> None:
    count, mode, wait = fields_of(Outer)
    assert (count.name, count.default, count.low, count.high) == ("count", 3, 1, 9)
    assert (mode.choices, mode.live, mode.range) == (("slow", "fast"), False, "slow, fast")
    assert (wait.name, wait.unit, wait.help, wait.live) == ("wait", "s", "time to wait", True)
    assert wait.range == "0 to 2.5 s"


def test_an_instance_lists_its_values_as_defaults() -> None:
    values = [item.default for item in fields_of(Outer(count=5, inner=Inner(2.0)))]
    assert values == [5, "slow", 2.0]


def test_a_config_is_created_from_values_by_name() -> None:
    made = from_values(Outer, {"wait": 0.5, "mode": "fast", "other": 1})
    assert made == Outer(mode="fast", inner=Inner(0.5))
    assert from_values(Outer, {}) == Outer()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "count is 0, must be 1 to 9"),
        ({"wait": 2.6}, "wait is 2.6, must be 0 to 2.5 s"),
        ({"wait": math.nan}, "wait is nan, must be"),
        ({"count": "many"}, "count is many, must be"),
        ({"count": True}, "count is True, must be"),
        ({"mode": "late"}, "mode is 'late', must be one of slow, fast"),
    ],
)
def test_values_out_of_range_are_rejected_by_name(values: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        from_values(Outer, values)
