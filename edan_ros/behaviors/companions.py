"""The behaviours as `edan demo` shows them: decisions in words, captions and a timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from edan_ros.behaviors.announcer import Announcer, AnnouncerOptions
from edan_ros.behaviors.cabin import Cabin, CabinReport, CabinSettings, words
from edan_ros.behaviors.driver_records import CabinDriver, DriverState
from edan_ros.behaviors.engagement import Level
from edan_ros.behaviors.reaction_table import Rule
from edan_ros.behaviors.snapshot import take_snapshot
from edan_ros.behaviors.social import Social, SocialSettings
from edan_ros.behaviors.speed import Reason
from edan_ros.core.emotions import UNKNOWN, label_of
from edan_ros.core.faces import Face, FrameResult
from edan_ros.drawing.colours import LIGHT, LIME, STATE_COLOURS, Colour, emotion_colour
from edan_ros.drawing.faces import unknown_text
from edan_ros.drawing.timeline import Events, Levels, States, TimelineStrip, faded


class VehicleCompanion:
    """State of the driver and advice on speed."""

    def __init__(self) -> None:
        settings = CabinSettings()
        self._cabin = Cabin(settings)
        self._driver = States("driver")
        self._monitor = States("monitor")
        self._eyes = Levels(
            "eyes", ("openness", "PERCLOS"), (settings.driver.drowsy_perclos,), LIME
        )
        self._emotion = States("shows")
        s = settings.speed
        self._evidence = Levels("level", ("fear", "distress"), (s.fear_on, s.distress_on))
        self._speed = Levels("speed", ("scale", "target"), (s.minimum,), LIME)
        self._reasons = States("advice")
        self.timeline = TimelineStrip(
            [
                self._driver,
                self._monitor,
                self._eyes,
                self._emotion,
                self._evidence,
                self._speed,
                self._reasons,
            ]
        )
        self._report: CabinReport | None = None

    def follow(self, seconds: float, result: FrameResult) -> list[str]:
        """Decide on the faces at a time in seconds and return the changes in words."""
        self._cabin.observe(take_snapshot(result, seconds, assume_lens=True), seconds)
        before, report = self._report, self._cabin.step(seconds)
        self._report = report
        self._add_to_timeline(seconds, report, result)
        return report.changes(before)

    def caption(self) -> Mapping[str, Colour]:
        """Return the current decisions with their reasons."""
        if self._report is None:
            return {}
        advice = self._report.advice
        reason = self._report.driver.reason or self._report.driver_state.reason
        return {
            f"{self._report.summary}. {reason}".rstrip(): LIGHT,
            f"Speed x {advice.scale:.2f}. {advice.text}".rstrip(): LIGHT,
        }

    def _add_to_timeline(self, seconds: float, report: CabinReport, result: FrameResult) -> None:
        attentive = report.driver.state is CabinDriver.ATTENTIVE
        unknown = report.driver.state is CabinDriver.UNKNOWN
        level = "good" if attentive else "none" if unknown else "alarm"
        self._driver.add(seconds, words(report.driver.state), *_look(level))
        monitor = report.driver_state
        unknown = monitor.state in (DriverState.UNKNOWN, DriverState.ABSENT)
        level = ("good", "notice", "alarm")[monitor.alert] if not unknown else "none"
        name = monitor.state.name.lower().replace("_", " ")
        self._monitor.add(seconds, name, *_look(level))
        self._eyes.add(seconds, monitor.openness, monitor.perclos)
        people = [o.occupant for o in report.occupants]
        emotion = people[0].emotion.value if people else None
        face = _face_of(result, people[0].face.track_id) if people else None
        self._emotion.add(seconds, *_shown(emotion, face))
        fear = max((person.fear.at(seconds) for person in people), default=0.0)
        distress = max((person.distress.at(seconds) for person in people), default=0.0)
        self._evidence.add(seconds, fear, distress)
        self._speed.add(seconds, report.advice.scale, report.advice.target)
        cause = report.advice.reason in (Reason.FEAR, Reason.DISTRESS)
        level = "alarm" if cause else "notice" if report.advice.active else "none"
        self._reasons.add(seconds, words(report.advice.reason), *_look(level))


class HumanoidCompanion:
    """The person whom a robot attends to, and its reactions."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._social = Social(SocialSettings(rules=rules))
        self._attention = States("attends")
        self._engagement = States("engaged")
        self._emotion = States("shows")
        self._intensity = Levels("level", ("probability", "attention"))
        self._reactions = Events("reacts")
        self._expression = States("own face")
        self.timeline = TimelineStrip(
            [
                self._attention,
                self._engagement,
                self._emotion,
                self._intensity,
                self._reactions,
                self._expression,
            ]
        )
        self._reaction = ""
        self._reacted = self._seconds = 0.0
        self._reason = ""

    def follow(self, seconds: float, result: FrameResult) -> list[str]:
        """Decide on the faces at a time in seconds and return the changes in words."""
        snapshot = take_snapshot(result, seconds, assume_lens=True)
        _, fired = self._social.observe(snapshot, seconds)
        report = self._social.step(seconds)
        self._seconds, self._reason = seconds, report.reason
        track = report.track_id
        lines = []
        colour = STATE_COLOURS["good" if track else "none"]
        if self._attention.add(seconds, f"person {track}" if track else "nobody", colour):
            lines.append(report.reason)
        engaged = next((e for e in self._social.engagement if e.track_id == track), None)
        phase = Level.UNKNOWN if engaged is None else engaged.level
        self._engagement.add(seconds, *_ENGAGEMENT[phase])
        face = _face_of(result, track)
        self._emotion.add(seconds, *_shown(None if face is None else face.emotion, face))
        level = face.confidence if face is not None and face.emotion != UNKNOWN else 0.0
        self._intensity.add(seconds, level, report.score.total)
        expression = label_of(report.expression)
        self._expression.add(seconds, expression, emotion_colour(expression))
        if fired is not None:
            rule = fired.rule
            self._reactions.add(seconds, rule.name, emotion_colour(label_of(fired.emotion)))
            self._reaction = f'{rule.behavior}: "{fired.utterance}" {fired.reason}'
            self._reacted = seconds
            lines.append(self._reaction)
        return lines

    def caption(self) -> Mapping[str, Colour]:
        """Return the reason for the current attention, and the last reaction until it fades."""
        return {self._reason: LIGHT, **faded(self._reaction, self._seconds - self._reacted)}


