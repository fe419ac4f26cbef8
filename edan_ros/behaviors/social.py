"""The humanoid's behaviour: attention, gaze, reactions and the expression of its own face."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edan_ros.behaviors.attention import Attention, AttentionSettings, Score
from edan_ros.behaviors.engagement import (
    EngagementMonitor,
    EngagementReport,
    EngagementSettings,
    Level,
)
from edan_ros.behaviors.people import People, PeopleSettings, Person
from edan_ros.behaviors.reaction_table import Rule
from edan_ros.behaviors.reactions import Fired, Reactions
from edan_ros.behaviors.snapshot import NEUTRAL, Snapshot
from edan_ros.behaviors.timing import Admission, StampClock, TimeSettings
from edan_ros.core.emotions import EMOTIONS, UNKNOWN
from edan_ros.core.settings import CheckedSettings, seconds, setting

Position = tuple[float, float, float]

#: Expression of the robot for the emotion of a person. Fear, disgust and anger, which mirroring
#: would reinforce, are met with a neutral face.
MIRROR: dict[int, int] = {
    EMOTIONS.index(shown): EMOTIONS.index(mirrored)
    for shown, mirrored in (
        ("neutral", "neutral"),
        ("happy", "happy"),
        ("sad", "sad"),
        ("surprise", "surprise"),
        ("fear", "neutral"),
        ("disgust", "neutral"),
        ("anger", "neutral"),
    )
}


@dataclass(frozen=True)
class ExpressionSettings(CheckedSettings):
    """Gaze, reactions and the robot's own face."""

    reaction_interval: float = seconds(
        4.0, 0.0, 3600.0, "shortest time between two reactions, whatever the rules"
    )
    gaze_smoothing: float = seconds(
        0.2, 0.0, 2.0, "time constant with which the gaze target is smoothed; 0 for none"
    )
    mirror: bool = setting(True, "the robot's face mirrors the person attended to")
    expression_hold: float = seconds(
        1.5, 0.1, 60.0, "shortest time for which the robot's face keeps an expression"
    )
    expression_time: float = seconds(
        4.0, 0.1, 60.0, "time for which a reaction's expression stays on the robot's face"
    )


@dataclass(frozen=True)
class SocialSettings:
    """All settings of the humanoid's behaviour."""

    rules: tuple[Rule, ...] = ()
    time: TimeSettings = field(default_factory=TimeSettings)
    people: PeopleSettings = field(default_factory=PeopleSettings)
    attention: AttentionSettings = field(default_factory=AttentionSettings)
    engagement: EngagementSettings = field(default_factory=EngagementSettings)
    expression: ExpressionSettings = field(default_factory=ExpressionSettings)


@dataclass(frozen=True)
class SocialReport:
    """The decisions at one time.

    Attributes:
        now: the time in seconds.
        stale: whether the newest faces are outdated.
        track_id: of the person attended to, 0 for nobody.
        score: of that person.
        gaze: point to look at in the camera optical frame in metres, or None.
        gaze_stamp: stamp in seconds of the snapshot that ``gaze`` is from.
        expression: of the robot's face, index into EMOTIONS.
        reason: one sentence on the person attended to.
    """

    now: float
    stale: bool
    track_id: int
    score: Score
    gaze: Position | None
    gaze_stamp: float
    expression: int
    reason: str


class Gaze:
    """The gaze target: the eyes of the person attended to, smoothed per person."""

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing
        self.point: Position | None = None
        self.stamp = -math.inf
        self._track = 0

    def update(self, person: Person | None, stamp: float) -> None:
        """Add the person attended to in the snapshot with this stamp."""
        if person is None or person.face.position is None:
            self.point = None
            return
        if person.last_seen != stamp:
            return  # hidden for a moment: keep the last target
        target = person.face.position
        if self.point is not None and person.track_id == self._track and self.smoothing > 0.0:
            share = -math.expm1(-(stamp - self.stamp) / self.smoothing)
            x, y, z = (a + share * (b - a) for a, b in zip(self.point, target, strict=True))
            target = (x, y, z)
        self.point, self.stamp, self._track = target, stamp, person.track_id


