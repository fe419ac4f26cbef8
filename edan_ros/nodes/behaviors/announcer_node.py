"""The announcer node: spoken sentences on people and their emotions for a blind person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy.time import Time
from std_msgs.msg import String

from edan_ros.behaviors.announcer import PEOPLE, Announcer, AnnouncerOptions, AnnouncerSettings
from edan_ros.behaviors.catalogue import load_catalogue
from edan_ros.behaviors.engagement import EngagementSettings
from edan_ros.nodes.behaviors.base import BehaviorNode
from edan_ros.nodes.behaviors.parameters import TIME, Part, behavior_groups, read_parts
from edan_ros.nodes.behaviors.speech import CHOICES, Speaker, SpeechError
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.parameters import Change, Parameter
from edan_ros.nodes.common.running import run_node

PARTS = (
    Part("announcer", AnnouncerSettings, "Announcements"),
    TIME,
    Part("people", PEOPLE, "The people in view"),
    Part("engagement", EngagementSettings, "Engagement: who looks at the user"),
)
GROUPS = behavior_groups(
    PARTS,
    Parameter(
        "speech",
        "auto",
        "program that speaks the sentences; auto: the first one that is installed, if any",
        change=Change.NEVER,
        choices=CHOICES,
    ),
)


def announcer_options(values: Mapping[str, Any]) -> AnnouncerOptions:
    """Create the settings from the values of the parameters.

    Raises:
        SettingsError: a value is out of its range, or the catalogue cannot be read.
    """
    options = AnnouncerOptions(**read_parts(PARTS, values))
    load_catalogue(options.announcer.language)
    return options


class AnnouncerNode(BehaviorNode[Announcer]):
    """Publishes `announcement`, for any speech node, and speaks it where it can."""

    def __init__(self, node_name: str = "announcer_node", **kwargs: Any) -> None:
        super().__init__(node_name, GROUPS, announcer_options, Announcer, **kwargs)
        self._sentences = self.create_publisher(String, "announcement", qos.RESULTS)
        self._last = ""
        try:
            self._speaker = Speaker(self.parameters["speech"])
        except SpeechError as error:
            self.get_logger().error(f"{error}; sentences are published, not spoken")
            self._speaker = Speaker("off")
        self.begin()

    def destroy_node(self) -> None:
        """Stop speaking and destroy the node."""
        self._speaker.close()
        super().destroy_node()

    def step(self, now: float, stamp: Time) -> None:  # noqa: ARG002
        """Publish and speak the next sentence, if any; none while one is being spoken."""
        if self._speaker.busy():
            return
        sentence = self.behavior.step(now)
        if sentence is None:
            return
        self._last = sentence.text
        self._sentences.publish(String(data=sentence.text))
        self._speaker.say(sentence.text, self.behavior.catalogue.voice)
        self.get_logger().info(f"{sentence.kind}: {sentence.text}")

    def situation(self) -> str:
        """Return the newest sentence."""
        return f"newest sentence: {self._last}" if self._last else "no sentence yet"


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    run_node(AnnouncerNode, args)
