"""The people in a cabin: counted over occlusions, with seats, emotions and closed eyes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edan_ros.behaviors.snapshot import FEAR, FaceSnapshot, Snapshot
from edan_ros.behaviors.timing import Debounced, EmotionDurations, Evidence, Sustained
from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, POLARITY_UNKNOWN, UNKNOWN
from edan_ros.core.eyes import EYES_NOT_MEASURED
from edan_ros.core.settings import SettingsError, number, seconds, with_default

#: Indices of the negative emotions other than fear.
_DISTRESS = tuple(EMOTIONS.index(name) for name in ("sad", "disgust", "anger"))


@dataclass(frozen=True)
class Seat:
    """A seat and the region of the image where the face of its occupant is.

    Corners as fractions of the image's width and height, 0 to 1, from the top left.
    """

    name: str
    x0: float
    y0: float
    x1: float
    y1: float

    @staticmethod
    def parse(text: str) -> Seat:
        """Return the seat of a text such as "driver: 0.5 0.0 1.0 1.0" (left, top, right, bottom).

        Raises SettingsError for a text of another form.
        """
        name, _, numbers = text.partition(":")
        try:
            x0, y0, x1, y1 = (float(number) for number in numbers.split())
        except ValueError:
            x0 = y0 = x1 = y1 = math.nan
        if not name.strip() or not (0.0 <= x0 < x1 <= 1.0 and 0.0 <= y0 < y1 <= 1.0):
            raise SettingsError(
                f"'{text}' is no seat: write 'name: left top right bottom' in fractions of the "
                "image from 0 to 1, for example 'driver: 0.5 0.0 1.0 1.0'"
            )
        return Seat(name.strip(), x0, y0, x1, y1)

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point, in fractions of the image, lies in the seat's region."""
        return self.x0 <= x < self.x1 and self.y0 <= y < self.y1


def parse_seats(texts: Iterable[str]) -> tuple[Seat, ...]:
    """Return the seats of several texts. Raises SettingsError for a bad text or a repeated name."""
    seats = tuple(Seat.parse(text) for text in texts if text.strip())
    names = [seat.name for seat in seats]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"seat '{name}' is given {names.count(name)} times: give it once")
    return seats


