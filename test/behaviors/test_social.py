"""The humanoid's behaviour: attention, reactions, expression, and its invariants."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from pace import pace
from scenarios import all_examples, face, invalid_faces, sequences, snapshot, updates

from edan_ros.behaviors.attention import AttentionSettings
from edan_ros.behaviors.reaction_table import (
    ReactionTableError,
    Rule,
    parse_rules,
    read_rules,
)
from edan_ros.behaviors.reactions import Fired
from edan_ros.behaviors.snapshot import NEUTRAL, FaceSnapshot
from edan_ros.behaviors.social import ExpressionSettings, Social, SocialReport, SocialSettings
from edan_ros.behaviors.timing import Admission
from edan_ros.core.emotions import EMOTIONS, UNKNOWN
from edan_ros.core.settings import SettingsError

TABLE = """
rules:
  - {name: joy, emotion: happy, after: 0.8, intensity: 0.5, priority: 1, cooldown: 8,
     behavior: nod, utterance: [one, two], expression: happy}
  - {name: sorrow, emotion: [sad, anger], after: 1, priority: 5, cooldown: 20, utterance: oh}
  - {name: alarm, emotion: fear, after: 0.5, priority: 9, cooldown: 6, who: anyone, repeat: true}
"""
RULES = parse_rules(TABLE)
SETTINGS = SocialSettings(rules=RULES)
HAPPY, SAD, FEAR = (EMOTIONS.index(name) for name in ("happy", "sad", "fear"))


class Stage:
    """A robot and people in view, at ten images per second."""

    def __init__(self, **parts: object) -> None:
        self.social = Social(SocialSettings(rules=RULES, **parts))  # type: ignore[arg-type]
        self.now = 100.0
        self.fired: list[tuple[float, Fired]] = []
        self.report: SocialReport = self.social.step(self.now)

    def play(self, seconds: float, *faces: FaceSnapshot) -> SocialReport:
        for _ in range(round(seconds * 10)):
            self.now = round(self.now + 0.1, 6)
            _, fired = self.social.observe(snapshot(self.now, *faces), self.now)
            if fired is not None:
                self.fired.append((round(self.now - 100.0, 3), fired))
            self.report = self.social.step(self.now)
        return self.report

    @property
    def names(self) -> list[str]:
        return [fired.rule.name for _, fired in self.fired]


# --- attention


def test_the_nearest_is_attended_to() -> None:
    stage = Stage()
    assert stage.play(1.0, face(1, x=0.2, distance=3.0), face(2, x=0.7, distance=0.8)).track_id == 2
    assert "person 2" in stage.report.reason


def test_without_a_distance_the_largest_face_is_the_nearest() -> None:
    stage = Stage()
    small, large = (face(k, x=0.2 * k, size=s, distance=None) for k, s in ((1, 0.1), (2, 0.4)))
    assert stage.play(1.0, small, large).track_id == 2


def test_a_new_person_draws_attention_from_a_familiar_one() -> None:
    stage = Stage()
    stage.play(12.0, face(1))
    assert stage.play(0.4, face(1), face(2)).track_id == 1
    assert stage.play(0.6, face(1), face(2)).track_id == 2


def test_the_most_expressive_draws_attention_but_a_twitch_does_not() -> None:
    stage = Stage()
    stage.play(10.0, face(1), face(2, x=0.2))
    first = stage.report.track_id
    other = 3 - first
    assert stage.play(0.3, face(first), face(other, "happy", x=0.2)).track_id == first
    assert stage.play(3.0, face(first), face(other, x=0.2)).track_id == first
    assert stage.play(2.0, face(first), face(other, "happy", x=0.2)).track_id == other


def test_who_looks_at_the_robot_comes_before_a_nearer_smile() -> None:
    stage = Stage()
    smiling, looking = face(1, "happy", x=0.5, yaw=1.0, distance=0.7), face(2, distance=2.5)
    stage.play(3.0, smiling)
    assert stage.play(4.0, smiling, looking).track_id == 2
    assert "expression 0.12; engaged." in stage.report.reason
    levels = [(report.track_id, report.level.name) for report in stage.social.engagement]
    assert levels == [(1, "DISENGAGED"), (2, "ENGAGED")]
    ignoring = Stage(attention=AttentionSettings(engaged_lead=0.0))
    ignoring.play(3.0, smiling)
    assert ignoring.play(4.0, smiling, looking).track_id == 1


def test_attention_does_not_alternate_between_equals() -> None:
    stage, seen = Stage(), set()
    for i in range(100):
        near, far = (1.0, 1.1) if i % 2 else (1.1, 1.0)
        seen.add(stage.play(0.3, face(1, distance=near), face(2, distance=far)).track_id)
    assert len(seen) == 1


def test_gaze_follows_the_eyes_smoothly_and_ends_with_the_person() -> None:
    stage = Stage(expression=ExpressionSettings(gaze_smoothing=0.2))
    stage.play(1.0, face(1, x=0.5, distance=1.0))
    assert stage.report.gaze == pytest.approx((0.0, 0.0, 1.0))
    stage.play(0.2, face(1, x=0.9, distance=1.0))
    assert stage.report.gaze is not None
    assert stage.report.gaze[0] == pytest.approx(0.4 * (1 - math.exp(-1)))
    stage.play(1.0)
    assert stage.report.gaze is not None  # hidden for a moment only
    stage.play(1.0)
    assert (stage.report.gaze, stage.report.track_id) == (None, 0)
    assert stage.play(0.5, face(2, distance=None)).gaze is None


def test_attention_settings_must_agree() -> None:
    with pytest.raises(SettingsError, match="near must be below far"):
        AttentionSettings(near=4.0, far=3.0)
    with pytest.raises(SettingsError, match="must be positive"):
        AttentionSettings(weight_near=0.0, weight_new=0.0, weight_expressive=0.0)


# --- reactions


def test_a_rule_fires_after_its_time_once_per_episode_and_cooldown() -> None:
    stage = Stage()
    stage.play(1.0, face(1))
    stage.play(20.0, face(1, "happy"))
    assert [(t, f.rule.name, f.utterance) for t, f in stage.fired] == [(1.9, "joy", "one")]
    (_, fired) = stage.fired[0]
    assert fired.held == pytest.approx(0.8)
    assert fired.intensity == pytest.approx(0.88)
    assert "Person 1" in fired.reason
    assert "happy for 0.8 s" in fired.reason
    stage.play(1.0, face(1))
    stage.play(2.0, face(1, "happy"))
    assert [f.utterance for _, f in stage.fired] == ["one", "two"]
    stage.play(1.0, face(1))
    stage.play(3.0, face(1, "happy"))
    assert len(stage.fired) == 2  # within the cooldown
    stage.play(5.0, face(1, "happy"))
    assert len(stage.fired) == 3  # the same smile, once the cooldown is over


def test_a_rule_that_repeats_fires_again_in_the_same_episode() -> None:
    stage = Stage()
    stage.play(20.0, face(1, "fear"))
    assert [t for t, _ in stage.fired] == [0.6, 6.6, 12.6, 18.6]


def test_the_larger_priority_wins() -> None:
    stage = Stage(expression=ExpressionSettings(reaction_interval=0.0))
    stage.play(3.0, face(1, "happy", distance=0.6), face(2, "fear", x=0.2, distance=3.0))
    assert stage.report.track_id == 1
    assert stage.names == ["alarm", "joy"]


def test_only_a_rule_for_anyone_reacts_to_others() -> None:
    stage = Stage()
    stage.play(5.0, face(1, "neutral", distance=0.6), face(2, "sad", 0.6, x=0.2, distance=3.4))
    assert stage.report.track_id == 1
    assert stage.names == []


def test_weak_and_flickering_emotions_fire_no_rule() -> None:
    stage = Stage()
    stage.play(5.0, face(1, "happy", 0.4))
    for i in range(50):
        stage.play(0.2, face(1, ("happy", "sad")[i % 2]))
    assert stage.names == []


def test_reactions_keep_their_interval() -> None:
    stage = Stage(expression=ExpressionSettings(reaction_interval=4.0))
    for _ in range(20):
        for name in ("happy", "sad", "fear"):
            stage.play(1.5, face(1, name))
    times = [t for t, _ in stage.fired]
    assert len(times) > 10
    assert min(b - a for a, b in itertools.pairwise(times)) >= 4.0


def test_invalid_faces_fire_no_rule() -> None:
    stage = Stage()
    assert stage.play(3.0, *invalid_faces()).track_id == 0
    assert stage.names == []


# --- the robot's own face


def test_the_face_mirrors_joy_and_not_anger() -> None:
    stage = Stage(expression=ExpressionSettings(expression_time=0.1))
    assert stage.play(1.0, face(1, "happy")).expression == HAPPY
    assert stage.play(3.0, face(1, "anger")).expression == NEUTRAL
    assert stage.play(3.0, face(1, "sad")).expression == SAD
    assert stage.play(4.0).expression == NEUTRAL
    off = Stage(expression=ExpressionSettings(mirror=False, expression_time=0.1))
    assert off.play(0.7, face(1, "happy")).expression == NEUTRAL


def test_a_reaction_sets_the_face_for_a_while() -> None:
    stage = Stage(expression=ExpressionSettings(mirror=False, expression_time=3.0))
    assert stage.play(1.0, face(1, "happy")).expression == HAPPY
    assert stage.play(2.5, face(1)).expression == HAPPY
    assert stage.play(1.0, face(1)).expression == NEUTRAL


# --- time


def test_stale_faces_end_attention() -> None:
    stage = Stage()
    stage.play(2.0, face(1, "happy"))
    report = stage.social.step(stage.now + 1.5)
    assert (report.stale, report.track_id, report.gaze) == (True, 0, None)
    assert report.reason == "No faces arrive."


def test_a_gap_in_the_images_does_not_fire_a_rule_again() -> None:
    stage = Stage()
    stage.play(1.0, face(1))
    for _ in range(12):
        stage.play(2.0, face(1, "happy"))
        for _ in range(12):
            stage.now += 0.1
            stage.social.step(stage.now)
        stage.play(0.1, face(1, "sad"))  # one uncertain image after the gap
    assert stage.names == ["joy"]
    stage.play(3.0, face(1))
    stage.play(2.0, face(1, "happy"))
    assert stage.names == ["joy", "joy"]


def test_attention_returns_to_the_same_person_after_a_gap() -> None:
    stage = Stage()
    stage.play(3.0, face(1, distance=1.0), face(2, x=0.2, distance=1.1))
    assert stage.report.track_id == 1
    stage.now += 1.3
    assert stage.social.step(stage.now).track_id == 0
    stage.play(0.1, face(1, distance=1.1), face(2, x=0.2, distance=1.0))
    assert stage.report.track_id == 1


def test_a_clock_that_goes_back_does_not_shorten_a_cooldown() -> None:
    stage = Stage()
    stage.play(2.0, face(1, "happy"))
    stage.now = 3.0
    stage.play(5.0, face(1, "happy"))
    assert stage.names == ["joy"]
    stage.play(3.0, face(1, "happy"))
    assert stage.names == ["joy", "joy"]


def test_a_start_during_a_smile_needs_the_full_time() -> None:
    stage = Stage()
    stage.now = 1e6
    stage.play(0.7, face(1, "happy"))
    assert stage.names == []
    stage.play(10.0, face(1, "happy"))
    assert stage.names == ["joy"]


def test_late_and_repeated_snapshots_change_nothing() -> None:
    stage = Stage()
    stage.play(1.0, face(1))
    for i in range(40):
        now = stage.now + 0.02 * i
        for stamp in (stage.now, stage.now - 0.5, stage.now - 50.0, stage.now + 50.0):
            verdict, fired = stage.social.observe(snapshot(stamp, face(1, "fear")), now)
            assert verdict is not Admission.NEW
            assert fired is None


def test_new_settings_keep_the_cooldowns() -> None:
    stage = Stage()
    stage.play(2.0, face(1, "happy"))
    stage.social.reconfigure(SocialSettings(rules=RULES))
    stage.play(5.0, face(1, "happy"))
    assert stage.names == ["joy"]


def test_new_rules_keep_the_person_attended_to() -> None:
    stage = Stage()
    stage.play(2.0, face(7, "happy"))
    stage.social.reconfigure(SocialSettings(rules=RULES[:1]))
    assert stage.social.step(stage.now).track_id == 7


# --- the table


def test_the_included_table_is_valid() -> None:
    rules = read_rules(Path(__file__).parents[2] / "config" / "reactions.yaml")
    assert {EMOTIONS[e] for rule in rules for e in rule.emotions} == set(EMOTIONS) - {"neutral"}
    assert all(rule.utterances and rule.behavior and rule.cooldown >= 10 for rule in rules)


def test_a_row_becomes_a_rule() -> None:
    assert RULES[0] == Rule(
        "joy", frozenset({HAPPY}), 0.8, 0.5, 1, 8.0, False, "nod", ("one", "two"), HAPPY, False
    )
    assert RULES[1].emotions == {SAD, EMOTIONS.index("anger")}
    assert RULES[2].anyone
    assert RULES[2].expression == UNKNOWN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [", "not YAML"),
        ("- 1", "needs a list called 'rules'"),
        ("rules: 3", "needs a list called 'rules'"),
        ("rules: [{emotion: sad}]", "rule 1 has no name"),
        ("rules: [{name: a, emotion: glad}]", "rule 'a': emotion is 'glad', it must be one of neu"),
        ("rules: [{name: a}]", "emotion is None"),
        ("rules: [{name: a, emotion: []}]", "emotion is None"),
        ("rules: [{name: a, emotion: sad, after: -1}]", "after is -1, it must be a number from 0"),
        ("rules: [{name: a, emotion: sad, after: .nan}]", "after is nan"),
        ("rules: [{name: a, emotion: sad, intensity: 2}]", "intensity is 2"),
        ("rules: [{name: a, emotion: sad, priority: 1.5}]", "a whole number"),
        ("rules: [{name: a, emotion: sad, who: me}]", "one of attended, anyone"),
        ("rules: [{name: a, emotion: sad, utterance: 3}]", "a text or a list of texts"),
        ("rules: [{name: a, emotion: sad, behavior: 3}]", "behavior is 3, it must be a text"),
        ("rules: [{name: a, emotion: sad, expression: glad}]", "expression is 'glad'"),
        ("rules: [{name: a, emotion: sad, repeat: 1}]", "true or false"),
        ("rules: [{name: a, emotion: sad, colour: red}]", "'colour' is no field of a rule"),
        ("rules: [{name: a, emotion: sad}, {name: a, emotion: sad}]", "two rules are called 'a'"),
    ],
)
def test_an_invalid_table_is_explained(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(text)
    with pytest.raises(ReactionTableError, match=message) as error:
        read_rules(path)
    assert str(path) in str(error.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReactionTableError, match=r"nowhere\.yaml"):
        read_rules(tmp_path / "nowhere.yaml")


# --- what can never happen


class Watch:
    """Checks what the humanoid does against its rules, from outside."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.last: dict[str, tuple[float, float]] = {}
        self.sights: dict[tuple[int, int], float] = {}
        self.expression = NEUTRAL
        self.changed = -math.inf

    def saw(self, faces: list[FaceSnapshot], stamp: float) -> None:
        for f in faces:
            self.sights.setdefault((f.track_id, f.emotion), stamp)

    def restarted(self) -> None:
        self.sights.clear()
        self.last = {name: (elapsed, -math.inf) for name, (elapsed, _) in self.last.items()}

    def reacted(self, fired: Fired, stamp: float, faces: list[FaceSnapshot], attended: int) -> None:
        rule = fired.rule
        for name, wait in ((rule.name, rule.cooldown), ("", 4.0)):
            before = self.last.get(name, (-math.inf, -math.inf))
            assert self.elapsed - before[0] >= wait - 1e-9
            assert stamp - before[1] >= wait
            self.last[name] = (self.elapsed, stamp)
        track = fired.person.track_id
        assert [f.emotion for f in faces if f.track_id == track] == [fired.emotion]
        assert fired.emotion in rule.emotions
        assert fired.held >= rule.after
        assert stamp - self.sights[(track, fired.emotion)] >= rule.after
        assert rule.intensity <= fired.intensity <= 1.0
        assert rule.anyone or track == attended
        assert fired.reason.endswith(".")

    def reported(self, report: SocialReport) -> None:
        assert 0 <= report.expression < len(EMOTIONS)
        assert 0.0 <= report.score.total <= 1.0
        assert report.reason.endswith(".")
        if report.stale or report.track_id == 0:
            assert (report.track_id, report.gaze, report.score.total) == (0, None, 0.0)
        assert report.gaze is None or math.isfinite(sum(report.gaze))
        if report.expression != self.expression:
            assert self.elapsed - self.changed >= 1.5 - 1e-9
            self.expression, self.changed = report.expression, self.elapsed


