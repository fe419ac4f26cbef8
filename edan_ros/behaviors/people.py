"""The people in view: since when, with which emotion, for how long and how strongly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edan_ros.behaviors.snapshot import FaceSnapshot, Snapshot
from edan_ros.behaviors.timing import Debounced
from edan_ros.core.emotions import UNKNOWN
from edan_ros.core.settings import SettingsError, check_settings, setting


@dataclass(frozen=True)
class PeopleSettings:
    """Durations after which emotions count and people are dropped."""

    settle: float = setting(
        0.3,
        "time for which an emotion must last before it counts as the person's",
        low=0.0,
        high=5.0,
        unit="s",
    )
    forget: float = setting(
        1.5,
        "time after which an emotion that is no longer shown gives way to unknown",
        low=0.1,
        high=30.0,
        unit="s",
    )
    gap: float = setting(
        1.0,
        "time between two images of a face above which durations start at zero",
        low=0.1,
        high=5.0,
        unit="s",
    )
    lost: float = setting(
        1.5, "time without a face after which a person is gone", low=0.1, high=30.0, unit="s"
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.forget < self.settle:
            raise SettingsError("forget must not be below settle")


class Person:
    """One person, identified by the track of the face. Times are stamps in seconds."""

    __slots__ = (
        "_count",
        "_interrupted",
        "_sum",
        "emotion",
        "episode",
        "face",
        "first_seen",
        "last_seen",
    )

    def __init__(self, stamp: float, settings: PeopleSettings) -> None:
        s = settings
        self.face: FaceSnapshot
        self.first_seen = self.last_seen = stamp
        self.emotion = Debounced(UNKNOWN, settle=s.settle, forget=s.forget, gap=s.gap)
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
