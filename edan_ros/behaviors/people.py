"""The people in view: since when, with which emotion, for how long and how strongly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edan_ros.behaviors.engagement import EngagementMonitor, EngagementSettings
from edan_ros.behaviors.snapshot import FaceSnapshot, Snapshot
from edan_ros.behaviors.timing import Admission, EmotionDurations, StampClock, TimeSettings
from edan_ros.core.emotions import UNKNOWN
from edan_ros.core.settings import CheckedSettings, seconds


@dataclass(frozen=True)
class PeopleSettings(EmotionDurations):
    """Durations after which emotions count and people are dropped."""

    lost: float = seconds(1.5, 0.1, 30.0, "time without a face after which a person is gone")


class Person:
    """One person, identified by the track of the face. Times are stamps in seconds."""

    def __init__(self, stamp: float, settings: PeopleSettings) -> None:
        self.face: FaceSnapshot
        self.first_seen = self.last_seen = stamp
        self.emotion = settings.debounced(UNKNOWN)
        #: Incremented when an emotion begins, unless only a gap in the images interrupted it.
        self.episode = 0
        self._interrupted = UNKNOWN
        self._sum = 0.0
        self._count = 0

    @property
    def track_id(self) -> int:
        """The track of the face."""
        return self.face.track_id

    @property
    def intensity(self) -> float:
        """Mean probability of the current emotion since it began, 0 to 1; 0 for unknown."""
        return self._sum / self._count if self._count else 0.0

    def update(self, face: FaceSnapshot, stamp: float) -> None:
        """Add the person's face in the image with this stamp."""
        gap = stamp - self.last_seen > self.emotion.gap
        self.face = face
        self.last_seen = stamp
        since, before = self.emotion.since, self.emotion.value
        emotion = self.emotion.update(face.emotion, stamp)
        if self.emotion.since != since:
            self._sum, self._count = 0.0, 0
        if emotion != before:
            if gap and emotion == UNKNOWN:
                self._interrupted = before
            elif emotion != self._interrupted:
                self.episode += 1
                self._interrupted = UNKNOWN
        if emotion != UNKNOWN:
            self._sum += face.probabilities[emotion]
            self._count += 1


class People:
    """The people in view or visible a moment ago. Stamps of snapshots must not go back."""

    def __init__(self, settings: PeopleSettings) -> None:
        self.settings = settings
        self._people: dict[int, Person] = {}

    def observe(self, snapshot: Snapshot) -> None:
        """Add the faces of one image."""
        stamp = snapshot.stamp
        lost = self.settings.lost
        self._people = {k: p for k, p in self._people.items() if stamp - p.last_seen <= lost}
        for face in snapshot.usable_faces():
            person = self._people.get(face.track_id)
            if person is None:
                person = self._people[face.track_id] = Person(stamp, self.settings)
            person.update(face, stamp)

    def all(self) -> Iterable[Person]:
        """Return the people in the order of their first image."""
        return self._people.values()

    def find(self, track_id: int) -> Person | None:
        """Return the person with this track, or None."""
        return self._people.get(track_id)

    def remove(self, track_id: int) -> None:
        """Remove the person with this track, if any."""
        self._people.pop(track_id, None)


@dataclass(frozen=True)
class RosterSettings(CheckedSettings):
    """Time for which tracks are kept."""

    lost: float = seconds(
        1.0, 0.0, 30.0, "time after which a face that is no longer visible is removed"
    )


class Roster:
    """The tracks in view. `observe` snapshots as they arrive, `step` at a steady rate.

    Attributes:
        engagement: of the people.
    """

    def __init__(
        self,
        settings: RosterSettings,
        time: TimeSettings,
        engagement: EngagementSettings | None = None,
    ) -> None:
        self.clock = StampClock(time, self._reset)
        self.settings = settings
        self.engagement = EngagementMonitor(engagement or EngagementSettings())
        self._stamps: dict[int, float] = {}

    def _reset(self) -> None:
        self._stamps.clear()
        self.engagement = EngagementMonitor(self.engagement.settings)

    def reconfigure(
        self, settings: tuple[RosterSettings, TimeSettings, EngagementSettings]
    ) -> None:
        """Set new settings; the tracks are kept, engagement starts again if its settings differ."""
        self.settings, self.clock.settings, engagement = settings
        if engagement != self.engagement.settings:
            self.engagement = EngagementMonitor(engagement)

    @property
    def tracks(self) -> tuple[int, ...]:
        """The tracks in the order of their first image."""
        return tuple(self._stamps)

    def observe(self, snapshot: Snapshot, now: float) -> Admission:
        """Add the faces of one image that arrives at `now`; return whether its stamp counts."""
        admission = self.clock.admit(snapshot.stamp, now)
        if admission is Admission.NEW:
            for face in snapshot.usable_faces():
                self._stamps[face.track_id] = snapshot.stamp
            oldest = snapshot.stamp - self.settings.lost
            self._stamps = {track: last for track, last in self._stamps.items() if last >= oldest}
            self.engagement.observe(snapshot)
        return admission

    def step(self, now: float) -> None:
        """Remove all tracks if the newest faces are outdated at `now`."""
        self.clock.advance(now)
        if self.clock.is_stale(now):
            self._stamps.clear()
