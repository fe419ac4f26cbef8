"""Selection of the person to attend to: who looks at the robot, is near, new, expressive.

The score of a person is the weighted mean of three values from 0 to 1:

- nearness: 1 up to `near` metres, 0 from `far` on, linear in between; if the distance is unknown,
  the size of the face in the image is used instead (`near_size`, `far_size`);
- novelty: exp(-t / new_for), t seconds after the first image of the person;
- expression: 1 minus the probability of neutral, 0 while the emotion is unknown.

A person who looks at the robot leads over one who does not by `engaged_lead` beyond the scores, and
by half of it over one whose direction is unknown.

Attention moves to another person only if that person leads by `inertia` for `patience` seconds, and
after it has rested on one person for `dwell` seconds, unless that person is gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edan_ros.behaviors.engagement import EngagementMonitor, Level
from edan_ros.behaviors.people import Person
from edan_ros.behaviors.snapshot import NEUTRAL
from edan_ros.core.emotions import UNKNOWN
from edan_ros.core.settings import CheckedSettings, SettingsError, number, seconds


@dataclass(frozen=True)
class AttentionSettings(CheckedSettings):
    """Weights of the score, and inertia."""

    weight_near: float = number(0.4, 0.0, 1.0, "weight of nearness in the score")
    weight_new: float = number(0.2, 0.0, 1.0, "weight of novelty in the score")
    weight_expressive: float = number(0.4, 0.0, 1.0, "weight of expression in the score")
    near: float = number(0.6, 0.1, 5.0, "distance up to which nearness is 1", "m")
    far: float = number(3.5, 0.2, 20.0, "distance from which nearness is 0", "m")
    near_size: float = number(
        0.4,
        0.05,
        1.0,
        "face size, as a fraction of the image's height, from which nearness is 1 if the "
        "distance is unknown",
    )
    far_size: float = number(
        0.06,
        0.0,
        0.9,
        "face size, as a fraction of the image's height, up to which nearness is 0 if the "
        "distance is unknown",
    )
    new_for: float = seconds(4.0, 0.5, 60.0, "time constant with which novelty decays")
    engaged_lead: float = number(
        1.0,
        0.0,
        2.0,
        "lead, in score, of a person who looks at the robot over one who does not: 0 to ignore it",
    )
    inertia: float = number(
        0.12, 0.0, 1.0, "lead in score that another person needs to draw attention"
    )
    patience: float = seconds(0.5, 0.0, 10.0, "time for which another person must lead")
    dwell: float = seconds(1.5, 0.0, 30.0, "shortest time for which attention rests on one person")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.near >= self.far or self.far_size >= self.near_size:
            raise SettingsError("near must be below far, and far_size below near_size")
        if self.weight_near + self.weight_new + self.weight_expressive <= 0.0:
            raise SettingsError(
                "one of weight_near, weight_new, weight_expressive must be positive"
            )


@dataclass(frozen=True)
class Score:
    """The score of a person and its three parts, each 0 to 1.

    level: engagement of the person. rank: the total with the lead of those who look at the robot.
    """

    total: float = 0.0
    near: float = 0.0
    new: float = 0.0
    expressive: float = 0.0
    level: Level = Level.UNKNOWN
    rank: float = 0.0


class Attention:
    """Selects one person; call `choose` after every snapshot."""

    def __init__(self, settings: AttentionSettings) -> None:
        self.settings = settings
        self.track_id = 0  # of the person attended to, 0 for nobody
        self._paused = 0  # track to return to after a gap in the images
        self.score = Score()
        self._since = -math.inf
        self._rival = 0
        self._rival_since = -math.inf

    def choose(
        self,
        people: Iterable[Person],
        stamp: float,
        image_height: int,
        engagement: EngagementMonitor,
    ) -> int:
        """Return the track of the person to attend to in the snapshot with this stamp, or 0."""
        scores = {
            p.track_id: self.rate(p, stamp, image_height, engagement.level(p.track_id))
            for p in people
        }
        if not scores:
            self.release()
            return 0
        if self._paused in scores:
            self.track_id = self._paused
        self._paused = 0
        best = max(scores, key=lambda track: (scores[track].rank, -track))
        current = scores.get(self.track_id)
        if current is None:
            self._turn_to(best, stamp)
        elif scores[best].rank > current.rank + self.settings.inertia:
            if best != self._rival:
                self._rival, self._rival_since = best, stamp
            patient = stamp - self._rival_since >= self.settings.patience
            if patient and stamp - self._since >= self.settings.dwell:
                self._turn_to(best, stamp)
        else:
            self._rival = 0
        self.score = scores[self.track_id]
        return self.track_id

    def pause(self) -> None:
        """Attend to nobody until the next image, and then to the same person if still there."""
        paused = self.track_id or self._paused
        self.release()
        self._paused = paused

    def release(self) -> None:
        """Attend to nobody."""
        self.track_id = self._rival = self._paused = 0
        self.score = Score()

    def rate(self, person: Person, stamp: float, image_height: int, level: Level) -> Score:
        """Return the score of one person, as defined above."""
        s, face = self.settings, person.face
        if face.position is not None:
            near = (s.far - math.hypot(*face.position)) / (s.far - s.near)
        else:
            near = (face.box.size / image_height - s.far_size) / (s.near_size - s.far_size)
        near = min(max(near, 0.0), 1.0)
        new = math.exp(-(stamp - person.first_seen) / s.new_for)
        known = person.emotion.value != UNKNOWN and face.emotion != UNKNOWN
        expressive = 1.0 - min(face.probabilities[NEUTRAL], 1.0) if known else 0.0
        parts = s.weight_near * near + s.weight_new * new + s.weight_expressive * expressive
        total = min(parts / (s.weight_near + s.weight_new + s.weight_expressive), 1.0)
        share = {Level.UNKNOWN: 0.5, Level.DISENGAGED: 0.0}.get(level, 1.0)
        return Score(total, near, new, expressive, level, total + share * s.engaged_lead)

    def _turn_to(self, track_id: int, stamp: float) -> None:
        self.track_id, self._since, self._rival = track_id, stamp, 0