class OwnFace:
    """The expression of the robot's face, which changes no more often than set."""

    def __init__(self, settings: ExpressionSettings) -> None:
        self.settings = settings
        self.expression = NEUTRAL
        self._changed = -math.inf
        self._reaction = UNKNOWN
        self._reaction_until = -math.inf

    def react(self, expression: int, elapsed: float) -> None:
        """Set a reaction's expression for `expression_time`."""
        if expression != UNKNOWN:
            self._reaction = expression
            self._reaction_until = elapsed + self.settings.expression_time

    def update(self, shown: int, elapsed: float) -> int:
        """Add the emotion of the person attended to, UNKNOWN for none; return the expression."""
        if elapsed < self._reaction_until:
            target = self._reaction
        elif self.settings.mirror:
            target = MIRROR.get(shown, NEUTRAL)
        else:
            target = NEUTRAL
        if target != self.expression and elapsed - self._changed >= self.settings.expression_hold:
            self.expression, self._changed = target, elapsed
        return self.expression


class Social:
    """The humanoid's behaviour. `observe` snapshots as they arrive, `step` at a steady rate."""

    def __init__(self, settings: SocialSettings) -> None:
        self.clock = StampClock(settings.time, self._restart)
        self._face = OwnFace(settings.expression)
        self._reactions = Reactions(settings.rules, settings.expression.reaction_interval)
        self._configure(settings)

    def _configure(self, settings: SocialSettings) -> None:
        self.settings = settings
        self._people = People(settings.people)
        self._attention = Attention(settings.attention)
        self._engagement = EngagementMonitor(settings.engagement)
        self._gaze = Gaze(settings.expression.gaze_smoothing)

    def reconfigure(self, settings: SocialSettings) -> None:
        """Set new settings.

        Cooldowns and the robot's expression continue. The people are kept unless the settings of
        people, attention or engagement change.
        """
        before, self.settings = self.settings, settings
        self.clock.settings = settings.time
        self._face.settings = settings.expression
        self._reactions.rules = settings.rules
        self._reactions.interval = settings.expression.reaction_interval
        self._gaze.smoothing = settings.expression.gaze_smoothing
        if _people_settings(before) != _people_settings(settings):
            self._configure(settings)

    @property
    def engagement(self) -> tuple[EngagementReport, ...]:
        """Engagement of the people in the newest image that counted, in its order."""
        return self._engagement.reports

    def observe(self, snapshot: Snapshot, now: float) -> tuple[Admission, Fired | None]:
        """Add the faces of an image arriving at `now`; return whether it counts, and a reaction."""
        admission = self.clock.admit(snapshot.stamp, now)
        if admission is not Admission.NEW:
            return admission, None
        self._people.observe(snapshot)
        self._engagement.observe(snapshot)
        people = list(self._people.all())
        attended = self._attention.choose(people, snapshot.stamp, snapshot.height, self._engagement)
        self._gaze.update(self._people.find(attended), snapshot.stamp)
        fired = self._reactions.decide(people, attended, snapshot.stamp, self.clock.elapsed)
        if fired is not None:
            self._face.react(fired.rule.expression, self.clock.elapsed)
        return admission, fired

    def score(self, person: Person, snapshot: Snapshot) -> float:
        """Return the attention score of a person in a snapshot, 0 to 1."""
        level = self._engagement.level(person.track_id)
        return self._attention.rate(person, snapshot.stamp, snapshot.height, level).total

    def step(self, now: float) -> SocialReport:
        """Return the decisions at `now`."""
        self.clock.advance(now)
        stale = self.clock.is_stale(now)
        if stale:
            self._attention.pause()
            self._gaze.update(None, now)
        person = self._people.find(self._attention.track_id)
        shown = UNKNOWN if person is None else person.emotion.value
        return SocialReport(
            now=now,
            stale=stale,
            track_id=self._attention.track_id,
            score=self._attention.score,
            gaze=self._gaze.point,
            gaze_stamp=self._gaze.stamp,
            expression=self._face.update(shown, self.clock.elapsed),
            reason=self._reason(person, stale=stale),
        )

    def _restart(self) -> None:
        self._reactions.restart()
        self._configure(self.settings)

    def _reason(self, person: Person | None, *, stale: bool) -> str:
        if person is None:
            return "No faces arrive." if stale else "Nobody is in view."
        s = self._attention.score
        return (
            f"Attending to person {person.track_id}: score {s.total:.2f} from nearness "
            f"{s.near:.2f}, novelty {s.new:.2f}, expression {s.expressive:.2f}"
            f"{'' if s.level is Level.UNKNOWN else f'; {s.level.name.lower()}'}."
        )


def _people_settings(settings: SocialSettings) -> tuple[object, ...]:
    return settings.people, settings.attention, settings.engagement
