"""Announces who is where, which emotions they show and what has changed, to a blind person.

Nothing is queued. Whenever a sentence may be spoken, it is on the most important difference between
the people in view and what was announced before, so that sentences are never late and never come
more often than set. In order of importance: a person shows a strong emotion (`STRONG`), has
arrived, shows another emotion, looks at the user, has gone, has moved. Of a crowd only the number
and the nearest person are announced.

What is announced is true in the newest image. A change that is over before it could be announced is
left out, except that a strong emotion and a look are announced in the past tense.

The camera is with the user, so that who looks at the camera looks at the user. Only measured eyes
count: a head that faces the user is not announced.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edan_ros.behaviors.catalogue import DIRECTIONS, DISTANCES, Catalogue, load_catalogue
from edan_ros.behaviors.engagement import EngagementMonitor, EngagementSettings, Level
from edan_ros.behaviors.people import People, PeopleSettings, Person
from edan_ros.behaviors.snapshot import FaceSnapshot, Snapshot
from edan_ros.behaviors.timing import Admission, StampClock, TimeSettings
from edan_ros.core.emotions import EMOTIONS, UNKNOWN
from edan_ros.core.settings import CheckedSettings, SettingsError, number, seconds, setting

#: Emotions that are announced first, without regard to `person_interval`.
STRONG = frozenset(EMOTIONS.index(name) for name in ("fear", "anger"))
#: Seconds for which a strong emotion or a look that has ended is worth a sentence.
PAST = 10.0


@dataclass(frozen=True)
class AnnouncerSettings(CheckedSettings):
    """Contents and frequency of the announcements."""

    language: str = setting(
        "en", "language of the sentences: en, es, pl, or the path of your own catalogue (.yaml)"
    )
    interval: float = seconds(3.0, 0.5, 600.0, "shortest time between two sentences")
    person_interval: float = seconds(
        6.0,
        0.0,
        600.0,
        "shortest time between two sentences on one person, except on fear and anger",
    )
    looks: bool = setting(True, "announce who looks at the user, where the eyes are measured")
    appear: float = seconds(
        1.0, 0.0, 30.0, "time for which a person must be present to be announced"
    )
    crowd: int = number(
        4, 2, 100, "number of people from which they are announced as a crowd", "people"
    )
    crowd_interval: float = seconds(
        10.0, 0.5, 600.0, "shortest time between two sentences on a crowd"
    )
    side: float = number(
        0.33,
        0.05,
        0.45,
        "width of the left and of the right side, as a fraction of the image's width",
    )
    near: float = number(1.5, 0.2, 10.0, "distance below which a person is near", "m")
    far: float = number(3.5, 0.5, 50.0, "distance above which a person is far", "m")
    near_size: float = number(
        0.2,
        0.02,
        1.0,
        "face size, as a fraction of the image's height, above which a person of unknown distance "
        "is near",
    )
    far_size: float = number(
        0.08,
        0.0,
        0.9,
        "face size, as a fraction of the image's height, below which a person of unknown distance "
        "is far",
    )
    mirrored: bool = setting(
        False, "the image is mirrored, as that of a camera that faces its user"
    )
    blind_after: float = seconds(
        5.0, 1.0, 600.0, "time without images after which that is announced, once"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.near >= self.far or self.far_size >= self.near_size:
            raise SettingsError("near must be below far, and far_size below near_size")


#: Settings of people for announcements: longer emotions, and longer absences.
PEOPLE = PeopleSettings(settle=0.8, forget=2.5, lost=3.0)


@dataclass(frozen=True)
class AnnouncerOptions:
    """All settings of the announcer."""

    announcer: AnnouncerSettings = field(default_factory=AnnouncerSettings)
    time: TimeSettings = field(default_factory=TimeSettings)
    people: PeopleSettings = PEOPLE
    engagement: EngagementSettings = field(default_factory=EngagementSettings)


@dataclass(frozen=True)
class Sentence:
    """A sentence to say.

    Attributes:
        text: in the language of the catalogue.
        kind: arrived, looks, changed, past, gone, moved, crowd or blind.
        track_id: of the person, 0 for none.
    """

    text: str
    kind: str
    track_id: int = 0


@dataclass
class _Place:
    direction: str
    distance: str


@dataclass
class _Announced:
    """The last announcement on a person.

    when: `elapsed` in seconds. strong: the same of the last announcement of each strong emotion.
    """

    place: _Place
    emotion: int
    when: float
    strong: dict[int, float] = field(default_factory=dict)


class Announcer:
    """The announcer. `observe` snapshots, `step` at a steady rate and say what it returns."""

    #: Hysteresis of directions and distances, as a fraction of the range between their limits.
    HYSTERESIS = 0.12

    def __init__(self, options: AnnouncerOptions) -> None:
        self.clock = StampClock(options.time, self._reset)
        self._spoke = -math.inf  # `elapsed` at the last sentence
        self._crowd_announced = -math.inf
        self._observed_at = 0.0  # `elapsed` at the newest snapshot
        self._blind_announced = False
        self.options = options
        self.catalogue: Catalogue = load_catalogue(options.announcer.language)
        self._reset()

    def _reset(self) -> None:
        """Drop all people and announcements."""
        self._people = People(self.options.people)
        self._places: dict[int, _Place] = {}
        self._announced: dict[int, _Announced] = {}
        #: Track -> the newest strong emotion, and `elapsed` when it was last shown.
        self._strong: dict[int, tuple[int, float]] = {}
        self._engagement = EngagementMonitor(self.options.engagement)
        #: Track -> `elapsed` when a look that has not been announced was last seen.
        self._looks: dict[int, float] = {}
        self._episodes: dict[int, int] = {}  # of looks, by track
        self._crowd = 0
        self._stamp = -math.inf

    def reconfigure(self, options: AnnouncerOptions) -> None:
        """Set new settings. The people in view are announced again when the interval allows.

        Raises CatalogueError, and changes nothing, if the language is not available.
        """
        self.catalogue = load_catalogue(options.announcer.language)
        self.clock.settings = options.time
        self.options = options
        self._reset()

    def observe(self, snapshot: Snapshot, now: float) -> Admission:
        """Add the faces of one image arriving at `now`; return whether its stamp counts."""
        admission = self.clock.admit(snapshot.stamp, now)
        if admission is not Admission.NEW:
            return admission
        self._observed_at, self._stamp = self.clock.elapsed, snapshot.stamp
        self._blind_announced = False
        self._people.observe(snapshot)
        self._engagement.observe(snapshot)
        self._places = {
            p.track_id: self._place(p.face, self._places.get(p.track_id), snapshot)
            for p in self._people.all()
        }
        self._rejoin()
        self._strong = {t: strong for t, strong in self._strong.items() if self._people.find(t)}
        for person in self._people.all():
            if self._shown(person) in STRONG:
                self._strong[person.track_id] = (person.emotion.value, self.clock.elapsed)
        self._observe_looks()
        return admission

    def step(self, now: float) -> Sentence | None:
        """Return the sentence to say at `now`, or None."""
        self.clock.advance(now)
        s, elapsed = self.options.announcer, self.clock.elapsed
        if elapsed - self._spoke < s.interval:
            return None
        find = self._blind if self.clock.is_stale(now) else self._difference
        sentence = find(elapsed)
        if sentence is not None:
            self._spoke = elapsed
        return sentence

    def _blind(self, elapsed: float) -> Sentence | None:
        blind_after = self.options.announcer.blind_after
        if self._blind_announced or elapsed - self._observed_at < blind_after:
            return None
        self._blind_announced = True
        self._announced.clear()
        self._crowd = 0
        return Sentence(self.catalogue.blind(), "blind")

    def _difference(self, elapsed: float) -> Sentence | None:
        """Return a sentence on the most important difference to what was announced, or None."""
        s = self.options.announcer
        present = [
            p for p in self._people.all() if p.track_id in self._announced or self._is_ready(p)
        ]
        present.sort(key=self._nearness)
        gap = self.options.people.gap
        in_view = [p for p in present if self._stamp - p.last_seen <= gap]
        if len(in_view) >= s.crowd or self._crowd:
            return self._count_crowd(in_view, elapsed)
        for find in (
            self._strong_emotion,
            self._arrived,
            self._changed,
            self._looking,
            self._gone,
            self._moved,
        ):
            sentence = find(present, elapsed)
            if sentence is not None:
                return sentence
        return None

    def _count_crowd(self, present: list[Person], elapsed: float) -> Sentence | None:
        """Return a sentence on the number of people and the nearest, also when a crowd ends."""
        s = self.options.announcer
        self._announced.clear()  # what happens to a person in a crowd is not announced later
        self._strong.clear()
        self._looks.clear()
        for person in present:
            self._mark_announced(person, elapsed, self._shown(person))
        due = elapsed - self._crowd_announced >= s.crowd_interval
        if len(present) == self._crowd or not due:
            return None
        nearest = next(filter(self._is_visible, present), None)
        if nearest is None and not self._is_empty():
            return None
        self._crowd = len(present) if len(present) >= s.crowd else 0
        self._crowd_announced = elapsed
        if nearest is None:
            return Sentence(self.catalogue.nobody(), "crowd")
        place, emotion = self._places[nearest.track_id], self._shown(nearest)
        text = self.catalogue.many(len(present), place.direction, place.distance, emotion)
        return Sentence(text, "crowd", nearest.track_id)

    def _strong_emotion(self, present: list[Person], elapsed: float) -> Sentence | None:
        """Return a sentence on a strong emotion that is shown, or was a moment ago."""
        for person in present:
            track = person.track_id
            announced = self._announced.get(track)
            if announced is None or track not in self._strong:
                continue
            emotion, shown_at = self._strong[track]
            before = announced.strong.get(emotion, -math.inf)
            if emotion == announced.emotion or not self._is_due(before, elapsed):
                continue
            if self._shown(person) == emotion:
                return self._change(person, emotion, elapsed)
            del self._strong[track]
            text = self.catalogue.past(self._places[track].direction, emotion)
            if text and elapsed - shown_at <= PAST:
                self._mark_announced(person, elapsed, announced.emotion).strong[emotion] = elapsed
                return Sentence(text, "past", track)
        return None

    def _arrived(self, present: list[Person], elapsed: float) -> Sentence | None:
        for person in sorted(present, key=lambda person: self._shown(person) not in STRONG):
            if person.track_id not in self._announced:
                announced = self._mark_announced(person, elapsed, self._shown(person))
                text = self.catalogue.arrived(
                    announced.place.direction, announced.place.distance, announced.emotion
                )
                return Sentence(text, "arrived", person.track_id)
        return None

    def _looking(self, present: list[Person], elapsed: float) -> Sentence | None:
        """Return a sentence on a person who looks at the user, or did a moment ago."""
        for person in present:
            track = person.track_id
            announced, seen_at = self._announced[track], self._looks.get(track)
            if seen_at is None or not self._is_due(announced.when, elapsed):
                continue
            del self._looks[track]
            looks = self._is_looking(track)
            if looks or elapsed - seen_at <= PAST:
                text = self.catalogue.looks(self._places[track].direction, past=not looks)
                if text:
                    self._mark_announced(person, elapsed, announced.emotion)
                    return Sentence(text, "looks" if looks else "past", track)
        return None

    def _changed(self, present: list[Person], elapsed: float) -> Sentence | None:
        for person in present:
            emotion, before = self._shown(person), self._announced[person.track_id]
            is_new = emotion not in (UNKNOWN, before.emotion)
            if is_new and self._is_due(before.when, elapsed):
                return self._change(person, emotion, elapsed)
        return None

    def _change(self, person: Person, emotion: int, elapsed: float) -> Sentence:
        self._strong.pop(person.track_id, None)
        announced = self._mark_announced(person, elapsed, emotion)
        text = self.catalogue.changed(announced.place.direction, emotion)
        return Sentence(text, "changed", person.track_id)

    def _gone(self, present: list[Person], elapsed: float) -> Sentence | None:
        del present, elapsed
        gone = [track for track in self._announced if self._people.find(track) is None]
        if not gone:
            return None
        empty = self._is_empty()
        if len(gone) > 1 and empty:
            self._announced.clear()
            return Sentence(self.catalogue.nobody(), "gone")
        announced = self._announced.pop(gone[0])
        text = self.catalogue.gone(announced.place.direction, last=empty)
        return Sentence(text, "gone", gone[0])

    def _moved(self, present: list[Person], elapsed: float) -> Sentence | None:
        for person in present:
            place, before = self._places[person.track_id], self._announced[person.track_id]
            due = self._is_due(before.when, elapsed) and self._is_visible(person)
            if place != before.place and due:
                self._mark_announced(person, elapsed, before.emotion)
                text = self.catalogue.moved(before.place.direction, place.direction, place.distance)
                return Sentence(text, "moved", person.track_id)
        return None

    def _observe_looks(self) -> None:
        """Store who looks at the user, once for each engagement."""
        if not self.options.announcer.looks:
            return
        people = self._engagement.people
        self._looks = {t: at for t, at in self._looks.items() if self._people.find(t)}
        self._episodes = {t: n for t, n in self._episodes.items() if t in people}
        for track in people:
            if not self._is_looking(track):
                continue
            if people[track].episode != self._episodes.get(track):
                self._episodes[track] = people[track].episode
                self._looks[track] = self.clock.elapsed
            elif track in self._looks:
                self._looks[track] = self.clock.elapsed

    def _is_looking(self, track: int) -> bool:
        """Return whether the eyes of an engaged person look at the user in the newest image."""
        return any(
            report.track_id == track and report.by_gaze and report.level is Level.ENGAGED
            for report in self._engagement.reports
        )

    def _is_ready(self, person: Person) -> bool:
        """Return whether a person who has arrived can be announced, if possible with an emotion."""
        s = self.options
        settled = self._shown(person) == person.face.emotion
        wait = s.announcer.appear + (0.0 if settled else s.people.settle)
        return self._is_visible(person) and person.last_seen - person.first_seen >= wait

    def _is_due(self, before: float, elapsed: float) -> bool:
        return elapsed - before >= self.options.announcer.person_interval

    def _is_visible(self, person: Person) -> bool:
        return person.last_seen == self._stamp

    def _is_empty(self) -> bool:
        """Return whether nobody is in view, nor was a moment ago."""
        return not any(True for _ in self._people.all())

    def _shown(self, person: Person) -> int:
        """Return the lasting emotion that the newest image confirms, or UNKNOWN."""
        emotion = person.emotion.value
        confirmed = self._is_visible(person) and person.face.emotion == emotion
        return emotion if confirmed else UNKNOWN

    def _mark_announced(self, person: Person, elapsed: float, emotion: int) -> _Announced:
        track = person.track_id
        before = self._announced.get(track)
        strong = before.strong if before else {}
        if emotion in STRONG and not (before and before.emotion == emotion):
            strong[emotion] = elapsed
        announced = _Announced(self._places[track], emotion, elapsed, strong)
        self._announced[track] = announced
        return announced

    def _rejoin(self) -> None:
        """Take a new track for an announced person who was lost in the same direction."""
        for person in list(self._people.all()):
            if person.track_id in self._announced or not self._is_visible(person):
                continue
            place = self._places[person.track_id]
            for track, announced in list(self._announced.items()):
                known = self._people.find(track)
                hidden = known is None or known.last_seen < self._stamp
                if hidden and announced.place.direction == place.direction:
                    self._announced[person.track_id] = self._announced.pop(track)
                    if track in self._strong:
                        self._strong[person.track_id] = self._strong.pop(track)
                    if track in self._looks:
                        self._looks[person.track_id] = self._looks.pop(track)
                    self._people.remove(track)
                    break

    def _nearness(self, person: Person) -> tuple[int, float]:
        distance = DISTANCES.index(self._places[person.track_id].distance)
        return distance, -person.face.box.size

    def _place(self, face: FaceSnapshot, before: _Place | None, snapshot: Snapshot) -> _Place:
        """Return direction and distance of a face, with hysteresis to those before."""
        s = self.options.announcer
        x = (face.box.x + 0.5 * face.box.width) / snapshot.width
        x = 1.0 - x if s.mirrored else x
        if face.position is not None:
            closeness = 1.0 / max(math.hypot(*face.position), 0.01)
            far, near = 1.0 / s.far, 1.0 / s.near
        else:
            closeness, far, near = face.box.size / snapshot.height, s.far_size, s.near_size
        old = before or _Place("", "")
        return _Place(
            self._bin(x, s.side, 1.0 - s.side, DIRECTIONS, old.direction),
            self._bin(closeness, far, near, DISTANCES[::-1], old.distance),
        )

    def _bin(self, x: float, low: float, high: float, names: tuple[str, ...], old: str) -> str:
        """Return the name of the range that x is in, with hysteresis to the old one."""
        margin = self.HYSTERESIS * (high - low)
        if old == names[0]:
            low += margin
        elif old == names[1]:
            low, high = low - margin, high + margin
        elif old == names[2]:
            high -= margin
        return names[0] if x < low else names[2] if x > high else names[1]
