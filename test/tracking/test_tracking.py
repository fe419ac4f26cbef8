"""Tracker: ids that persist, confirmation, loss, recovery and merging, on simulated faces."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import Disc, detection_of, landmarks_of

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.faces import Detection, Observation
from edan_ros.core.geometry import CROP_SCALE
from edan_ros.tracking.tracker import Tracker, TrackingConfig

CONFIG = TrackingConfig(memory=1.0, birth_hits=1)
STEP = 1 / 30
THRESHOLD = 0.5


def observed(crop: Crop, landmarks: np.ndarray, presence: float = 0.9) -> Observation:
    """Return an observation, of which the tracker uses landmarks and presence."""
    logits, probabilities = np.zeros(7), np.full(7, 1 / 7)
    return Observation(crop, landmarks, logits, probabilities, presence, np.zeros((7, 1, 1)))


class Follower:
    """A tracker with a simulated model, which aligns to the nearest true face within reach."""

    def __init__(self, config: TrackingConfig = CONFIG) -> None:
        self.tracker = Tracker(itertools.count(1))
        self.config = config

    def step(
        self,
        faces: list[Disc],
        detected: list[Disc] | None = None,
        elapsed: float = STEP,
        limit: int = 16,
        presence: float = 0.9,
    ) -> dict[int, Disc]:
        """Process one image and return the reported faces, track id -> face."""
        self.tracker.predict(elapsed, self.config)
        detections = [detection_of(d) for d in detected or []]
        candidates = self.tracker.candidates(detections, limit)
        found = [self._nearest(candidate.crop, faces) for candidate in candidates]
        observations = [
            observed(c.crop, landmarks_of(face or Disc(*c.crop.center)), presence if face else 0.0)
            for c, face in zip(candidates, found, strict=True)
        ]
        matches = self.tracker.update(candidates, observations, THRESHOLD, self.config)
        return {
            track.id: found[index]
            for index, track in sorted(matches, key=lambda match: match[1].id)
            if track.confirmed
        }

    @staticmethod
    def _nearest(crop: Crop, faces: list[Disc]) -> Disc | None:
        near = [f for f in faces if np.hypot(*(crop.center - (f.x, f.y))) < 0.5 * f.size]
        return min(near, key=lambda f: np.hypot(*(crop.center - (f.x, f.y))), default=None)


def test_a_face_keeps_its_id_without_further_detections() -> None:
    follower = Follower()
    assert follower.step([Disc(100, 100)], [Disc(100, 100)]) == {1: Disc(100, 100)}
    for i in range(100):
        face = Disc(100 + 4 * i, 100 + i)
        assert follower.step([face]) == {1: face}


def test_a_detection_of_a_tracked_face_starts_no_second_track() -> None:
    follower = Follower()
    for i in range(20):
        face = Disc(100 + 3 * i, 100)
        assert list(follower.step([face], [Disc(face.x + 8, face.y - 6, 90)])) == [1]


def test_prediction_follows_a_face_that_moves_half_its_size_per_image() -> None:
    """At 40 px per image and a reach of 40 px, the last position alone would lose the face."""
    follower = Follower()
    x = 100.0
    follower.step([Disc(x, 100)], [Disc(x, 100)])
    for speed in [5, 10, 15, 20, 25, 30, 35, *[40] * 20]:
        x += speed
        assert list(follower.step([Disc(x, 100)])) == [1]
    start = follower.tracker.tracks[0].crop.center[0]
    follower.tracker.predict(STEP, CONFIG)
    assert follower.tracker.tracks[0].crop.center[0] - start == pytest.approx(37.5, abs=2.5)


def test_the_first_step_sets_the_whole_velocity() -> None:
    """A face that enters fast: after one step of 30 px, steps of 55 px are followed."""
    follower = Follower()
    follower.step([Disc(100, 100)], [Disc(100, 100)])
    x = 100.0
    for speed in [30, 55, 55, 55]:
        x += speed
        assert list(follower.step([Disc(x, 100)])) == [1]


def test_two_images_of_one_time_give_no_velocity() -> None:
    follower = Follower()
    for x, elapsed in ((100, 0.0), (101, 1e-9), (101, STEP), (101, STEP)):
        assert list(follower.step([Disc(x, 100)], [Disc(x, 100)], elapsed)) == [1]


def test_a_lost_face_that_returns_in_time_keeps_its_id() -> None:
    follower = Follower()
    for _ in range(5):
        follower.step([Disc(100, 100)], [Disc(100, 100)])
    for _ in range(20):
        assert follower.step([]) == {}
        assert follower.tracker.needs_detection
    back = Disc(130, 110)
    assert follower.step([back], [back]) == {1: back}
    assert not follower.tracker.needs_detection


def test_a_face_that_returns_too_late_gets_a_new_id() -> None:
    follower = Follower()
    follower.step([Disc(100, 100)], [Disc(100, 100)])
    for _ in range(32):
        follower.step([])
    assert follower.tracker.tracks == []
    assert follower.step([Disc(100, 100)], [Disc(100, 100)]) == {2: Disc(100, 100)}


def test_a_face_elsewhere_does_not_take_the_id_of_a_lost_one() -> None:
    follower = Follower()
    follower.step([Disc(100, 100)], [Disc(100, 100)])
    follower.step([])
    assert list(follower.step([Disc(400, 100)], [Disc(400, 100)])) == [2]
    small = Disc(100, 100, 20)
    assert set(follower.step([Disc(400, 100), small], [small])) == {2, 3}


def test_a_walking_person_behind_a_pillar_keeps_the_id() -> None:
    """Hidden for 0.9 s at 1.25 face sizes per second, with nobody near."""
    follower = Follower()
    for i in range(58):
        face = Disc(100 + 100 * i * STEP, 100)
        hidden = 15 <= i < 42
        reported = follower.step([] if hidden else [face], [] if hidden else [face])
        assert list(reported) == ([] if hidden else [1])


@settings(max_examples=40)
@given(
    speeds=st.tuples(st.floats(0.8, 3.5), st.floats(0.8, 3.5)),
    sizes=st.tuples(st.floats(60, 90), st.floats(60, 90)),
    offset=st.floats(-0.25, 0.25),
)
def test_two_people_who_cross_keep_their_ids(speeds, sizes, offset: float) -> None:
    """The one behind is hidden while the faces are less than 0.6 sizes apart."""
    follower = Follower()
    at = np.array([-160.0, 160.0])
    identities: dict[int, str] = {}
    for _ in range(int(320 / 70 / sum(speeds) / STEP)):
        front, behind = (Disc(400 + at[k], 200 + 70 * offset * k, sizes[k]) for k in (0, 1))
        near = abs(at[0] - at[1]) < 0.6 * max(sizes)
        present = [front] if near else [front, behind]
        for track, face in follower.step(present, present).items():
            assert identities.setdefault(track, face is front) == (face is front)
        at += np.array([speeds[0], -speeds[1]]) * 70 * STEP
    assert set(identities) == {1, 2}


def _occlude(face: Disc, cover: Disc) -> tuple[float, Disc]:
    """Return the share of a face that another one hides, 0 to 1, and the face that the model then
    reports: smaller and pushed outwards."""
    over = np.clip(((face.size + cover.size) / 2 - abs(face.x - cover.x)) / face.size, 0.0, 1.0)
    x = face.x + np.sign(face.x - cover.x) * 0.25 * over * face.size
    return float(over), Disc(x, face.y, face.size * (1.0 - 0.25 * over))


@pytest.mark.parametrize("speeds", [(2.0, 2.0), (2.0, 1.6), (1.6, 2.0), (3.0, 2.0), (2.0, 3.0)])
@pytest.mark.parametrize("middle", [400, 415])
def test_two_people_who_cross_behind_a_third_keep_their_ids(speeds, middle: int) -> None:
    """Both are hidden when they meet and look alike; only their motion distinguishes them."""
    follower, front = Follower(), Disc(400, 200, 90)
    identities: dict[int, str] = {}
    hidden_images = 0
    start = 400 / sum(speeds)  # pixels of distance at a speed of one
    for distance in np.arange(-start, start, 70 * STEP):
        first = Disc(middle + speeds[0] * distance, 207, 70)
        second = Disc(middle - speeds[1] * distance, 193, 70)
        visible = {"front": front}
        hidden, part = _occlude(first, front)
        if hidden < 0.45:
            visible["first"] = part
        hidden, part = max((_occlude(second, by) for by in (front, first)), key=lambda b: b[0])
        if hidden < 0.45:
            visible["second"] = part
        hidden_images += len(visible) == 1
        for track, face in follower.step(list(visible.values()), list(visible.values())).items():
            name = next(name for name, one in visible.items() if one is face)
            assert identities.setdefault(track, name) == name
    assert len(identities) == 3
    assert hidden_images * STEP > 0.25


def test_of_two_tracks_on_one_face_the_older_remains() -> None:
    """A second face moves behind the first until only the first is visible."""
    follower = Follower()
    front = Disc(200, 100)
    follower.step([front], [front])
    for i in range(60):
        behind = Disc(330 - 3 * i, 100)
        apart = abs(behind.x - front.x) > 60
        faces = [front, behind] if apart else [front]
        reported = follower.step(faces, [behind] if i == 0 else None)
        assert reported[1] == front
        assert set(reported) <= {1, 2}
    assert set(reported) == {1}


def test_confirmation_needs_hits_unless_the_presence_is_high() -> None:
    config = TrackingConfig(birth_hits=3, birth_presence=0.8)
    sure, unsure = Follower(config), Follower(config)
    face = Disc(100, 100)
    assert list(sure.step([face], [face], presence=0.8)) == [1]
    reported = [list(unsure.step([face], [face], presence=0.7)) for _ in range(4)]
    assert reported == [[], [], [1], [1]]


def test_an_unconfirmed_track_is_dropped_at_once() -> None:
    follower = Follower(TrackingConfig(birth_hits=3, birth_presence=0.8))
    follower.step([Disc(100, 100)], [Disc(100, 100)], presence=0.6)
    follower.step([])
    assert follower.tracker.tracks == []


def test_landmarks_that_slip_off_the_crop_are_not_a_face() -> None:
    tracker = Tracker(itertools.count(1))
    (candidate,) = tracker.candidates([detection_of(Disc(100, 100))], 16)
    not_finite = landmarks_of(Disc(100, 100))
    not_finite[5] = np.nan
    slipped = [landmarks_of(d) for d in (Disc(170, 100), Disc(100, 100, 30), Disc(100, 100, 200))]
    for landmarks in (*slipped, not_finite):
        assert (
            tracker.update([candidate], [observed(candidate.crop, landmarks)], THRESHOLD, CONFIG)
            == []
        )
    close = observed(candidate.crop, landmarks_of(Disc(110, 100, 90)))
    assert len(tracker.update([candidate], [close], THRESHOLD, CONFIG)) == 1


def test_a_prediction_far_off_is_replaced_by_the_detection() -> None:
    follower = Follower()
    follower.step([Disc(100, 100)], [Disc(100, 100)])
    follower.tracker.predict(STEP, CONFIG)
    (near,) = follower.tracker.candidates([detection_of(Disc(105, 100))], 16)
    assert near.crop.center[0] == pytest.approx(100, abs=1)
    (far,) = follower.tracker.candidates([detection_of(Disc(135, 100))], 16)
    assert far.crop.center[0] == pytest.approx(135, abs=1)
    assert far.track is follower.tracker.tracks[0]


def test_the_limit_keeps_the_oldest_tracks_and_best_detections() -> None:
    follower = Follower()
    old = Disc(100, 100)
    follower.step([old], [old])
    others = [Disc(300, 100), Disc(300, 300), Disc(100, 300)]
    scores = [0.3, 0.9, 0.6]
    follower.tracker.predict(STEP, CONFIG)
    detections = [detection_of(d, s) for d, s in zip(others, scores, strict=True)]
    candidates = follower.tracker.candidates(detections, 3)
    assert [tuple(np.round(r.crop.center)) for r in candidates] == [
        (100, 100),
        (300, 300),
        (100, 300),
    ]
    follower.step([old, *others], others, limit=4)
    assert len(follower.step([old, *others], limit=4)) == 4
    assert list(follower.step([old, *others], limit=2)) == [1, 2]


def test_empty_boxes_are_skipped() -> None:
    tracker = Tracker(itertools.count(1))
    assert tracker.candidates([Detection(Box(1, 1, 0, 0)), Detection(Box(1, 1, -3, 5))], 9) == []


faces = st.lists(
    st.builds(Disc, st.floats(0, 640), st.floats(0, 480), st.floats(20, 150)), max_size=5
)


@settings(max_examples=60)
@given(st.lists(st.tuples(faces, faces, st.floats(0.0, 1.5)), max_size=12))
def test_ids_are_unique_rise_and_are_never_reused(images) -> None:
    """For any faces and detections: no id twice in an image, and no dropped id returns."""
    follower = Follower()
    dropped: set[int] = set()
    before: set[int] = set()
    for present, detected, elapsed in images:
        reported = list(follower.step(present, detected, elapsed))
        known = [t.id for t in follower.tracker.tracks]
        assert reported == sorted(set(reported))
        assert known == sorted(set(known))
        assert not dropped & set(known)
        dropped |= before - set(known)
        before = set(known)
        assert all(t.live or t.lost_for <= CONFIG.memory for t in follower.tracker.tracks)
        for a, b in itertools.combinations([t for t in follower.tracker.tracks if t.live], 2):
            larger = max(a.crop.side, b.crop.side) / CROP_SCALE
            assert np.hypot(*(a.crop.center - b.crop.center)) >= 0.35 * larger
