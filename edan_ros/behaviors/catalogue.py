"""The sentences of the announcer in one language: a YAML file in languages/.

A catalogue has

- `voice`: code of the language for speech synthesis;
- `plural`: the plural forms that `crowd` has, one_other or one_few_many;
- `direction` (left, ahead, right), `distance` (near, middle, far; an empty one is left out) and
  `emotion` (one phrase per emotion);
- `past`, which may be left out: a sentence with {direction} for each strong emotion, which has
  ended before it could be announced;
- `looks` and `looked`, which may be left out: a person looks, or has looked, at the user;
- the sentences `arrived`, `changed`, `moved`, `gone`, `crowd`, and `nobody` and `blind` without
  fields. {direction} and {before} are directions, {place} is direction and distance, {emotion} is
  the phrase of an emotion, {look} the same after a comma, or nothing if the emotion is unknown, and
  {n} a number of people.
"""

from __future__ import annotations

import functools
import string
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from edan_ros.core.emotions import EMOTIONS, UNKNOWN
from edan_ros.core.settings import SettingsError

DIRECTIONS = ("left", "ahead", "right")
DISTANCES = ("near", "middle", "far")
PLURALS = {"one_other": ("one", "other"), "one_few_many": ("one", "few", "many")}
FIELDS = {
    "arrived": {"place", "look"},
    "changed": {"direction", "emotion"},
    "moved": {"before", "place"},
    "gone": {"direction"},
    "nobody": set(),
    "blind": set(),
}
OPTIONAL_FIELDS = {"looks": {"direction"}, "looked": {"direction"}}
CROWD_FIELDS = {"n", "place", "look"}


class CatalogueError(SettingsError):
    """An invalid catalogue. The message names it and its fault."""


@dataclass(frozen=True)
class Catalogue:
    """The phrases and sentences of one language, as described above."""

    voice: str
    plural: str
    direction: dict[str, str]
    distance: dict[str, str]
    emotion: dict[str, str]
    crowd: dict[str, str]
    sentences: dict[str, str]
    sentences_past: dict[str, str]

    def arrived(self, direction: str, distance: str, emotion: int) -> str:
        """Return: a person has arrived. emotion: index into EMOTIONS, UNKNOWN to leave it out."""
        return self.sentences["arrived"].format(
            place=self._place(direction, distance), look=self._look(emotion)
        )

    def changed(self, direction: str, emotion: int) -> str:
        """Return: a person shows another emotion. emotion: index into EMOTIONS."""
        phrase = self.emotion[EMOTIONS[emotion]]
        return self.sentences["changed"].format(direction=self.direction[direction], emotion=phrase)

    def past(self, direction: str, emotion: int) -> str:
        """Return: a person has shown an emotion; "" without such a sentence."""
        text = self.sentences_past.get(EMOTIONS[emotion], "")
        return text.format(direction=self.direction[direction])

    def looks(self, direction: str, *, past: bool) -> str:
        """Return: a person looks, or has looked, at the user; "" without such a sentence."""
        text = self.sentences.get("looked" if past else "looks", "")
        return text.format(direction=self.direction[direction])

    def moved(self, before: str, direction: str, distance: str) -> str:
        """Return: a person has moved. before: the previous direction."""
        return self.sentences["moved"].format(
            before=self.direction[before], place=self._place(direction, distance)
        )

    def gone(self, direction: str, *, last: bool) -> str:
        """Return: a person has gone. last: nobody else is in view."""
        text = self.sentences["gone"].format(direction=self.direction[direction])
        return f"{text} {self.nobody()}" if last else text

    def many(self, n: int, direction: str, distance: str, emotion: int) -> str:
        """Return: there are n people; direction, distance and emotion are those of the nearest."""
        return self.crowd[self._form(n)].format(
            n=n, place=self._place(direction, distance), look=self._look(emotion)
        )

    def nobody(self) -> str:
        """Return: nobody is in view."""
        return self.sentences["nobody"]

    def blind(self) -> str:
        """Return: no images arrive."""
        return self.sentences["blind"]

    def _place(self, direction: str, distance: str) -> str:
        parts = (self.direction[direction], self.distance[distance])
        return ", ".join(part for part in parts if part)

    def _look(self, emotion: int) -> str:
        return "" if emotion == UNKNOWN else f", {self.emotion[EMOTIONS[emotion]]}"

    def _form(self, n: int) -> str:
        """Return the plural form for n by the rules of the Unicode CLDR."""
        if n == 1:
            return "one"
        if self.plural == "one_other":
            return "other"
        return "few" if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else "many"


