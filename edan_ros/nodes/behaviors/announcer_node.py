"""The announcer: tells a person who cannot see who is there and how they look."""

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
from edan_ros.nodes.behaviors.behavior_node import BehaviorNode
from edan_ros.nodes.behaviors.behavior_parameters import parameters_of, settings_from
from edan_ros.nodes.behaviors.speech import CHOICES, Speaker, SpeechError
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.parameters import Change, Parameter
from edan_ros.nodes.common.running import run_node

PARAMETERS = (
    *parameters_of(AnnouncerSettings, "announcer"),
    *parameters_of(TimeSettings, "time"),
    *parameters_of(PEOPLE, "people"),
    Parameter(
        "speech",
        "auto",
        "what says the sentences aloud; auto: the first program that is installed, if any",
        Change.NEVER,
        choices=CHOICES,
    ),
)


def announcer_options(values: Mapping[str, Any]) -> AnnouncerOptions:
    """The settings from the values of the parameters. Raises SettingsError."""
    options = AnnouncerOptions(
        announcer=settings_from(AnnouncerSettings, values, "announcer"),
        time=settings_from(TimeSettings, values, "time"),
        people=settings_from(PeopleSettings, values, "people"),
    )
    load_catalogue(options.announcer.language)
    return options


class AnnouncerNode(BehaviorNode):
    """Publishes `announcement`, for any speech node, and says it aloud where it can."""

    def __init__(self, node_name: str = "announcer_node", **kwargs: Any) -> None:
        super().__init__(node_name, PARAMETERS, announcer_options, **kwargs)
        values = self.parameters.values
        self._announcer = Announcer(announcer_options(values))
        self._sentences = self.create_publisher(String, "announcement", qos.RESULTS)
        self._last = ""
        try:
            self._speaker = Speaker(values["speech"])
        except SpeechError as error:
            self.get_logger().error(f"{error}; nothing is said aloud")
            self._speaker = Speaker("off")
        self.begin()

    def destroy_node(self) -> None:
        """Falls silent, then lets go of the node."""
        self._speaker.close()
        super().destroy_node()

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Takes changed parameters, already checked."""
        self._announcer.reconfigure(announcer_options(values))

    def observe(self, snapshot: Snapshot, now: float, message: FaceEmotionArray) -> Admission:
        """Gives the announcer a snapshot that arrives at `now`."""
        del message
        return self._announcer.observe(snapshot, now)

    def step(self, now: float, stamp: Time) -> None:
        """Publishes and says what there is to say; nothing while a sentence is being said."""
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
        """What was said last."""
        return f"said last: {self._last}" if self._last else "nothing said yet"


def main(args: list[str] | None = None) -> None:
    """Runs the node until SIGINT."""
    run_node(AnnouncerNode, args)


if __name__ == "__main__":
    main()
