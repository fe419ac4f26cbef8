"""The announcer node: spoken sentences on people and their emotions for a blind person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy.time import Time
from std_msgs.msg import String

from edan_ros.behaviors.announcer import PEOPLE, Announcer, AnnouncerOptions, AnnouncerSettings
from edan_ros.behaviors.catalogue import load_catalogue
from edan_ros.behaviors.people import PeopleSettings
from edan_ros.behaviors.snapshot import Snapshot
from edan_ros.behaviors.timing import Admission, TimeSettings
from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.behaviors.base import BehaviorNode
from edan_ros.nodes.behaviors.parameters import RATE, parameters_of, settings_from
from edan_ros.nodes.behaviors.speech import CHOICES, Speaker, SpeechError
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.parameters import Change, Group, Parameter, parameters_in
from edan_ros.nodes.common.running import run_node

GROUPS = (
    Group(
        "",
        (
            RATE,
            Parameter(
                "speech",
                "auto",
                "program that speaks the sentences; auto: the first one that is installed, if any",
                Change.NEVER,
                choices=CHOICES,
            ),
        ),
    ),
    Group("Announcements", parameters_of(AnnouncerSettings, "announcer")),
    Group("Time and outdated faces", parameters_of(TimeSettings, "time")),
    Group("The people in view", parameters_of(PEOPLE, "people")),
)
PARAMETERS = parameters_in(GROUPS)


def announcer_options(values: Mapping[str, Any]) -> AnnouncerOptions:
    """Create the settings from the values of the parameters.

    Raises:
        SettingsError: a value is out of its range, or the catalogue cannot be read.
    """
    options = AnnouncerOptions(
        announcer=settings_from(AnnouncerSettings, values, "announcer"),
        time=settings_from(TimeSettings, values, "time"),
        people=settings_from(PeopleSettings, values, "people"),
    )
    load_catalogue(options.announcer.language)
    return options


class AnnouncerNode(BehaviorNode):
    """Publishes `announcement`, for any speech node, and speaks it where it can."""

    def __init__(self, node_name: str = "announcer_node", **kwargs: Any) -> None:
        super().__init__(node_name, PARAMETERS, announcer_options, **kwargs)
        values = self.parameters.values
        self._announcer = Announcer(announcer_options(values))
        self._sentences = self.create_publisher(String, "announcement", qos.RESULTS)
        self._last = ""
        try:
            self._speaker = Speaker(values["speech"])
        except SpeechError as error:
            self.get_logger().error(f"{error}; sentences are published, not spoken")
            self._speaker = Speaker("off")
        self.begin()

    def destroy_node(self) -> None:
        """Stop speaking and destroy the node."""
        self._speaker.close()
        super().destroy_node()

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Apply changed parameters, already checked."""
        self._announcer.reconfigure(announcer_options(values))

    def observe(self, snapshot: Snapshot, now: float, message: FaceEmotionArray) -> Admission:
        """Pass a snapshot that arrives at ``now`` to the announcer."""
        del message
        return self._announcer.observe(snapshot, now)

    def step(self, now: float, stamp: Time) -> None:
        """Publish and speak the next sentence, if any; none while one is being spoken."""
        del stamp
        if self._speaker.busy():
            return
        sentence = self._announcer.step(now)
        if sentence is None:
            return
        self._last = sentence.text
        self._sentences.publish(String(data=sentence.text))
        self._speaker.say(sentence.text, self._announcer.catalogue.voice)
        self.get_logger().info(f"{sentence.kind}: {sentence.text}")

    def situation(self) -> str:
        """Return the newest sentence."""
        return f"newest sentence: {self._last}" if self._last else "no sentence yet"


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    run_node(AnnouncerNode, args)


if __name__ == "__main__":
    main()