def languages() -> tuple[str, ...]:
    """Return the codes of the included catalogues."""
    folder = resources.files(__package__).joinpath("languages")
    return tuple(
        sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))
    )


def load_catalogue(language: str) -> Catalogue:
    """Return the catalogue of a language.

    Args:
        language: code of an included catalogue, such as "en", or the path of a YAML file.

    Raises:
        CatalogueError: if there is no such catalogue, or it is invalid.
    """
    if language in languages():
        return _included(language)
    if not language.endswith((".yaml", ".yml")):
        raise CatalogueError(
            f"language '{language}' is not one of {', '.join(languages())}, nor a .yaml file"
        )
    try:
        return parse_catalogue(Path(language).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, CatalogueError) as error:
        raise CatalogueError(f"catalogue {language}: {error}") from error


@functools.cache
def _included(language: str) -> Catalogue:
    file = resources.files(__package__).joinpath("languages", f"{language}.yaml")
    return parse_catalogue(file.read_text(encoding="utf-8"))


def parse_catalogue(text: str) -> Catalogue:
    """Return the catalogue of a YAML text. Raises CatalogueError if it is invalid."""
    try:
        table = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CatalogueError(f"not YAML: {error}") from error
    if not isinstance(table, dict):
        raise CatalogueError("it is not a table of entries")
    plural = _text(table, "plural")
    if plural not in PLURALS:
        raise CatalogueError(f"plural is '{plural}', it must be one of {', '.join(PLURALS)}")
    fields = FIELDS | {name: own for name, own in OPTIONAL_FIELDS.items() if name in table}
    sentences = {name: _text(table, name) for name in fields}
    for name, sentence in sentences.items():
        _check_fields(name, sentence, fields[name])
    crowd = _phrases(table, "crowd", PLURALS[plural])
    for form, sentence in crowd.items():
        _check_fields(f"crowd, {form}", sentence, CROWD_FIELDS)
    given = table.get("past", {})
    if not isinstance(given, dict) or not given.keys() <= set(EMOTIONS):
        raise CatalogueError(f"'past' must have sentences for some of {', '.join(EMOTIONS)}")
    past = _phrases(table, "past", tuple(given)) if given else {}
    for emotion, sentence in past.items():
        _check_fields(f"past, {emotion}", sentence, {"direction"})
    return Catalogue(
        voice=_text(table, "voice"),
        plural=plural,
        direction=_phrases(table, "direction", DIRECTIONS),
        distance=_phrases(table, "distance", DISTANCES, empty=True),
        emotion=_phrases(table, "emotion", EMOTIONS),
        crowd=crowd,
        sentences=sentences,
        sentences_past=past,
    )


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise CatalogueError(f"'{key}' is missing or not a text")
    return value


def _phrases(
    table: dict[str, Any], key: str, names: tuple[str, ...], *, empty: bool = False
) -> dict[str, str]:
    phrases = table.get(key)
    if not isinstance(phrases, dict):
        raise CatalogueError(f"'{key}' is missing: it needs {', '.join(names)}")
    for name in names:
        if not isinstance(phrases.get(name), str) or not (phrases[name] or empty):
            raise CatalogueError(f"'{key}' has no text for '{name}'")
    return {name: phrases[name] for name in names}


def _check_fields(name: str, sentence: str, allowed: set[str]) -> None:
    try:
        fields = {
            field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None
        }
    except ValueError as error:
        raise CatalogueError(f"'{name}': {error}") from error
    if not fields <= allowed:
        extra = ", ".join(sorted(fields - allowed))
        raise CatalogueError(f"'{name}' has no field {{{extra}}}")
