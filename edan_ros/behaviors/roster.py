"""The tracks of the faces in view, kept over short gaps."""

from __future__ import annotations

from dataclasses import dataclass

from edan_ros.behaviors.snapshot import Snapshot
from edan_ros.behaviors.timing import Admission, StampClock, TimeSettings
from edan_ros.core.settings import check_settings, setting


@dataclass(frozen=True)
class RosterSettings:
    """Time for which tracks are kept."""

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
    """The tracks in view. `observe` snapshots as they arrive, `step` at a steady rate."""

    def __init__(self, settings: RosterSettings, time: TimeSettings) -> None:
        self.clock = StampClock(time)
        self.settings = settings
        self._restarts = 0
        self._stamps: dict[int, float] = {}

    @property
    def tracks(self) -> tuple[int, ...]:
        """The tracks in the order of their first image."""
        return tuple(self._stamps)

    def observe(self, snapshot: Snapshot, now: float) -> Admission:
        """Add the faces of one image that arrives at `now`; return whether its stamp counts."""
        self._advance(now)
        admission = self.clock.admit(snapshot.stamp, now)
        if admission is Admission.NEW:
            for face in snapshot.usable_faces():
                self._stamps[face.track_id] = snapshot.stamp
            oldest = snapshot.stamp - self.settings.lost
            self._stamps = {track: last for track, last in self._stamps.items() if last >= oldest}
        return admission

    def step(self, now: float) -> None:
        """Remove all tracks if the newest faces are outdated at `now`."""
        self._advance(now)
        if self.clock.is_stale(now):
            self._stamps.clear()

    def _advance(self, now: float) -> None:
        self.clock.advance(now)
        if self.clock.restarts != self._restarts:
            self._restarts = self.clock.restarts
            self._stamps.clear()
