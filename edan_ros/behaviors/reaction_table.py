"""The reaction table of a robot: which behaviour follows which emotion. It is YAML:

rules:
  - name: share_joy          # unique
    emotion: happy           # or a list of emotions
    after: 0.8               # seconds for which the emotion must have lasted
    intensity: 0.5           # minimum of its mean probability, 0 to 1
    priority: 10             # any integer; of the rules that apply, the largest fires
    cooldown: 20             # seconds before the rule may fire again, for any person
    who: attended            # or anyone in view
    behavior: nod            # any of these four may be left out
    utterance: How nice!     # the entries of a list are used in turn
    expression: happy        # of the robot's own face
    repeat: false            # true: fire again after the cooldown while the emotion lasts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edan_ros.core.emotions import EMOTIONS, UNKNOWN
from edan_ros.core.settings import SettingsError


class ReactionTableError(SettingsError):
    """An invalid reaction table. The message names the fault and what is allowed."""


@dataclass(frozen=True)
class Rule:
    """One row of the table (see above). emotions, expression: indices into EMOTIONS."""

    name: str
    emotions: frozenset[int]
    after: float = 0.5
    intensity: float = 0.0
    priority: int = 0
    cooldown: float = 10.0
    anyone: bool = False
    behavior: str = ""
    utterances: tuple[str, ...] = ()
    expression: int = UNKNOWN
    repeat: bool = False


def read_rules(path: str | Path) -> tuple[Rule, ...]:
    """Read the rules of a file. Raises ReactionTableError, which names the file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        return parse_rules(text)
    except (OSError, UnicodeDecodeError, ReactionTableError) as error:
        raise ReactionTableError(f"reaction table {path}: {error}") from error


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of a table in YAML. Raises ReactionTableError."""
    try:
        table = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ReactionTableError(f"not YAML: {error}") from error
    rows = table.get("rules") if isinstance(table, dict) else None
    if not isinstance(rows, list):
        raise ReactionTableError("it needs a list called 'rules'")
    rules = tuple(_rule(row, number) for number, row in enumerate(rows, 1))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise ReactionTableError(f"two rules are called '{name}': give each its own name")
    return rules


def _rule(row: Any, number: int) -> Rule:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not row["name"]:
        raise ReactionTableError(f"rule {number} has no name")
    values = _RowReader(row)
    rule = Rule(
        name=row["name"],
        emotions=frozenset(values.emotions("emotion")),
        after=values.number("after", 0.5, 0.0, 3600.0),
        intensity=values.number("intensity", 0.0, 0.0, 1.0),
        priority=values.whole("priority"),
        cooldown=values.number("cooldown", 10.0, 0.0, 86400.0),
        anyone=values.one_of("who", ("attended", "anyone")) == "anyone",
        behavior=values.text("behavior"),
        utterances=values.texts("utterance"),
        expression=values.emotion("expression"),
        repeat=values.switch("repeat"),
    )
    values.finish()
    return rule


class _RowReader:
    """Removes the values of one row, each checked."""

    def __init__(self, row: dict[str, Any]) -> None:
        self._name = row["name"]
        self._rest = {key: value for key, value in row.items() if key != "name"}

    def fail(self, key: str, value: Any, allowed: str) -> ReactionTableError:
        return ReactionTableError(f"rule '{self._name}': {key} is {value!r}, it must be {allowed}")

    def number(self, key: str, default: float, low: float, high: float) -> float:
        value = self._rest.pop(key, default)
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (real and low <= value <= high):
            raise self.fail(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, key: str) -> int:
        value = self._rest.pop(key, 0)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**31:
            raise self.fail(key, value, "a whole number of 32 bits")
        return value

    def switch(self, key: str) -> bool:
        value = self._rest.pop(key, False)
        if not isinstance(value, bool):
            raise self.fail(key, value, "true or false")
        return value

    def text(self, key: str) -> str:
        value = self._rest.pop(key, "")
        if not isinstance(value, str):
            raise self.fail(key, value, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._rest.pop(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
            raise self.fail(key, value, "a text or a list of texts")
        return tuple(values)

    def one_of(self, key: str, choices: Sequence[str]) -> str:
        value = self._rest.pop(key, choices[0])
        if value not in choices:
            raise self.fail(key, value, f"one of {', '.join(choices)}")
        return str(value)

    def emotion(self, key: str) -> int:
        value = self._rest.pop(key, "")
        return UNKNOWN if value == "" else EMOTIONS.index(self._known(key, value))

    def emotions(self, key: str) -> list[int]:
        value = self._rest.pop(key, None)
        values = value if isinstance(value, list) else [value]
        return [EMOTIONS.index(self._known(key, v)) for v in values or [None]]

    def _known(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or value not in EMOTIONS:
            raise self.fail(key, value, f"one of {', '.join(EMOTIONS)}")
        return value

    def finish(self) -> None:
        if self._rest:
            raise ReactionTableError(
                f"rule '{self._name}': '{next(iter(self._rest))}' is no field of a rule"
            )
