"""Selects the rule of the reaction table that fires: durations, priorities, cooldowns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edan_ros.behaviors.people import Person
from edan_ros.behaviors.reaction_table import Rule
from edan_ros.core.emotions import label_of


@dataclass(frozen=True)
class Fired:
    """A rule that fired. held: seconds; intensity: 0 to 1; reason: one sentence."""

    rule: Rule
    person: Person
    emotion: int
    held: float
    intensity: float
    utterance: str
    reason: str


class Reactions:
    """Selects the rule that fires; call `decide` after every snapshot.

    interval: shortest time in seconds between two reactions, of whatever rules.
    """

    def __init__(self, rules: Iterable[Rule], interval: float) -> None:
        self.rules = tuple(rules)
        self.interval = interval
        self._last: dict[str, tuple[float, float]] = {}  # rule -> its last firing's stamp, elapsed
        self._latest = (-math.inf, -math.inf)
        self._spoken: dict[str, int] = {}
        self._done: dict[int, tuple[int, set[str]]] = {}  # track -> episode, rules fired in it

    def decide(
        self, people: Sequence[Person], attended: int, stamp: float, elapsed: float
    ) -> Fired | None:
        """Return the rule that fires on the snapshot with this stamp, or None.

        Args:
            people: the people in view.
            attended: track of the person attended to, 0 for none.
            stamp: of the snapshot in seconds.
            elapsed: of the StampClock. Cooldowns are measured in both, so that neither late images
                nor a clock that jumps shorten them.
        """
        self._done = {
            p.track_id: self._done[p.track_id] for p in people if p.track_id in self._done
        }
        if self._too_soon(self._latest, self.interval, stamp, elapsed):
            return None
        options = []
        for rule in self.rules:
            before = self._last.get(rule.name, (-math.inf, -math.inf))
            if self._too_soon(before, rule.cooldown, stamp, elapsed):
                continue
            for person in people:
                is_attended = person.track_id == attended
                if (is_attended or rule.anyone) and self._applies(rule, person, stamp):
                    options.append((rule.priority, is_attended, rule, person))
        if not options:
            return None
        _, is_attended, rule, person = max(options, key=lambda option: option[:2])
        return self._fire(rule, person, stamp, elapsed, attended=is_attended)

    def restart(self) -> None:
        """Accept the stamps of a clock that went back. Cooldowns continue by `elapsed`."""
        self._last = {name: (-math.inf, elapsed) for name, (_, elapsed) in self._last.items()}
        self._latest = (-math.inf, self._latest[1])
        self._done.clear()

    @staticmethod
    def _too_soon(last: tuple[float, float], wait: float, stamp: float, elapsed: float) -> bool:
        return stamp - last[0] < wait or elapsed - last[1] < wait

    def _applies(self, rule: Rule, person: Person, stamp: float) -> bool:
        """Return whether the person meets the conditions of the rule."""
        emotion = person.emotion.value
        if emotion not in rule.emotions or person.last_seen != stamp:
            return False
        if person.face.emotion != emotion or person.intensity < rule.intensity:
            return False
        episode, fired = self._done.get(person.track_id, (-1, set()))
        if not rule.repeat and episode == person.episode and rule.name in fired:
            return False
        return person.emotion.held(stamp) >= rule.after

    def _fire(
        self, rule: Rule, person: Person, stamp: float, elapsed: float, *, attended: bool
    ) -> Fired:
        self._last[rule.name] = self._latest = (stamp, elapsed)
        episode, fired = self._done.get(person.track_id, (-1, set()))
        fired = fired if episode == person.episode else set()
        self._done[person.track_id] = (person.episode, fired | {rule.name})
        utterance = ""
        if rule.utterances:
            turn = self._spoken.get(rule.name, 0)
            self._spoken[rule.name] = turn + 1
            utterance = rule.utterances[turn % len(rule.utterances)]
        held, intensity = person.emotion.held(stamp), person.intensity
        emotion = person.emotion.value
        role = "whom it attends to" if attended else "in view"
        reason = (
            f"Person {person.track_id}, {role}, has looked {label_of(emotion)} for {held:.1f} s, "
            f"mean probability {intensity:.2f}: rule '{rule.name}', priority {rule.priority}."
        )
        return Fired(rule, person, emotion, held, intensity, utterance, reason)
