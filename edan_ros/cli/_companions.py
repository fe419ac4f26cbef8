"""The behaviours that go along with `edan demo`: they decide on every result, print and draw it."""

from __future__ import annotations

from collections.abc import Mapping

from edan_ros.behaviors.announcer import Announcer, AnnouncerOptions, AnnouncerSettings
from edan_ros.behaviors.cabin import Cabin, CabinReport, CabinSettings
from edan_ros.behaviors.driver import DriverState
from edan_ros.behaviors.reaction_table import Rule, read_rules
from edan_ros.behaviors.snapshot import take_snapshot
from edan_ros.behaviors.social import Social, SocialSettings
from edan_ros.behaviors.speed import Reason
from edan_ros.core.emotions import UNKNOWN, label_of
from edan_ros.core.faces import FrameResult
from edan_ros.drawing.faces import Colour
from edan_ros.drawing.timeline import (
    STATE_COLOURS,
    Events,
    Levels,
    States,
    Timeline,
    emotion_colour,
)

BEHAVIORS = ("vehicle", "humanoid", "assistive")
_WHITE: Colour = (235, 235, 235)


class VehicleCompanion:
    """The cabin and the advice on speed."""

    def __init__(self) -> None:
        settings = CabinSettings()
        self._cabin = Cabin(settings)
        self._driver = States("driver")
        self._shows = States("shows")
        s = settings.speed
        self._evidence = Levels("level", ("fear", "distress"), (s.fear_on, s.distress_on))
        self._speed = Levels("speed", ("scale", "target"), (s.minimum, 1.0))
        self._reasons = States("advice")
        self.timeline = Timeline(
            [self._driver, self._shows, self._evidence, self._speed, self._reasons]
        )
        self._report: CabinReport | None = None

    def follow(self, seconds: float, result: FrameResult) -> list[str]:
        """Decides on a result; what changed, in words."""
        self._cabin.observe(take_snapshot(result, seconds, assume_lens=True), seconds)
        before, report = self._report, self._cabin.step(seconds)
        self._report = report
        self._mark(seconds, report)
        lines = []
        if before is None or report.driver.state != before.driver.state:
            lines.append(f"driver {_words(report.driver.state)}. {report.driver.reason}".rstrip())
        if before is None or report.advice.reason != before.advice.reason:
            advice = report.advice
            lines.append(
                f"advice: {_words(advice.reason)}, scale {advice.scale:.2f} on its way to "
                f"{advice.target:.2f}. {advice.text}".rstrip()
            )
        return lines

    def caption(self) -> Mapping[str, Colour]:
        """What is decided now, and why."""
        if self._report is None:
            return {}
        advice, driver = self._report.advice, self._report.driver
        count = len(self._report.occupants)
        state = f"{count} occupant{'' if count == 1 else 's'}, driver {_words(driver.state)}"
        return {
            f"{state}. {driver.reason}".rstrip(): _WHITE,
            f"Speed x {advice.scale:.2f}. {advice.text}".rstrip(): _WHITE,
        }

    def _mark(self, seconds: float, report: CabinReport) -> None:
        engaged = report.driver.state is DriverState.ATTENTIVE
        unknown = report.driver.state is DriverState.UNKNOWN
        mood = "good" if engaged else "none" if unknown else "alarm"
        self._driver.add(seconds, _words(report.driver.state), STATE_COLOURS[mood])
        people = [o.occupant for o in report.occupants]
        label = label_of(people[0].emotion.value) if people else "nobody"
        self._shows.add(seconds, label, emotion_colour(label))
        fear = max((person.fear.at(seconds) for person in people), default=0.0)
        distress = max((person.distress.at(seconds) for person in people), default=0.0)
        self._evidence.add(seconds, fear, distress)
        self._speed.add(seconds, report.advice.scale, report.advice.target)
        cause = report.advice.reason in (Reason.FEAR, Reason.DISTRESS)
        level = "alarm" if cause else "notice" if report.advice.active else "good"
        self._reasons.add(seconds, _words(report.advice.reason), STATE_COLOURS[level])


class HumanoidCompanion:
    """Whom a robot attends to and how it reacts."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._social = Social(SocialSettings(rules=rules))
        self._attends = States("attends")
        self._shows = States("shows")
        self._intensity = Levels("level", ("probability", "attention"))
        self._reactions = Events("reacts")
        self._face = States("own face")
        self.timeline = Timeline(
            [self._attends, self._shows, self._intensity, self._reactions, self._face]
        )
        self._last = ""
        self._why = ""

    def follow(self, seconds: float, result: FrameResult) -> list[str]:
        """Decides on a result; what changed, in words."""
        _, fired = self._social.observe(take_snapshot(result, seconds), seconds)
        report = self._social.step(seconds)
        track = report.track_id
        lines = []
        if self._attends.add(seconds, f"person {track}" if track else "nobody", _track(track)):
            lines.append(report.why)
        shown = next((f for f in result.faces if f.track_id == track), None)
        label = shown.label if shown is not None else "unknown"
        self._shows.add(seconds, label, emotion_colour(label))
        level = shown.confidence if shown is not None and shown.emotion != UNKNOWN else 0.0
        self._intensity.add(seconds, level, report.score.total)
        self._face.add(
            seconds, label_of(report.expression), emotion_colour(label_of(report.expression))
        )
        self._why = report.why
        if fired is not None:
            rule = fired.rule
            self._reactions.add(seconds, rule.name, emotion_colour(label_of(fired.emotion)))
            self._last = f'{rule.behavior}: "{fired.utterance}" {fired.why}'
            lines.append(self._last)
        return lines

    def caption(self) -> Mapping[str, Colour]:
        """What is decided now, and why."""
        return {self._why: _WHITE, self._last: _WHITE}


class AssistiveCompanion:
    """What a person who cannot see is told."""

    def __init__(self, language: str) -> None:
        options = AnnouncerOptions(announcer=AnnouncerSettings(language=language))
        self._announcer = Announcer(options)
        self._shows = States("shows")
        self._says = Events("says")
        self.timeline = Timeline([self._shows, self._says])
        self._last = ""

    def follow(self, seconds: float, result: FrameResult) -> list[str]:
        """Decides on a result; what is said."""
        self._announcer.observe(take_snapshot(result, seconds), seconds)
        nearest = max(result.faces, key=lambda face: face.box.size, default=None)
        label = "nobody" if nearest is None else nearest.label
        self._shows.add(seconds, label, emotion_colour(label))
        sentence = self._announcer.step(seconds)
        if sentence is None:
            return []
        self._says.add(seconds, sentence.kind, _WHITE)
        self._last = sentence.text
        return [f"says: {sentence.text}"]

    def caption(self) -> Mapping[str, Colour]:
        """What was said last."""
        return {self._last: _WHITE}


def make_companion(
    behavior: str | None, language: str
) -> VehicleCompanion | HumanoidCompanion | AssistiveCompanion | None:
    """The companion of one of BEHAVIORS with its default settings; None for None."""
    if behavior == "vehicle":
        return VehicleCompanion()
    if behavior == "humanoid":
        # Imported when it is wanted: the installed files are found by ROS.
        from edan_ros.nodes.common.environment import share_directory

        return HumanoidCompanion(read_rules(share_directory() / "config" / "reactions.yaml"))
    return AssistiveCompanion(language) if behavior == "assistive" else None


def _words(state: DriverState | Reason) -> str:
    return "no advice" if state is Reason.NONE else state.name.lower().replace("_", " ")


def _track(track: int) -> Colour:
    return STATE_COLOURS["good" if track else "none"]
