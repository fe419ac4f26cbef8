"""The roster: tracks are kept over gaps, and removed when lost or outdated."""

from __future__ import annotations

from hypothesis import given
from scenarios import all_examples, face, invalid_faces, sequences, snapshot, updates

from edan_ros.behaviors.people import Roster, RosterSettings
from edan_ros.behaviors.timing import Admission, TimeSettings


def make() -> Roster:
    return Roster(RosterSettings(lost=1.0), TimeSettings(stale_after=1.0))


def test_faces_are_kept_over_short_gaps_and_in_order() -> None:
    roster = make()
    roster.observe(snapshot(10.0, face(5), face(2)), 10.0)
    roster.observe(snapshot(10.5, face(2), *invalid_faces()), 10.5)
    assert roster.tracks == (5, 2)
    roster.observe(snapshot(11.2, face(2), face(7)), 11.2)
    assert roster.tracks == (2, 7)


def test_outdated_faces_and_a_restarted_clock_remove_all_tracks() -> None:
    roster = make()
    roster.observe(snapshot(10.0, face(5)), 10.0)
    roster.step(10.9)
    assert roster.tracks == (5,)
    roster.step(11.1)
    assert roster.tracks == ()
    roster.observe(snapshot(12.0, face(5)), 12.0)
    roster.step(3.0)
    assert roster.tracks == ()


@all_examples
@given(sequences)
def test_invariants_of_the_roster(data: bytes) -> None:
    """For any sequence of snapshots, gaps, repeats, flicker, crowds and jumps of the clock:

    - a track is listed once, and was in a snapshot at most `lost` before the newest one;
    - every face of an accepted snapshot is listed right after it;
    - without snapshots all tracks are removed within `stale_after`.
    """
    roster, seen, restarts = make(), {}, 0
    for update in updates(data):
        if update.snapshot is not None:
            counts = roster.observe(update.snapshot, update.now) is Admission.NEW
            if roster.clock.restarts != restarts:
                restarts = roster.clock.restarts
                seen.clear()
            if counts:
                here = {f.track_id for f in update.snapshot.usable_faces()}
                seen |= dict.fromkeys(here, update.snapshot.stamp)
                assert here <= set(roster.tracks)
        roster.step(update.now)
        assert len(set(roster.tracks)) == len(roster.tracks)
        for track in roster.tracks:
            assert roster.clock.newest is not None
            assert roster.clock.newest - seen[track] <= 1.0
    roster.step(update.now + 2.0)
    assert roster.tracks == ()