class AssistiveCompanion:
    """The sentences for a person who cannot see."""

    def __init__(self, options: AnnouncerOptions) -> None:
        self._announcer = Announcer(options)
        self._emotion = States("shows")
        self._sentences = Events("says")
        self.timeline = TimelineStrip([self._emotion, self._sentences])
        self._sentence = ""
        self._said = self._seconds = 0.0

    def follow(self, seconds: float, result: FrameResult) -> list[str]:
        """Decide on the faces at a time in seconds and return the sentence to say, if any."""
        self._seconds = seconds
        self._announcer.observe(take_snapshot(result, seconds), seconds)
        nearest = max(result.faces, key=lambda face: face.box.size, default=None)
        emotion = None if nearest is None else nearest.emotion
        self._emotion.add(seconds, *_shown(emotion, nearest))
        sentence = self._announcer.step(seconds)
        if sentence is None:
            return []
        self._sentences.add(seconds, sentence.text, LIGHT, sentence.kind)
        self._sentence, self._said = sentence.text, seconds
        return [f"says: {sentence.text}"]

    def caption(self) -> Mapping[str, Colour]:
        """Return the last sentence until it fades."""
        return faded(self._sentence, self._seconds - self._said)


#: Text and colour of each phase of engagement.
_ENGAGEMENT = {
    level: (level.name.lower(), STATE_COLOURS[look])
    for level, look in {
        Level.UNKNOWN: "none",
        Level.DISENGAGED: "none",
        Level.ENGAGING: "notice",
        Level.ENGAGED: "good",
        Level.DISENGAGING: "notice",
    }.items()
}
AnyCompanion: TypeAlias = "VehicleCompanion | HumanoidCompanion | AssistiveCompanion"


def _look(level: str) -> tuple[Colour, str]:
    """Return colour and short text of a level of STATE_COLOURS: an alarm is never colour alone."""
    return STATE_COLOURS[level], "!" if level == "alarm" else ""


def _face_of(result: FrameResult, track_id: int) -> Face | None:
    return next((face for face in result.faces if face.track_id == track_id), None)


def _shown(emotion: int | None, face: Face | None) -> tuple[str, Colour, str]:
    """Return text, colour and short text of an emotion, of nobody for None."""
    label = "nobody" if emotion is None else label_of(emotion)
    if face is not None and face.emotion == emotion == UNKNOWN:
        return unknown_text(face), emotion_colour(label), label
    return label, emotion_colour(label), label