@pytest.mark.timeout(600)
@all_examples
@given(sequences)
def test_invariants_of_the_humanoid(data: bytes) -> None:
    """For any sequence of snapshots, gaps, repeats, flicker, crowds and jumps of the clock:

    - no reaction comes within the cooldown of its rule or within `reaction_interval` of another,
      counted both in stamps and in time that passed, also over jumps of the clock;
    - a reaction is to a person who shows the emotion in this snapshot, has shown it for as long and
      as strongly as the rule requires, and is attended to unless the rule is for anyone;
    - repeated, late, outdated and future snapshots fire no rule;
    - the person attended to was visible within `lost` seconds; attention and gaze are released
      with outdated faces and with nobody in view;
    - the robot's face changes no more often than `expression_hold`, and is neutral again within
      10 s after the last face; scores stay between 0 and 1.
    """
    social, watch = Social(SETTINGS), Watch()
    now, seen, restarts = None, {}, 0
    for update in updates(data):
        if now is not None:
            watch.elapsed += min(max(update.now - now, 0.0), 0.5)
        now = update.now
        if update.snapshot is not None:
            admission, fired = social.observe(update.snapshot, now)
            if social.clock.restarts != restarts:
                restarts = social.clock.restarts
                seen.clear()
                watch.restarted()
            assert fired is None or admission is Admission.NEW
            if admission is Admission.NEW:
                faces, stamp = update.snapshot.usable_faces(), update.snapshot.stamp
                watch.saw(faces, stamp)
                seen |= {f.track_id: stamp for f in faces}
                attended = social.step(now).track_id
                if fired is not None:
                    watch.reacted(fired, stamp, faces, attended)
        report = social.step(now)
        watch.reported(report)
        newest = social.clock.newest
        if report.track_id:
            assert newest is not None
            assert newest - seen[report.track_id] <= 1.5
    assert now is not None
    for _ in range(20):
        now += 0.5
        watch.elapsed += 0.5
        report = social.step(now)
        watch.reported(report)
    assert (report.expression, report.track_id) == (NEUTRAL, 0)


def test_eight_faces_are_processed_fast() -> None:
    assert pace(lambda: Social(SocialSettings(rules=RULES))) < 4.0
