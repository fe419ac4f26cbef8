"""The humanoid node: engagement, attention, gaze, facial expression and reactions of a robot."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from geometry_msgs.msg import PointStamped, TransformStamped, Vector3
from rclpy.time import Time
from std_msgs.msg import Header, String, UInt32

from edan_ros.behaviors.attention import AttentionSettings
from edan_ros.behaviors.engagement import EngagementSettings
from edan_ros.behaviors.people import PeopleSettings
from edan_ros.behaviors.reaction_table import read_rules
from edan_ros.behaviors.snapshot import Snapshot
from edan_ros.behaviors.social import (
    ExpressionSettings,
    Position,
    Social,
    SocialReport,
    SocialSettings,
)
from edan_ros.behaviors.timing import Admission
from edan_ros.core.emotions import label_of
from edan_ros.msg import EngagementArray, FaceEmotionArray, Reaction
from edan_ros.nodes.behaviors.base import BehaviorNode
from edan_ros.nodes.behaviors.messages import engagement_array, point, reaction
from edan_ros.nodes.behaviors.parameters import TIME, Part, behavior_groups, read_parts
from edan_ros.nodes.behaviors.ros4hri_messages import expression
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.environment import share_directory
from edan_ros.nodes.common.parameters import Change, Parameter
from edan_ros.nodes.common.running import run_node
from edan_ros.nodes.common.topics import MissingMessagesError, TransformPublisher, find_messages

PARTS = (
    TIME,
    Part("people", PeopleSettings, "The people in view"),
    Part("attention", AttentionSettings, "Attention"),
    Part("engagement", EngagementSettings, "Engagement: who looks at the robot"),
    Part("expression", ExpressionSettings, "Gaze, reactions and facial expression"),
)
GROUPS = behavior_groups(
    PARTS,
    Parameter(
        "reactions",
        "",
        "path of the reaction table; empty for the one of the package; set it again to read the "
        "file again",
        file=True,
    ),
    Parameter(
        "gaze_frame",
        "",
        "name of a TF frame to publish at the gaze target; empty for none",
        change=Change.NEVER,
    ),
    Parameter(
        "robot_face",
        True,
        "publish the expression on /robot_face/expression if hri_msgs is installed",
        change=Change.NEVER,
    ),
)


def social_settings(values: Mapping[str, Any]) -> SocialSettings:
    """Create the settings from the values of the parameters.

    Raises:
        SettingsError: a value is out of its range, or the reaction table cannot be read.
    """
    table = values["reactions"] or share_directory() / "config" / "reactions.yaml"
    return SocialSettings(rules=read_rules(table), **read_parts(PARTS, values))


class HumanoidNode(BehaviorNode[Social]):
    """Publishes `engagement`, `reaction`, `gaze_target`, `attended_track`, `robot_expression`."""

    assume_lens = True

    def __init__(self, node_name: str = "humanoid_node", **kwargs: Any) -> None:
        super().__init__(node_name, GROUPS, social_settings, Social, **kwargs)
        self._report: SocialReport | None = None
        self._reactions = self.create_publisher(Reaction, "reaction", qos.RESULTS)
        self._engagement = self.create_publisher(EngagementArray, "engagement", qos.RESULTS)
        self._gazes = self.create_publisher(PointStamped, "gaze_target", qos.RESULTS)
        self._attended = self.create_publisher(UInt32, "attended_track", qos.RESULTS)
        self._expressions = self.create_publisher(String, "robot_expression", qos.LATCHED)
        self._hri: ModuleType | None = None
        if self.parameters["robot_face"]:
            self._find_robot_face()
        frame = self.parameters["gaze_frame"]
        self._frames = TransformPublisher.create(self, "gaze_frame") if frame else None
        self.begin()

    def observe(self, snapshot: Snapshot, now: float, message: FaceEmotionArray) -> Admission:
        """Pass a snapshot that arrives at ``now`` on; publish engagement, reaction and gaze."""
        admission, fired = self.behavior.observe(snapshot, now)
        if admission is not Admission.NEW:
            return admission
        self._engagement.publish(engagement_array(self.behavior.engagement, message.header))
        report = self.behavior.step(now)
        if fired is not None:
            mine = fired.person.track_id == report.track_id
            gaze = report.gaze if mine else fired.person.face.position
            score = self.behavior.score(fired.person, snapshot)
            self._reactions.publish(reaction(fired, gaze, score, message.header))
            self.get_logger().info(f"{fired.rule.behavior or 'no behaviour'}: {fired.reason}")
        if report.gaze is not None and report.gaze_stamp == snapshot.stamp:
            self._publish_gaze(report.gaze, message.header)
        return admission

    def step(self, now: float, stamp: Time) -> None:
        """Publish the track that has the robot's attention, and the robot's expression."""
        report, before = self.behavior.step(now), self._report
        self._report = report
        self._attended.publish(UInt32(data=report.track_id))
        if before is None or report.track_id != before.track_id:
            self.get_logger().info(report.reason)
        if before is None or report.expression != before.expression:
            self._expressions.publish(String(data=label_of(report.expression)))
            if self._hri is not None:
                header = self.header(stamp)
                self._robot_face.publish(expression(self._hri, header, report.expression, 1.0))

    def situation(self) -> str:
        """Return the state in one sentence."""
        return "no decision yet" if self._report is None else self._report.reason

    def _publish_gaze(self, gaze: Position, header: Header) -> None:
        self._gazes.publish(PointStamped(header=header, point=point(gaze)))
        if self._frames is not None:
            x, y, z = gaze
            frame = TransformStamped(header=header, child_frame_id=self.parameters["gaze_frame"])
            frame.transform.translation = Vector3(x=x, y=y, z=z)
            self._frames.publish([frame])

    def _find_robot_face(self) -> None:
        try:
            self._hri = find_messages("hri_msgs")
        except MissingMessagesError:
            return  # most robots have none, and robot_expression has the same content
        self._robot_face = self.create_publisher(
            self._hri.Expression, "/robot_face/expression", qos.LATCHED
        )


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    run_node(HumanoidNode, args)
