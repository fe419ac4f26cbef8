"""The announcer: its sentences, their order and their intervals."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from pace import pace
from scenarios import all_examples, face, invalid_faces, sequences, snapshot, updates

from edan_ros.behaviors.announcer import (
    STRONG,
    Announcer,
    AnnouncerOptions,
    AnnouncerSettings,
    Sentence,
)
from edan_ros.behaviors.catalogue import (
    DIRECTIONS,
    DISTANCES,
    CatalogueError,
    languages,
    load_catalogue,
    parse_catalogue,
)
from edan_ros.behaviors.snapshot import FaceSnapshot
from edan_ros.behaviors.timing import Admission
from edan_ros.core.emotions import EMOTIONS, UNKNOWN
from edan_ros.core.settings import SettingsError

OPTIONS = AnnouncerOptions()


class Stage:
    """An announcer and people before it, ten images a second."""

    def __init__(self, **announcer: object) -> None:
        self.announcer = Announcer(
            AnnouncerOptions(announcer=AnnouncerSettings(**announcer))  # type: ignore[arg-type]
        )
        self.now = 100.0
        self.said: list[tuple[float, Sentence]] = []

    def play(self, seconds: float, *faces: FaceSnapshot, images: bool = True) -> list[str]:
        """Return the sentences while these faces are in view, or while no images arrive."""
        before = len(self.said)
        for _ in range(round(seconds * 10)):
            self.now = round(self.now + 0.1, 6)
            if images:
                self.announcer.observe(snapshot(self.now, *faces), self.now)
            sentence = self.announcer.step(self.now)
            if sentence is not None:
                self.said.append((self.now, sentence))
        return [sentence.text for _, sentence in self.said[before:]]


def test_arrivals_are_announced_with_place_and_emotion() -> None:
    stage = Stage()
    assert stage.play(3.0, face(1, "happy", x=0.2, distance=1.0)) == [
        "A person on your left, near, looks happy."
    ]
    assert stage.play(30.0, face(1, "happy", x=0.2, distance=1.0)) == []


def test_an_arrival_waits_a_moment_for_an_emotion_that_has_just_begun() -> None:
    stage = Stage()
    assert stage.play(0.6, face(1)) == []
    assert stage.play(0.7, face(1, "sad")) == []
    assert stage.play(0.5, face(1, "sad")) == ["A person ahead, near, looks sad."]
    flickering = Stage()
    for i in range(9):
        assert flickering.play(0.2, face(1, ("sad", "happy")[i % 2])) == []
    assert flickering.play(0.2, face(1, "happy")) == ["A person ahead, near."]


def test_a_change_of_emotion_is_announced_once_it_lasts() -> None:
    stage = Stage()
    stage.play(10.0, face(1, x=0.5))
    assert stage.play(3.0, face(1, "sad", x=0.5)) == ["The person ahead now looks sad."]
    assert stage.play(20.0, face(1, "unknown", x=0.5)) == []
    assert stage.play(0.5, face(1, "anger", x=0.5)) == []
    assert stage.play(3.0, face(1, "sad", x=0.5)) == []


def test_a_state_that_ended_before_its_sentence_is_left_out() -> None:
    stage = Stage()
    stage.play(2.0, face(1))
    assert stage.play(4.0, face(1, "sad")) == []  # within person_interval
    assert stage.play(8.0, face(1, "unknown")) == []
    assert stage.play(2.0, face(1, "happy")) == ["The person ahead now looks happy."]
    assert stage.play(4.0, face(1, "sad", x=0.9)) == []
    assert stage.play(2.5) == []  # hidden
    assert stage.play(8.0, face(1, "happy")) == []


@pytest.mark.parametrize(("emotion", "word"), [("fear", "afraid"), ("anger", "angry")])
def test_a_strong_emotion_of_1_7_seconds_is_announced(emotion: str, word: str) -> None:
    stage = Stage()
    stage.play(4.5, face(1))  # announced 3.5 s ago: less than person_interval
    assert stage.play(1.7, face(1, emotion)) == [f"The person ahead now looks {word}."]
    assert stage.play(5.3, face(1)) == ["The person ahead now looks calm."]
    assert stage.play(1.7, face(1, emotion)) == []  # a sentence was said a moment ago
    assert stage.play(20.0, face(1)) == [f"The person ahead looked {word} for a moment."]


def test_a_strong_emotion_is_announced_again_only_after_the_persons_interval() -> None:
    stage = Stage(interval=1.0)
    stage.play(2.0, face(1))
    for _ in range(20):
        stage.play(1.5, face(1, "fear"))
        stage.play(1.5, face(1))
    times = [t for t, sentence in stage.said if "afraid" in sentence.text]
    assert len(times) > 4
    assert min(b - a for a, b in itertools.pairwise(times)) >= 6.0 - 1e-6


def looking(*, away: bool = False, x: float = 0.2) -> FaceSnapshot:
    """Return a face whose eyes look into the camera, or away from it."""
    here = face(1, x=x, distance=1.0)
    gaze = (1.0, 0.0, 0.0) if away else (0.5 - x, 0.0, -1.0)
    return replace(here, gaze=gaze, eye_openness=0.9)


def test_who_looks_at_the_user_is_announced_once_per_engagement() -> None:
    stage = Stage()
    stage.play(8.0, looking(away=True))
    assert stage.play(3.0, looking()) == ["The person on your left is looking at you."]
    assert stage.play(20.0, looking()) == []
    assert stage.play(1.0, looking(away=True)) == []  # still the same engagement
    assert stage.play(20.0, looking()) == []
    stage.play(5.0, looking(away=True))
    assert stage.play(3.0, looking()) == ["The person on your left is looking at you."]
    assert stage.said[-1][1].kind == "looks"


def test_a_look_that_ended_is_announced_in_the_past_tense() -> None:
    stage = Stage()
    assert len(stage.play(2.0, looking(away=True))) == 1  # the arrival
    assert stage.play(2.0, looking()) == []  # within person_interval
    assert stage.play(10.0, looking(away=True)) == [
        "The person on your left looked at you for a moment."
    ]
    assert stage.said[-1][1].kind == "past"


def test_a_head_that_faces_the_user_is_no_look_and_looks_can_be_off() -> None:
    stage = Stage()
    stage.play(2.0, face(1))
    assert stage.play(20.0, face(1)) == []
    silent = Stage(looks=False)
    silent.play(2.0, looking(away=True))
    assert silent.play(20.0, looking()) == []


def test_a_strong_emotion_goes_before_an_arrival() -> None:
    stage = Stage()
    stage.play(3.0, face(1, x=0.2))
    new, newer = face(2, x=0.5), face(3, "anger", x=0.8, distance=9.0)
    assert stage.play(8.0, face(1, "fear", x=0.2), new, newer) == [
        "The person on your left now looks afraid.",
        "A person on your right, far away, looks angry.",
        "A person ahead, near, looks calm.",
    ]


def test_a_strong_emotion_that_ended_long_ago_is_left_out() -> None:
    stage = Stage(interval=15.0)
    stage.play(3.0, face(1))
    assert stage.play(2.0, face(1, "fear")) == []
    assert stage.play(30.0, face(1)) == []


def test_nobody_is_in_view_only_once_that_is_true() -> None:
    stage = Stage()
    stage.play(3.0, face(1, x=0.2))
    stage.play(2.5)
    assert stage.play(2.0, face(2, x=0.9)) == ["The person on your left has gone."]
    assert stage.play(3.0, face(2, x=0.9)) == ["A person on your right, near, looks calm."]


def test_departures_and_movements_are_announced() -> None:
    stage = Stage()
    near, far = face(1, x=0.2, distance=1.0), face(2, x=0.8, distance=5.0)
    assert stage.play(8.0, near, far) == [
        "A person on your left, near, looks calm.",
        "A person on your right, far away, looks calm.",
    ]
    assert stage.play(8.0, face(1, x=0.5, distance=1.0), far) == [
        "The person who was on your left is now ahead, near."
    ]
    assert stage.play(5.0, far) == ["The person ahead has gone."]
    assert stage.play(5.0) == ["The person on your right has gone. Nobody is in view."]


def test_a_face_without_distance_is_near_by_its_size() -> None:
    large = face(1, "unknown", x=0.5, size=0.4, distance=None)
    assert Stage().play(3.0, large) == ["A person ahead, near."]


def test_a_mirrored_image_swaps_the_sides() -> None:
    text = Stage(mirrored=True).play(3.0, face(1, "happy", x=0.2, distance=2.0))
    assert text == ["A person on your right, looks happy."]


def test_small_movements_around_a_limit_are_not_announced() -> None:
    stage = Stage()
    stage.play(3.0, face(1, x=0.35))
    for i in range(60):
        assert stage.play(0.5, face(1, x=(0.31, 0.36)[i % 2])) == []


def test_a_face_visible_for_a_moment_is_not_announced() -> None:
    stage = Stage()
    for i in range(20):
        assert stage.play(0.4, face(30 + i, x=0.9)) == []
        assert stage.play(0.8) == []


def test_a_person_found_under_a_new_track_is_not_announced_again() -> None:
    stage = Stage()
    stage.play(5.0, face(1, x=0.5))
    for i in range(20):
        assert stage.play(0.5) == []
        assert stage.play(2.0, face(10 + i, x=0.52)) == []


def test_a_crowd_is_announced_as_a_whole_and_so_is_its_end() -> None:
    stage = Stage()
    crowd = [face(i, x=i / 31, size=0.05 + 0.001 * i, distance=None) for i in range(1, 31)]
    assert stage.play(15.0, *crowd) == [
        "30 people are in view. The nearest is on your right, looks calm."
    ]
    assert stage.play(30.0, *crowd[:2]) == [
        "2 people are in view. The nearest is on your left, far away, looks calm."
    ]
    assert stage.play(10.0) == ["Nobody is in view."]


def test_sentences_keep_their_interval_in_a_crowd_of_changes() -> None:
    stage = Stage(interval=3.0, person_interval=0.0)
    for i in range(100):
        looks = ("happy", "sad", "anger")
        stage.play(1.2, face(1, looks[i % 3], x=(0.2, 0.8)[i % 2]), face(50 + i, x=0.5))
    times = [t for t, _ in stage.said]
    assert len(times) > 20
    assert min(b - a for a, b in itertools.pairwise(times)) >= 3.0 - 1e-6


def test_a_camera_without_images_is_announced_once() -> None:
    stage = Stage()
    assert stage.play(60.0, images=False) == ["The camera gives no pictures."]
    assert stage.play(4.0, face(1, "happy", distance=1.0)) == ["A person ahead, near, looks happy."]
    assert stage.play(60.0, images=False) == ["The camera gives no pictures."]
    assert stage.play(4.0, face(1, "happy", distance=1.0)) == ["A person ahead, near, looks happy."]


def test_invalid_faces_are_not_announced() -> None:
    assert Stage().play(5.0, *invalid_faces()) == []


def test_another_language_is_used_at_once() -> None:
    stage = Stage()
    stage.play(5.0, face(1, "happy", distance=1.0))
    stage.announcer.reconfigure(AnnouncerOptions(announcer=AnnouncerSettings(language="es")))
    assert stage.play(3.0, face(1, "happy", distance=1.0)) == [
        "Una persona delante, cerca, parece contenta."
    ]
    with pytest.raises(CatalogueError):
        stage.announcer.reconfigure(AnnouncerOptions(announcer=AnnouncerSettings(language="xx")))
    assert stage.announcer.catalogue.voice == "es"


def test_settings_must_agree() -> None:
    with pytest.raises(SettingsError, match="near must be below far"):
        AnnouncerSettings(near=4.0, far=3.0)


# --- languages


def test_english_polish_and_spanish_are_included() -> None:
    assert languages() == ("en", "es", "pl")


@pytest.mark.parametrize("language", languages())
def test_every_sentence_of_a_language_is_complete(language: str) -> None:
    c = load_catalogue(language)
    texts = [c.nobody(), c.blind()]
    texts += [c.past(direction, emotion) for direction in DIRECTIONS for emotion in STRONG]
    for direction in DIRECTIONS:
        texts += [c.gone(direction, last=False), c.gone(direction, last=True)]
        texts += [c.changed(direction, emotion) for emotion in range(len(EMOTIONS))]
        for distance in DISTANCES:
            texts += [c.arrived(direction, distance, e) for e in (*range(len(EMOTIONS)), UNKNOWN)]
            texts += [c.moved(before, direction, distance) for before in DIRECTIONS]
            texts += [c.many(n, direction, distance, UNKNOWN) for n in range(1, 31)]
    for text in texts:
        assert text[0].isupper() or text[0].isdigit()
        assert text.endswith(".")
        assert not set("{}") & set(text)
        assert ",," not in text.replace(" ", "")
        assert len(text) < 120


def test_polish_plurals() -> None:
    pl = load_catalogue("pl")
    said = {n: pl.many(n, "ahead", "middle", UNKNOWN).split(".")[0] for n in (1, 3, 5, 12, 22, 25)}
    assert said == {
        1: "Widać 1 osobę, na wprost",
        3: "Widać 3 osoby",
        5: "Widać 5 osób",
        12: "Widać 12 osób",
        22: "Widać 22 osoby",
        25: "Widać 25 osób",
    }
    assert pl.changed("left", EMOTIONS.index("sad")) == "Osoba po lewej teraz wygląda na smutną."


GOOD = (Path(__file__).parents[2] / "edan_ros" / "behaviors" / "languages" / "en.yaml").read_text(
    encoding="utf-8"
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("voice: en", "voice: [", "not YAML"),
        (GOOD, "- 1", "not a table"),
        ("voice: en", "", "'voice' is missing"),
        ("plural: one_other", "plural: dual", "plural is 'dual', it must be one of one_other"),
        ("  sad: looks sad\n", "", "'emotion' has no text for 'sad'"),
        ("gone:", "went:", "'gone' is missing"),
        ("{place}{look}", "{place} {feeling}", r"'arrived' has no field \{feeling\}"),
        ("{place}{look}", "{place", "'arrived': "),
        ("direction: {left", "direction: 3 #", "'direction' is missing"),
        ("past:\n", "past: 3\npast_:\n", "'past' must have sentences for some of neutral"),
        ('  fear: "The person {direction}', '  fear: "{place}', r"'past, fear' has no field"),
    ],
)
def test_an_invalid_catalogue_is_explained(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(CatalogueError, match=message):
        load_catalogue(str(path))


def test_a_catalogue_can_be_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(GOOD.replace("has gone", "went away"), encoding="utf-8")
    assert load_catalogue(str(path)).gone("left", last=False) == (
        "The person on your left went away."
    )
    assert parse_catalogue(GOOD) == load_catalogue("en")
    older = parse_catalogue(GOOD.replace("past:", "spare:"))  # without sentences in the past
    assert older.past("left", EMOTIONS.index("fear")) == ""
    with pytest.raises(CatalogueError, match="'xx' is not one of en, es, pl, nor a"):
        load_catalogue("xx")
    with pytest.raises(CatalogueError, match=r"nowhere\.yaml"):
        load_catalogue(str(tmp_path / "nowhere.yaml"))


# --- what can never happen


@pytest.mark.timeout(600)
@all_examples
@given(sequences)
def test_invariants_of_the_announcer(data: bytes) -> None:
    """For any sequence of snapshots, gaps, repeats, flicker, crowds and jumps of the clock:

    - two sentences are never closer than `interval`, nor two on the same person's look or place
      closer than `person_interval`, except on a strong emotion, which only the same strong emotion
      of this person keeps to that interval; in time that passed, also over jumps of the clock;
    - an announced person occurred in a snapshot that counted since the clock last restarted;
    - the newest snapshot that counted confirms what is announced as present: the emotion, the
      movement, that nobody is in view; those in a crowd were in view within a second;
    - a strong emotion in the past was shown;
    - when images cease, at most one further sentence follows: that there are none.
    """
    announcer = Announcer(OPTIONS)
    catalogue, elapsed, now = announcer.catalogue, 0.0, None
    past = {text.split("{direction}")[1]: e for e, text in catalogue.sentences_past.items()}
    spoke, of_whom = -math.inf, {}
    of_strong: dict[tuple[int, str], float] = {}
    shown: set[str] = set()
    tracks: dict[int, float] = {}
    newest: dict[int, FaceSnapshot] = {}
    stamp, restarts = -math.inf, 0
    for update in updates(data):
        elapsed += 0.0 if now is None else min(max(update.now - now, 0.0), 0.5)
        now = update.now
        if update.snapshot is not None:
            admission = announcer.observe(update.snapshot, now)
            if announcer.clock.restarts != restarts:
                restarts = announcer.clock.restarts
                shown.clear(), tracks.clear(), of_whom.clear(), of_strong.clear()
            if admission is Admission.NEW:
                stamp = update.snapshot.stamp
                newest = {f.track_id: f for f in update.snapshot.usable_faces()}
                tracks |= dict.fromkeys(newest, stamp)
                shown |= {EMOTIONS[f.emotion] for f in newest.values() if f.emotion != UNKNOWN}
        sentence = announcer.step(now)
        if sentence is None:
            continue
        assert elapsed - spoke >= 3.0 - 1e-9
        spoke = elapsed
        if sentence.kind == "blind":
            continue
        track, text = sentence.track_id, sentence.text
        assert track in tracks or track == 0
        said = [e for e, phrase in catalogue.emotion.items() if phrase in text]
        assert all(EMOTIONS[newest[track].emotion] == e for e in said)
        said += [e for ending, e in past.items() if text.endswith(ending)]
        assert shown.issuperset(said)
        strong = [e for e in said if EMOTIONS.index(e) in STRONG]
        if sentence.kind in ("changed", "past"):
            assert len(said) == 1
        if sentence.kind in ("changed", "moved", "arrived"):
            assert track in newest
        if sentence.kind in ("changed", "moved") and not strong:
            assert elapsed - of_whom.get(track, -math.inf) >= 6.0 - 1e-9
        for emotion in strong if sentence.kind in ("changed", "past") else ():
            assert elapsed - of_strong.get((track, emotion), -math.inf) >= 6.0 - 1e-9
            of_strong[track, emotion] = elapsed
        if catalogue.nobody() in text:
            assert not newest
        elif sentence.kind == "crowd":
            assert int(text.split()[0]) <= sum(stamp - last <= 1.0 for last in tracks.values())
        of_whom[track] = elapsed
    assert now is not None
    last = []
    for i in range(30):
        sentence = announcer.step(now + 0.5 * (i + 1))
        last += [] if sentence is None else [sentence.kind]
    fresh = [kind for kind in last if kind != "blind"]
    assert len(last) - len(fresh) <= 1
    assert len(fresh) <= 1  # in the second before the last snapshot is stale


def test_eight_faces_are_processed_fast() -> None:
    assert pace(lambda: Announcer(AnnouncerOptions())) < 4.0
