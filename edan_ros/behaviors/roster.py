"""Which faces are there, for those who keep something for each: kept over short gaps."""

from __future__ import annotations

from dataclasses import dataclass

from edan_ros.behaviors.snapshot import Snapshot
from edan_ros.behaviors.timing import Admission, StampClock, TimeSettings
from edan_ros.core.settings import check_settings, setting


@dataclass(frozen=True)
class RosterSettings:
    """How long faces are kept."""

    lost: float = setting(
        1.0,
        "time after which a face that is no longer visible is removed",
        low=0.0,
        high=30.0,
        unit="s",
    )

    def __post_init__(self) -> None:
        check_settings(self)


class Roster:
    """The tracks that are there. `observe` snapshots as they come, `step` at a steady rate."""

    def __init__(self, settings: RosterSettings, time: TimeSettings) -> None:
        self.clock = StampClock(time)
        self.settings = settings
        self._restarts = 0
        self._seen: dict[int, float] = {}

    @property
    def tracks(self) -> tuple[int, ...]:
        """The tracks that are there, in the order in which they came."""
        return tuple(self._seen)

    def observe(self, snapshot: Snapshot, now: float) -> Admission:
        """Takes the faces of one image that arrives at `now`; says whether its stamp counts."""
        self._follow(now)
        admission = self.clock.admit(snapshot.stamp, now)
        if admission is Admission.NEW:
            for face in snapshot.usable_faces():
                self._seen[face.track_id] = snapshot.stamp
            oldest = snapshot.stamp - self.settings.lost
            self._seen = {track: seen for track, seen in self._seen.items() if seen >= oldest}
        return admission

    def step(self, now: float) -> None:
        """Lets go of everybody when the faces are stale at `now`."""
        self._follow(now)
        if self.clock.is_stale(now):
            self._seen.clear()

    def _follow(self, now: float) -> None:
        self.clock.advance(now)
        if self.clock.restarts != self._restarts:
            self._restarts = self.clock.restarts
            self._seen.clear()
