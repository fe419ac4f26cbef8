"""The vehicle's behaviour: occupants, driver, advice, and its invariants."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from pace import pace
from scenarios import (
    all_examples,
    camera_gaps,
    face,
    fewer_examples,
    invalid_faces,
    sequences,
    snapshot,
    updates,
)

from edan_ros.behaviors.cabin import Cabin, CabinReport, CabinSettings
from edan_ros.behaviors.driver_records import DISENGAGED, CabinDriver
from edan_ros.behaviors.driver_settings import DriverSettings
from edan_ros.behaviors.occupants import Occupants, OccupantSettings, Seat, parse_seats
from edan_ros.behaviors.speed import Reason, SpeedSettings
from edan_ros.behaviors.timing import Admission
from edan_ros.core.emotions import EMOTIONS, POLARITY_UNKNOWN, UNKNOWN
from edan_ros.core.settings import SettingsError

DRIVER, PASSENGER = Seat("driver", 0.5, 0.0, 1.0, 1.0), Seat("passenger", 0.0, 0.0, 0.5, 1.0)
Gaps = list[tuple[float, float, float]]
TWO_SEATS = CabinSettings(seats=(DRIVER, PASSENGER))


def drive(
    cabin: Cabin, start: float, seconds: float, *faces: object, rate: float = 10.0
) -> CabinReport:
    """Return the report after some seconds with these faces."""
    report = cabin.step(start)
    for i in range(1, round(seconds * rate) + 1):
        now = start + i / rate
        cabin.observe(snapshot(now, *faces), now)  # type: ignore[arg-type]
        report = cabin.step(now)
    return report


# --- counting


def test_people_are_counted_after_a_while_and_kept_over_an_occlusion() -> None:
    cabin = Cabin(TWO_SEATS)
    assert len(drive(cabin, 0.0, 0.3, face(1, x=0.7), face(2, x=0.2)).occupants) == 0
    both = drive(cabin, 0.3, 1.0, face(1, x=0.7), face(2, x=0.2))
    assert [(o.occupant.seat, o.visible) for o in both.occupants] == [
        ("driver", True),
        ("passenger", True),
    ]
    hidden = drive(cabin, 1.3, 2.0, face(1, x=0.7))
    assert [o.visible for o in hidden.occupants] == [True, False]
    assert hidden.occupants[1].unseen == pytest.approx(2.0)
    assert len(drive(cabin, 3.3, 1.5, face(1, x=0.7)).occupants) == 1


def test_a_person_who_returns_under_a_new_track_is_the_same_occupant() -> None:
    cabin = Cabin(TWO_SEATS)
    before = drive(cabin, 0.0, 2.0, face(1, x=0.7))
    drive(cabin, 2.0, 1.0)
    after = drive(cabin, 3.0, 0.1, face(9, x=0.72))
    assert len(after.occupants) == 1
    assert after.occupants[0].occupant.key == before.occupants[0].occupant.key
    assert after.occupants[0].occupant.face.track_id == 9


def test_a_false_face_visible_for_a_moment_is_never_counted() -> None:
    cabin = Cabin(TWO_SEATS)
    for i in range(20):
        flash = (face(50 + i, x=0.1),) if i % 4 == 0 else ()
        report = drive(cabin, 0.25 * i, 0.2, face(1, x=0.7), *flash)
        assert len(report.occupants) <= 1


def test_leaning_over_is_not_a_change_of_seats() -> None:
    cabin = Cabin(TWO_SEATS)
    drive(cabin, 0.0, 2.0, face(1, x=0.7))
    assert drive(cabin, 2.0, 0.5, face(1, x=0.4)).occupants[0].occupant.seat == "driver"
    assert drive(cabin, 2.5, 1.0, face(1, x=0.4)).occupants[0].occupant.seat == "passenger"


def test_thirty_people_are_counted_each_once() -> None:
    faces = [
        face(i + 1, x=(i % 10) / 10 + 0.05, y=(i // 10) / 3 + 0.1, size=0.1) for i in range(30)
    ]
    report = drive(Cabin(CabinSettings(seats=())), 0.0, 1.0, *faces)
    assert sorted(o.occupant.face.track_id for o in report.occupants) == list(range(1, 31))


def test_invalid_faces_are_dropped_and_the_valid_one_counts() -> None:
    report = drive(Cabin(TWO_SEATS), 0.0, 1.0, *invalid_faces(), face(1, x=0.7), face(1, x=0.2))
    assert [o.occupant.face.track_id for o in report.occupants] == [1]


# --- emotions


def test_the_duration_of_an_emotion_starts_with_its_first_image() -> None:
    cabin = Cabin(TWO_SEATS)
    drive(cabin, 0.0, 2.0, face(1, x=0.7))
    (report,) = drive(cabin, 2.0, 3.0, face(1, "happy", x=0.7)).occupants
    assert EMOTIONS[report.occupant.emotion.value] == "happy"
    assert report.emotion_held == pytest.approx(2.9)


def test_flickering_labels_change_nothing_and_expire() -> None:
    cabin = Cabin(TWO_SEATS)
    drive(cabin, 0.0, 2.0, face(1, "fear", x=0.7))
    now, seen = 2.0, []
    for i in range(40):
        now += 0.1
        cabin.observe(snapshot(now, face(1, ("happy", "sad")[i % 2], 0.5, x=0.7)), now)
        seen.append(cabin.step(now).occupants[0].occupant.emotion.value)
    assert set(seen) == {EMOTIONS.index("fear"), UNKNOWN}
    assert seen[-1] == UNKNOWN


def test_the_mood_is_the_mean_over_known_emotions() -> None:
    report = drive(
        Cabin(TWO_SEATS), 0.0, 3.0, face(1, "happy", 0.94, x=0.7), face(2, "unknown", x=0.2)
    )
    assert EMOTIONS[report.emotion] == "happy"
    assert report.polarity == 1
    assert report.mood == pytest.approx((0.01, 0.94, 0.01, 0.01, 0.01, 0.01, 0.01))
    nobody = drive(Cabin(TWO_SEATS), 0.0, 3.0)
    assert (nobody.emotion, nobody.polarity) == (UNKNOWN, POLARITY_UNKNOWN)
    assert sum(nobody.mood) == 0.0


# --- the driver


@pytest.mark.parametrize(
    ("look", "state", "after"),
    [
        ({"yaw": 0.9}, CabinDriver.LOOKING_AWAY, 2.0),
        ({"pitch": -0.8}, CabinDriver.LOOKING_AWAY, 2.0),
        ({"eyes": 0.1}, CabinDriver.EYES_CLOSED, 1.0),
        ({"emotion": "sad"}, CabinDriver.DISTRESSED, 8.0),
    ],
)
def test_a_disengaged_driver_is_reported_after_the_set_time_and_cleared(
    look: dict[str, object], state: CabinDriver, after: float
) -> None:
    cabin = Cabin(TWO_SEATS)
    attentive = drive(cabin, 0.0, 2.0, face(1, x=0.7)).driver
    assert (attentive.state, attentive.disengaged, attentive.reason) == (0, False, "")
    away = face(1, x=0.7, **look)  # type: ignore[arg-type]
    assert drive(cabin, 2.0, after - 0.2, away).driver.state is CabinDriver.ATTENTIVE
    driver = drive(cabin, 2.0 + after - 0.2, 2.0, away).driver
    assert driver.state is state
    assert driver.disengaged
    assert driver.reason.endswith(".")
    assert 0.5 < driver.held < 2.0
    later = 4.0 + after
    assert drive(cabin, later, 1.5, face(1, x=0.7)).driver.state is CabinDriver.ATTENTIVE


def test_the_driver_is_unknown_before_the_first_face() -> None:
    cabin = Cabin(TWO_SEATS)
    assert drive(cabin, 0.0, 2.0).driver.state is CabinDriver.UNKNOWN
    assert drive(cabin, 2.0, 2.0).driver.state is CabinDriver.ABSENT
    assert drive(cabin, 4.0, 0.8, face(1, x=0.7)).driver.state is CabinDriver.ATTENTIVE


def test_an_empty_drivers_seat_is_an_absent_driver_beside_a_passenger() -> None:
    report = drive(Cabin(TWO_SEATS), 0.0, 4.0, face(2, x=0.2))
    assert report.driver.state is CabinDriver.ABSENT


def test_a_head_turned_out_of_detection_looks_away_until_absent() -> None:
    cabin = Cabin(TWO_SEATS)
    drive(cabin, 0.0, 2.0, face(1, x=0.7))
    drive(cabin, 2.0, 2.5, face(1, x=0.7, yaw=1.2))
    states = [drive(cabin, 4.5 + 0.5 * i, 0.5).driver.state for i in range(10)]
    assert set(states) == {CabinDriver.LOOKING_AWAY, CabinDriver.ABSENT}
    assert states == sorted(states, reverse=True)


def test_the_direction_of_the_road_can_be_set() -> None:
    beside = CabinSettings(seats=(DRIVER,), driver=DriverSettings(road_yaw=0.9))
    assert drive(Cabin(beside), 0.0, 4.0, face(1, x=0.7, yaw=0.9)).driver.state == 0
    looks = drive(Cabin(beside), 0.0, 4.0, face(1, x=0.7, yaw=0.0)).driver.state
    assert looks is CabinDriver.LOOKING_AWAY


def test_a_blink_is_not_closed_eyes() -> None:
    cabin = Cabin(TWO_SEATS)
    drive(cabin, 0.0, 2.0, face(1, x=0.7))
    for i in range(20):
        drive(cabin, 2.0 + 0.6 * i, 0.2, face(1, x=0.7, eyes=0.08))
        report = drive(cabin, 2.2 + 0.6 * i, 0.4, face(1, x=0.7))
        assert report.driver.state is CabinDriver.ATTENTIVE


def test_a_smile_after_wide_eyes_is_not_closed_eyes() -> None:
    cabin = Cabin(TWO_SEATS)
    drive(cabin, 0.0, 4.0, face(1, "fear", x=0.7, eyes=0.4))
    report = drive(cabin, 4.0, 5.0, face(1, "happy", x=0.7, eyes=0.23))
    assert report.driver.state is CabinDriver.ATTENTIVE


def test_narrow_eyes_are_compared_with_their_own_open_height() -> None:
    narrow = drive(Cabin(TWO_SEATS), 0.0, 8.0, face(1, x=0.7, eyes=0.19)).driver
    assert narrow.state is CabinDriver.ATTENTIVE


def test_the_driver_is_unknown_without_a_drivers_seat() -> None:
    report = drive(Cabin(CabinSettings(seats=(), driver=DriverSettings(seat=""))), 0.0, 5.0)
    assert report.driver.state is CabinDriver.UNKNOWN
    with pytest.raises(SettingsError, match="the driver's seat is 'driver'"):
        CabinSettings(seats=(PASSENGER,))


@pytest.mark.parametrize(
    "text", ["driver", "driver: 0 0 1", ": 0 0 1 1", "d: 0 0 2 1", "d: 1 0 0 1"]
)
def test_an_invalid_seat_is_explained(text: str) -> None:
    with pytest.raises(SettingsError, match="is no seat: write 'name: left top right bottom'"):
        parse_seats([text])


def test_seats_need_different_names() -> None:
    assert parse_seats(["driver: 0.5 0 1 1", ""]) == (Seat("driver", 0.5, 0.0, 1.0, 1.0),)
    with pytest.raises(SettingsError, match="2 times"):
        parse_seats(["a: 0 0 1 1", "a: 0 0 1 1"])


# --- advice


def test_sustained_fear_lowers_the_scale_and_calm_releases_it() -> None:
    cabin = Cabin(TWO_SEATS)
    assert not drive(cabin, 0.0, 1.0, face(1, x=0.7)).advice.active
    afraid = drive(cabin, 1.0, 10.0, face(1, x=0.7), face(2, "fear", 0.9, x=0.2)).advice
    assert afraid.reason is Reason.FEAR
    assert afraid.track_ids == (2,)
    assert 0.5 <= afraid.scale < 0.65
    assert "fear of passenger" in afraid.text
    assert afraid.valid_until == pytest.approx(12.0)
    held = drive(cabin, 11.0, 4.0, face(1, x=0.7), face(2, x=0.2)).advice
    assert (held.reason, held.scale) == (Reason.RELEASING, afraid.target)
    assert not drive(cabin, 15.0, 14.0, face(1, x=0.7), face(2, x=0.2)).advice.active


def test_advice_counts_its_time_once_also_when_it_is_given_up() -> None:
    cabin = Cabin(CabinSettings(speed=SpeedSettings(longest=5.0, release_rate=0.01)))
    begin = 0.0
    for i in range(120):
        report = drive(cabin, 0.1 * i, 0.1, face(1, "fear"))
        begin = begin if report.advice.active else report.now
        if report.advice.active:
            assert report.advice.held == pytest.approx(report.now - begin - 0.1, abs=1e-6)
    assert report.advice.text.endswith("is given up.")


def test_a_short_fright_causes_no_advice() -> None:
    cabin = Cabin(TWO_SEATS)
    for i in range(10):
        drive(cabin, 4.0 * i, 0.6, face(1, "fear", 0.9, x=0.7))
        assert not drive(cabin, 4.0 * i + 0.6, 3.4, face(1, x=0.7)).advice.active


def test_one_frightened_person_among_happy_ones_causes_advice() -> None:
    merry = [face(i, "happy", 0.95, x=0.1 * i) for i in range(1, 8)]
    report = drive(Cabin(TWO_SEATS), 0.0, 8.0, *merry, face(8, "fear", 0.9, x=0.9))
    assert EMOTIONS[report.emotion] == "happy"
    assert (report.advice.reason, report.advice.track_ids) == (Reason.FEAR, (8,))


def test_distress_lowers_the_scale_less_than_fear() -> None:
    sad = drive(Cabin(TWO_SEATS), 0.0, 20.0, face(1, "sad", 0.95, x=0.7)).advice
    assert sad.reason is Reason.DISTRESS
    assert 0.75 <= sad.scale < 0.85


def test_stale_faces_withdraw_the_advice_at_the_set_rate() -> None:
    cabin = Cabin(TWO_SEATS)
    scale = drive(cabin, 0.0, 10.0, face(1, "fear", 0.9, x=0.7)).advice.scale
    for i in range(1, 200):
        report = cabin.step(10.0 + 0.1 * i)
        assert 0.0 <= report.advice.scale - scale <= 0.005 + 1e-9 or not report.stale
        scale = report.advice.scale
        if report.stale:
            assert report.advice.reason in (Reason.STALE, Reason.NONE)
            assert report.driver.state is CabinDriver.UNKNOWN
            assert [o.visible for o in report.occupants] == [False]
    assert scale == 1.0


def test_advice_for_a_face_that_always_looks_afraid_is_given_up() -> None:
    cabin = Cabin(TWO_SEATS)
    scales = []
    for second in range(600):
        report = drive(cabin, float(second), 1.0, face(1, "fear", 0.95, x=0.7), rate=4.0)
        scales.append(report.advice.scale)
    assert min(scales) < 0.6
    assert scales[120:] == [1.0] * len(scales[120:])
    # Once calm, the same person is heard again.
    drive(cabin, 600.0, 10.0, face(1, x=0.7))
    assert drive(cabin, 610.0, 8.0, face(1, "fear", 0.95, x=0.7)).advice.active


# --- time


def test_late_repeated_and_future_snapshots_change_nothing() -> None:
    cabin = Cabin(TWO_SEATS)
    drive(cabin, 100.0, 2.0, face(1, x=0.7))
    afraid = face(1, "fear", 0.95, x=0.7)
    for i in range(100):
        now = 102.0 + 0.01 * i
        for stamp in (102.0, 101.5, 50.0, 200.0):
            assert cabin.observe(snapshot(stamp, afraid), now) is not Admission.NEW
        assert not cabin.step(now).advice.active


def test_a_clock_that_jumps_back_drops_people_but_not_the_scale() -> None:
    cabin = Cabin(TWO_SEATS)
    before = drive(cabin, 1000.0, 8.0, face(1, "fear", 0.95, x=0.7)).advice.scale
    report = cabin.step(3.0)
    assert report.occupants == ()
    assert report.advice.scale == pytest.approx(before)
    assert drive(cabin, 3.0, 1.0, face(1, x=0.7)).advice.scale == pytest.approx(before + 0.05)


def test_new_settings_do_not_make_the_scale_jump() -> None:
    cabin = Cabin(TWO_SEATS)
    before = drive(cabin, 0.0, 8.0, face(1, "fear", 0.95, x=0.7)).advice.scale
    cabin.reconfigure(CabinSettings(seats=()))
    assert cabin.step(8.1).advice.scale == pytest.approx(before + 0.005)


def test_new_settings_of_the_advice_keep_the_people() -> None:
    cabin = Cabin(TWO_SEATS)
    before = drive(cabin, 0.0, 8.0, face(1, "fear", 0.95, x=0.7))
    cabin.reconfigure(replace(TWO_SEATS, speed=SpeedSettings(release_rate=0.5)))
    after = drive(cabin, 8.0, 0.2, face(1, "fear", 0.95, x=0.7))
    assert after.advice.scale <= before.advice.scale
    assert len(after.occupants) == 1
    assert after.driver.state == before.driver.state


def test_a_late_start_begins_without_advice_and_needs_as_much_evidence() -> None:
    late = Cabin(TWO_SEATS)
    scales = []
    for i in range(1, 41):
        now = 1e6 + 0.1 * i
        late.observe(snapshot(now, face(1, "fear", 0.95, x=0.7)), now)
        scales.append(late.step(now).advice.scale)
    assert scales[:10] == [1.0] * 10
    assert min(scales) >= 1.0 - 0.1 * 4.0
    assert min(scales) < 0.8


# --- invariants


def check_advice(report: CabinReport, before: CabinReport | None, passed: float) -> None:
    advice = report.advice
    assert 0.5 <= advice.scale <= 1.0
    assert 0.5 <= advice.target <= 1.0
    assert advice.active == (advice.reason is not Reason.NONE) == (advice.text != "")
    assert advice.held >= 0.0
    assert advice.valid_until == report.now + 1.0
    if report.stale:
        assert advice.reason in (Reason.NONE, Reason.STALE)
        assert advice.track_ids == ()
    if before is not None:
        change = advice.scale - before.advice.scale
        assert -0.1 * passed - 1e-9 <= change <= 0.05 * passed + 1e-9


def check_people(report: CabinReport, newest: float | None, faces_seen: set[int]) -> None:
    assert len(report.occupants) <= len(faces_seen)
    assert abs(sum(report.mood) - 1.0) < 1e-6 or sum(report.mood) == 0.0
    assert (report.driver.state in DISENGAGED) == report.driver.disengaged
    assert report.driver.held >= 0.0
    for o in report.occupants:
        person = o.occupant
        assert newest is not None
        assert newest - person.last_seen <= 3.0
        assert o.visible == (person.last_seen == newest and not report.stale)
        assert 0.0 <= o.distress <= 1.0
        assert o.unseen >= 0.0
        assert o.emotion_held >= 0.0
        assert o.polarity_held >= 0.0
        assert o.eyes_closed_held >= 0.0
    if report.stale:
        assert report.driver.state is CabinDriver.UNKNOWN


@pytest.mark.timeout(600)
@all_examples
@given(sequences)
def test_invariants_of_the_vehicle(data: bytes) -> None:
    """For any sequence of snapshots, gaps, repeats, flicker, crowds and jumps of the clock:

    - scale and target stay between the minimum and 1; advice is active exactly if it has a reason;
    - from one step to the next the scale falls by at most `slow_rate` and rises by at most
      `release_rate` times the time that passed, also over jumps of the clock and restarts;
    - without a face that shows fear, sadness, disgust or anger there is never any advice;
    - with outdated faces there is no cause of advice, and the driver is unknown;
    - occupants were visible within the occlusion time, and are no more than there are tracks;
    - levels stay between 0 and 1, durations are not negative, the mood is a distribution or none;
    - without further faces the advice ends within 20 s.
    """
    cabin = Cabin(TWO_SEATS)
    before: CabinReport | None = None
    now, cause, faces_seen = 0.0, False, set()
    for update in updates(data):
        last, now = now, update.now
        if update.snapshot is not None:
            admitted = cabin.observe(update.snapshot, now) is Admission.NEW
            if admitted:
                faces = update.snapshot.usable_faces()
                cause = cause or any(f.probabilities[0] + f.probabilities[1] < 0.3 for f in faces)
                faces_seen |= {f.track_id for f in faces}
        report = cabin.step(now)
        check_advice(report, before, min(max(now - last, 0.0), 0.5))
        check_people(report, cabin.clock.newest, faces_seen)
        assert cause or not report.advice.active
        before = report
    for i in range(40 if report.advice.active else 8):
        report = cabin.step(now + 0.5 * (i + 1))
        check_advice(report, before, 0.5)
        before = report
    assert report.advice.scale == 1.0


def check_not_raised_again(data: Gaps, settings: SpeedSettings) -> None:
    """Assert that advice given up comes back only once the level was below its threshold."""
    cabin = Cabin(replace(TWO_SEATS, speed=settings))
    off = settings.fear_off
    now, spent, stopped = 0.0, False, False
    for seconds, gap, share in [(8.0, 0.2, 0.95), *data]:
        for i in range(round((seconds + gap) / 0.1)):
            now += 0.1
            if 0.1 * i < seconds:
                cabin.observe(snapshot(now, face(1, "fear", round(share, 2), x=0.7)), now)
            report = cabin.step(now)
            level = max((o.occupant.fear.at(now) for o in report.occupants), default=0.0)
            raised = report.advice.reason is Reason.FEAR
            assert not (spent and level >= off and raised)
            given_up = report.advice.held >= settings.longest
            stopped = given_up or (stopped and not raised and level >= off)
            spent = level >= off and (spent or (stopped and not raised))


@pytest.mark.timeout(600)
@fewer_examples
@given(camera_gaps)
def test_gaps_in_the_images_do_not_raise_advice_again(data: Gaps) -> None:
    """Advice that was given up needs calm, also when images stop for about a second."""
    check_not_raised_again(data, SpeedSettings(longest=5.0, rest=0.0, release_rate=1.0))


def test_a_gap_between_the_thresholds_does_not_count_as_calm() -> None:
    """Fear of 0.4 lies between fear_off and fear_on: a gap must not count as having calmed down."""
    gaps = [(3.0, 1.3, 0.4), (3.0, 1.3, 0.4), (6.0, 0.5, 0.9), (2.0, 1.3, 0.4), (6.0, 0.5, 0.9)]
    check_not_raised_again(gaps, SpeedSettings(longest=5.0, rest=0.0, release_rate=1.0))


@pytest.mark.parametrize(
    ("look", "state"),
    [
        ({"yaw": 0.9}, CabinDriver.LOOKING_AWAY),
        ({"eyes": 0.1}, CabinDriver.EYES_CLOSED),
        ({"emotion": "sad"}, CabinDriver.DISTRESSED),
    ],
)
def test_a_disengaged_driver_is_not_attentive_after_a_gap(
    look: dict[str, object], state: CabinDriver
) -> None:
    cabin = Cabin(TWO_SEATS)
    drive(cabin, 0.0, 2.0, face(1, x=0.7))
    away = face(1, x=0.7, **look)  # type: ignore[arg-type]
    assert drive(cabin, 2.0, 12.0, away).driver.state is state
    assert cabin.step(15.2).driver.state is CabinDriver.UNKNOWN
    assert drive(cabin, 15.2, 0.1, away).driver.state is state
    assert drive(cabin, 15.3, 2.0, face(1, x=0.7)).driver.state is CabinDriver.ATTENTIVE


@pytest.mark.parametrize("rate", [5.0, 30.0])
def test_advice_does_not_depend_on_the_frame_rate(rate: float) -> None:
    report = drive(Cabin(TWO_SEATS), 0.0, 6.0, face(1, "fear", 0.9, x=0.7), rate=rate)
    assert report.advice.scale == pytest.approx(0.578, abs=0.005)


def test_eight_faces_are_processed_fast() -> None:
    assert pace(lambda: Cabin(TWO_SEATS)) < 4.0


def test_occupants_can_be_used_on_their_own() -> None:
    people = Occupants((), OccupantSettings(appear=0.0))
    people.observe(snapshot(1.0, face(3)))
    assert [o.face.track_id for o in people.counted()] == [3]
    people.observe(snapshot(10.0))
    assert people.counted() == []
