"""What a robot agent may know of the people in view, as plain data with its uncertainty.

Where a head and the eyes point is no attention, and an expression is what a face shows: `LIMITS`
says what does not follow from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edan_ros.behaviors.engagement import Vector, angle_between, gaze_of, head_of, line_to
from edan_ros.behaviors.people import People, PeopleSettings, Person
from edan_ros.behaviors.snapshot import FaceSnapshot, Snapshot
from edan_ros.behaviors.timing import Admission, Debounced, StampClock, TimeSettings
from edan_ros.core.emotions import EMOTIONS, UNKNOWN, label_of
from edan_ros.core.settings import CheckedSettings, number, seconds

#: Targets of a head or of eyes beside another person's id.
ROBOT, ELSEWHERE, NOT_KNOWN = "robot", "elsewhere", "unknown"
#: What must not be concluded, one sentence each.
LIMITS = (
    "An expression is what a face shows, estimated from images; it is not what a person feels, "
    "thinks or intends.",
    "Do not conclude honesty, health, fatigue, personality, age, sex or origin from it.",
    "A head or eyes that point at something do not show that the person attends to it, and eyes "
    "that point elsewhere do not show that the person does not listen.",
    "An id is a track of a face, not an identity: a person who leaves and returns has another id.",
    "Only people whose face is visible are listed: an empty list does not mean that nobody is "
    "there.",
    "Do not decide on safety, employment, education or access by this information.",
)
#: Smallest probability of an alternative expression that is listed.
_ALTERNATIVE = 0.1
#: Seconds after which a head or eyes that no longer point at a target have left it.
_FORGET = 1.0


@dataclass(frozen=True)
class ContextSettings(CheckedSettings):
    """When a head or eyes count as pointing at a person or the camera."""

    towards: float = number(
        0.3,
        0.05,
        1.0,
        "largest angle between the direction of a head, or of the eyes, and the camera or person "
        "that it points at",
        "rad",
    )
    settle: float = seconds(
        0.5, 0.0, 5.0, "time for which a head or eyes must point at a target before that counts"
    )


@dataclass(frozen=True)
class ContextOptions:
    """All settings of the context."""

    context: ContextSettings = field(default_factory=ContextSettings)
    time: TimeSettings = field(default_factory=TimeSettings)
    people: PeopleSettings = field(default_factory=PeopleSettings)


class PeopleContext:
    """The people in view as data. `observe` snapshots as they arrive, `describe` at any time."""

    def __init__(self, options: ContextOptions) -> None:
        self.options = options
        self.clock = StampClock(options.time, self._reset)
        self._reset()

    def _reset(self) -> None:
        """Drop all people."""
        self._people = People(self.options.people)
        #: Track -> targets of the head and of the eyes.
        self._targets: dict[int, tuple[Debounced[str], Debounced[str]]] = {}
        self._width = 1

    def reconfigure(self, options: ContextOptions) -> None:
        """Set new settings; the people count as new."""
        self.options, self.clock.settings = options, options.time
        self._reset()

    def observe(self, snapshot: Snapshot, now: float) -> Admission:
        """Add the faces of one image arriving at `now`; return whether its stamp counts."""
        admission = self.clock.admit(snapshot.stamp, now)
        if admission is not Admission.NEW:
            return admission
        self._people.observe(snapshot)
        self._width = snapshot.width
        settle, towards = self.options.context.settle, self.options.context.towards
        for face in snapshot.usable_faces():
            targets = self._targets.get(face.track_id)
            if targets is None:
                head, eyes = (
                    Debounced(NOT_KNOWN, settle=settle, forget=settle + _FORGET, gap=_FORGET)
                    for _ in range(2)
                )
                targets = self._targets[face.track_id] = head, eyes
            for target, direction in zip(targets, (head_of(face), gaze_of(face)), strict=True):
                target.update(target_of(direction, face, snapshot, towards), snapshot.stamp)
        present = {person.track_id for person in self._people.all()}
        self._targets = {k: v for k, v in self._targets.items() if k in present}
        return admission

    def describe(self, now: float) -> dict[str, Any]:
        """Return the context at ``now`` as data for JSON.

        ``is_current`` is false, and nobody is listed, while no image is new enough. Of each person:
        ``id``, ``here_for_s``, ``visible`` (in the newest image), ``distance_m`` (null without a
        calibration), ``side`` of the image, ``head_towards`` and ``eyes_towards`` ("robot",
        another id as text, "elsewhere" or "unknown") and ``expression`` with ``label``, ``for_s``,
        ``probability`` (mean since it began), ``uncertainty`` (0: one expression, 1: all seven
        equally likely), ``alternatives`` and ``valence`` (-1 to 1).
        """
        self.clock.advance(now)
        stamp = None if self.clock.is_stale(now) else self.clock.newest
        everybody = () if stamp is None else self._people.all()
        return {
            "stamp": self.clock.newest,
            "is_current": stamp is not None,
            "people": [self._person(p, stamp) for p in everybody if stamp is not None],
            "limits": list(LIMITS),
        }

    def _person(self, person: Person, stamp: float) -> dict[str, Any]:
        face = person.face
        distance = None if face.position is None else round(math.hypot(*face.position), 2)
        head, eyes = self._targets[person.track_id]
        return {
            "id": person.track_id,
            "here_for_s": round(stamp - person.first_seen, 1),
            "visible": person.last_seen == stamp,
            "distance_m": distance,
            "side": self._side(face),
            "head_towards": head.value,
            "eyes_towards": eyes.value,
            "expression": _expression(person, stamp),
        }

    def _side(self, face: FaceSnapshot) -> str:
        centre = (face.box.x + 0.5 * face.box.width) / self._width
        return "left" if centre < 1 / 3 else "right" if centre > 2 / 3 else "middle"


def target_of(direction: Vector | None, face: FaceSnapshot, image: Snapshot, towards: float) -> str:
    """Return what a head or eyes point at: ROBOT, the id of another person, ELSEWHERE or NOT_KNOWN.

    Args:
        direction: of the head or the eyes in the camera optical frame, None if unknown.
        face: the face in the image; without its position only the robot can be found.
        image: the snapshot, with the other people.
        towards: largest angle to the target in radians; the nearest target within it counts.
    """
    if direction is None:
        return NOT_KNOWN
    lines = {ROBOT: line_to(face, image)}
    if face.position is not None:
        lines |= {
            str(other.track_id): line_to(face, image, other.position)
            for other in image.usable_faces()
            if other.track_id != face.track_id and other.position is not None
        }
    angles = {name: angle_between(direction, line) for name, line in lines.items()}
    nearest = min(angles, key=lambda name: angles[name])
    return nearest if angles[nearest] <= towards else ELSEWHERE


def _expression(person: Person, stamp: float) -> dict[str, Any]:
    face, emotion = person.face, person.emotion.value
    p = np.array(face.probabilities)
    entropy = -float(np.sum(p * np.log(np.maximum(p, 1e-12)))) / math.log(len(p))
    others = {
        name: round(float(share), 2)
        for name, share in zip(EMOTIONS, p, strict=True)
        if name != label_of(emotion) and share >= _ALTERNATIVE
    }
    return {
        "label": label_of(emotion),
        "for_s": round(person.emotion.held(stamp), 1),
        "probability": None if emotion == UNKNOWN else round(person.intensity, 2),
        "uncertainty": round(min(max(entropy, 0.0), 1.0), 2),
        "alternatives": others,
        "valence": None if math.isnan(face.valence) else round(face.valence, 2),
    }
