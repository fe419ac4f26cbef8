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

from collections.abc import Callable
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
    name = row["name"]
    values: dict[str, list[Any]] = {}
    for key, (default, allowed, is_valid) in _FIELDS.items():
        value = row.get(key, default)
        is_list = isinstance(value, list) and isinstance(default, list)
        values[key] = (value or default) if is_list else [value]
        for item in values[key]:
            if not is_valid(item):
                raise ReactionTableError(f"rule '{name}': {key} is {item!r}, it must be {allowed}")
    for key in row:
        if key not in values and key != "name":
            raise ReactionTableError(f"rule '{name}': '{key}' is no field of a rule")
    single = {key: value[0] for key, value in values.items() if value}
    return Rule(
        name=name,
        emotions=frozenset(EMOTIONS.index(emotion) for emotion in values["emotion"]),
        after=float(single["after"]),
        intensity=float(single["intensity"]),
        priority=single["priority"],
        cooldown=float(single["cooldown"]),
        anyone=single["who"] == "anyone",
        behavior=single["behavior"],
        utterances=tuple(values["utterance"]),
        expression=EMOTIONS.index(single["expression"]) if single["expression"] else UNKNOWN,
        repeat=single["repeat"],
    )


#: Default of a field, what it must be, and the check of a value, of each value in a list.
_Field = tuple[Any, str, Callable[[Any], bool]]


def _number(default: float, low: float, high: float) -> _Field:
    allowed = f"a number from {low:g} to {high:g}"
    return default, allowed, lambda value: type(value) in (int, float) and low <= value <= high


def _choice(default: Any, *choices: str) -> _Field:
    return default, f"one of {', '.join(filter(None, choices))}", lambda value: value in choices


#: A field whose default is a list may have one value or a list of values.
_FIELDS: dict[str, _Field] = {
    "emotion": _choice([None], *EMOTIONS),
    "after": _number(0.5, 0.0, 3600.0),
    "intensity": _number(0.0, 0.0, 1.0),
    "priority": (
        0,
        "a whole number of 32 bits",
        lambda value: type(value) is int and abs(value) < 2**31,
    ),
    "cooldown": _number(10.0, 0.0, 86400.0),
    "who": _choice("attended", "attended", "anyone"),
    "behavior": ("", "a text", lambda value: isinstance(value, str)),
    "utterance": (
        [],
        "a text or a list of texts",
        lambda value: isinstance(value, str) and bool(value),
    ),
    "expression": _choice("", "", *EMOTIONS),
    "repeat": (False, "true or false", lambda value: isinstance(value, bool)),
}