@dataclass(frozen=True)
class OccupantSettings(EmotionDurations):
    """Counting of occupants, and evaluation of their emotions and eyes."""

    appear: float = seconds(
        0.5, 0.0, 10.0, "time for which a new face must be present to be counted"
    )
    occlusion: float = seconds(
        3.0, 0.1, 60.0, "time for which an occupant is counted after the face was last visible"
    )
    seat_change: float = seconds(
        1.0, 0.0, 10.0, "time in another seat's region after which the occupant sits there"
    )
    settle: float = with_default(EmotionDurations, "settle", 0.5)
    forget: float = with_default(EmotionDurations, "forget", 2.0)
    evidence_rise: float = seconds(
        1.5, 0.1, 30.0, "time constant with which fear and distress build up"
    )
    evidence_fall: float = seconds(
        1.5, 0.1, 30.0, "time constant with which fear and distress decay"
    )
    eyes_closed: float = number(
        0.5, 0.1, 0.95, "fraction of a person's open eye height below which the eyes are closed"
    )
    eyes_open: float = number(
        0.65, 0.1, 1.0, "fraction of a person's open eye height above which the eyes are open again"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eyes_open < self.eyes_closed:
            raise SettingsError("eyes_open must not be below eyes_closed")


class Eyes:
    """Openness of one person's eyes: that of the eye network, or else that of the landmarks.

    The landmarks' aspect ratio is compared with the person's own of open eyes. That is estimated
    from a usual one, quickly upwards and slowly downwards. It is bounded, because after eyes wide
    with fear those of a smile would count as closed.

    Attributes:
        openness: 0 closed to 1 open; NaN if it is unknown in the newest image.
        closed: whether the eyes are closed.
        closed_for: for how long.
    """

    #: Openness up to which eyes are closed, the "at least 80 % closed" of PERCLOS, and from which
    #: they are open again.
    CLOSED, OPEN = 0.2, 0.4
    USUAL_RATIO = 0.27
    LEAST_RATIO, MOST_RATIO = 0.18, 0.3
    UP, DOWN = 0.5, 60.0  # time constants in seconds

    def __init__(self, settings: OccupantSettings) -> None:
        self.settings = settings
        self.openness = math.nan
        self.closed = False
        self.closed_for = Sustained(grace=0.0, gap=settings.gap, bridge=settings.gap)
        self._open = self.USUAL_RATIO
        self._stamp = math.inf

    def update(self, face: FaceSnapshot, stamp: float) -> None:
        """Add the face in the image with this stamp."""
        if face.eye_quality == EYES_NOT_MEASURED:
            self.openness = self._from_ratio(face.eye_aspect_ratio, stamp)
        else:
            self.openness = face.eye_openness
        if math.isnan(self.openness):
            self.closed_for.update(None, stamp)
            self.closed = self.closed and self.closed_for.holds
            return
        self.closed = self.openness <= (self.OPEN if self.closed else self.CLOSED)
        self.closed_for.update(self.closed, stamp)

    def _from_ratio(self, ratio: float, stamp: float) -> float:
        """Return the openness for an aspect ratio; NaN if it is none."""
        if not 0.0 <= ratio < 2.0:
            return math.nan
        s = self.settings
        passed = min(max(stamp - self._stamp, 0.0), s.gap)
        self._stamp = stamp
        constant = self.UP if ratio > self._open else self.DOWN
        self._open += (ratio - self._open) * -math.expm1(-passed / constant)
        self._open = min(max(self._open, self.LEAST_RATIO), self.MOST_RATIO)
        share = min(ratio / self._open, 1.0)
        if share < s.eyes_closed:
            return self.CLOSED * share / s.eyes_closed
        if share < s.eyes_open:
            part = (share - s.eyes_closed) / (s.eyes_open - s.eyes_closed)
            return self.CLOSED + (self.OPEN - self.CLOSED) * (0.01 + 0.99 * part)
        part = (share - s.eyes_open) / (1.0 - s.eyes_open) if s.eyes_open < 1.0 else 1.0
        return self.OPEN + (1.0 - self.OPEN) * (0.01 + 0.99 * part)


class Occupant:
    """One person, kept over occlusions of the face. Times are stamps in seconds."""

    def __init__(
        self, key: int, face: FaceSnapshot, stamp: float, settings: OccupantSettings
    ) -> None:
        s = settings
        self.key = key
        self.face = face
        self.first_seen = self.last_seen = stamp
        self.counted = False
        self._seat = Debounced("", settle=s.seat_change, forget=math.inf, gap=math.inf)
        self.emotion = s.debounced(UNKNOWN)
        self.polarity = s.debounced(POLARITY_UNKNOWN)
        self.fear = Evidence(rise=s.evidence_rise, fall=s.evidence_fall, gap=s.gap)
        self.distress = Evidence(rise=s.evidence_rise, fall=s.evidence_fall, gap=s.gap)
        self.eyes = Eyes(s)

    @property
    def seat(self) -> str:
        """Name of the seat; empty for none."""
        return self._seat.value

    def update(self, face: FaceSnapshot, seat: str, stamp: float, appear: float) -> None:
        """Add the person's face in the image with this stamp, in the region of this seat."""
        if not self.counted:
            self.counted = stamp - self.first_seen >= appear
            self._seat.put(seat, stamp)
        self.face = face
        self.last_seen = stamp
        self._seat.update(seat, stamp)
        self.emotion.update(face.emotion, stamp)
        self.polarity.update(face.polarity, stamp)
        self.eyes.update(face, stamp)
        known = face.emotion != UNKNOWN  # a face turned away or unclear is no evidence
        p = face.probabilities
        self.fear.update(p[FEAR] if known else 0.0, stamp)
        self.distress.update(sum(p[i] for i in _DISTRESS) if known else 0.0, stamp)


class Occupants:
    """All people in the cabin. Stamps of snapshots must not go back."""

    def __init__(self, seats: Sequence[Seat], settings: OccupantSettings) -> None:
        self.seats = tuple(seats)
        self.settings = settings
        self._people: list[Occupant] = []
        self._by_track: dict[int, Occupant] = {}
        self._keys = 0
        self._stamp = -math.inf

    def observe(self, snapshot: Snapshot) -> None:
        """Add one image: match faces to occupants, add new ones, drop those absent for too long."""
        self._stamp = stamp = snapshot.stamp
        self._drop_absent(stamp)
        unmatched = []
        for face in snapshot.usable_faces():
            occupant = self._by_track.get(face.track_id)
            if occupant is None:
                unmatched.append(face)
            else:
                occupant.update(face, self.seat_at(face.box, snapshot), stamp, self.settings.appear)
        for face in unmatched:
            self._add(face, snapshot)

    def counted(self) -> list[Occupant]:
        """Return the counted occupants in the order of their seats, those without a seat last."""
        order = {seat.name: i for i, seat in enumerate(self.seats)}
        people = [occupant for occupant in self._people if occupant.counted]
        return sorted(people, key=lambda o: (order.get(o.seat, len(order)), o.key))

    def in_seat(self, seat: str) -> Occupant | None:
        """Return who is in a seat in the newest snapshot, counted or not; the largest face."""
        visible = [o for o in self._people if o.seat == seat and o.last_seen == self._stamp]
        return max(visible, key=lambda o: o.face.box.size, default=None)

    def seat_at(self, box: Box, snapshot: Snapshot) -> str:
        """Return the first seat whose region contains the centre of a box; empty for none."""
        x = (box.x + 0.5 * box.width) / snapshot.width
        y = (box.y + 0.5 * box.height) / snapshot.height
        return next((seat.name for seat in self.seats if seat.holds(x, y)), "")

    def _drop_absent(self, stamp: float) -> None:
        kept = []
        for occupant in self._people:
            # Faces that are not counted yet are dropped sooner: most are false detections.
            limit = self.settings.occlusion if occupant.counted else self.settings.appear + 0.2
            if stamp - occupant.last_seen <= limit:
                kept.append(occupant)
            else:
                self._by_track.pop(occupant.face.track_id, None)
        self._people = kept

    def _add(self, face: FaceSnapshot, snapshot: Snapshot) -> None:
        """Add a face of an unknown track: a hidden occupant, or a new one."""
        seat = self.seat_at(face.box, snapshot)
        occupant = self._hidden_match(face, seat, snapshot.stamp)
        if occupant is None:
            self._keys += 1
            occupant = Occupant(self._keys, face, snapshot.stamp, self.settings)
            self._people.append(occupant)
        else:
            self._by_track.pop(occupant.face.track_id, None)
        self._by_track[face.track_id] = occupant
        occupant.update(face, seat, snapshot.stamp, self.settings.appear)

    def _hidden_match(self, face: FaceSnapshot, seat: str, stamp: float) -> Occupant | None:
        """Return the occupant not in this image who had the same seat or place as the face."""
        best, best_distance = None, math.inf
        x, y = face.box.center
        for occupant in self._people:
            if occupant.last_seen == stamp:
                continue
            there_x, there_y = occupant.face.box.center
            size = 0.5 * (occupant.face.box.size + face.box.size)
            distance = math.hypot(x - there_x, y - there_y) / size
            near = distance < 1.0 and 0.5 < face.box.size / occupant.face.box.size < 2.0
            if (near or (seat and occupant.seat == seat)) and distance < best_distance:
                best, best_distance = occupant, distance
        return best
