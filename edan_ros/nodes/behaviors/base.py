"""Base of the behaviour nodes: faces in, decisions at a steady rate, diagnostics."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from edan_ros.behaviors.snapshot import Snapshot, take_snapshot
from edan_ros.behaviors.timing import Admission
from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import frame_result, stamp_seconds
from edan_ros.nodes.common.parameters import Group, ParameterSet, parameters_in
from edan_ros.nodes.common.reporting import Health

NANOSECONDS = 1e-9


class Behavior(Protocol):
    """What all behaviours have in common."""

    def observe(self, snapshot: Snapshot, now: float, /) -> Any:
        """Add the faces of one image that arrives at ``now``."""

    def reconfigure(self, settings: Any, /) -> None:
        """Set new settings."""


BehaviorT = TypeVar("BehaviorT", bound=Behavior)


class BehaviorNode(Node, abc.ABC, Generic[BehaviorT]):
    """Passes the faces on the topic `faces` to a behaviour, and steps it on the node's clock.

    Args:
        node_name, **kwargs: as for rclpy's Node.
        groups: parameters of the node, with `rate` among them.
        read_settings: creates the settings of the behaviour from the values of all parameters;
            raises SettingsError if they conflict.
        make: creates the behaviour from its settings.

    Raises:
        rclpy.exceptions.ParameterException: a value from a file or the command line is not valid.
    """

    #: Whether head angles are also computed for cameras without a calibration.
    assume_lens = False

    def __init__(
        self,
        node_name: str,
        groups: Iterable[Group],
        read_settings: Callable[[Mapping[str, Any]], Any],
        make: Callable[[Any], BehaviorT],
        **kwargs: Any,
    ) -> None:
        super().__init__(node_name, **kwargs)
        self.parameters = ParameterSet(
            self,
            parameters_in(groups),
            may_configure=lambda: False,
            check=read_settings,
            apply=lambda values, _: self.reconfigure(values),
        )
        self._read_settings = read_settings
        self.behavior = make(read_settings(self.parameters.values))
        self.frame_id = ""
        #: Messages by what became of them: an Admission, refused or no_clock.
        self.counts: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()  # the counts at the last diagnostics
        self._offset = 0.0
        self.health = Health(self, self._statuses)

    def begin(self) -> None:
        """Subscribe and start to decide; call it when the node has been created."""
        self.create_subscription(FaceEmotionArray, "faces", self._on_faces, qos.RESULTS)
        self.create_timer(1.0 / self.parameters["rate"], self._on_timer)

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Apply changed parameters, already checked."""
        self.behavior.reconfigure(self._read_settings(values))

    def observe(
        self,
        snapshot: Snapshot,
        now: float,
        message: FaceEmotionArray,  # noqa: ARG002
    ) -> Admission:
        """Pass the snapshot of a message that arrives at ``now`` to the behaviour."""
        admission: Admission = self.behavior.observe(snapshot, now)
        return admission

    @abc.abstractmethod
    def step(self, now: float, stamp: Time) -> None:
        """Decide at ``now`` and publish; ``stamp`` is the same time in nanoseconds."""

    @abc.abstractmethod
    def situation(self) -> str:
        """Return the state in one sentence, for the diagnostics."""

    def header(self, stamp: Time) -> Header:
        """Return a header with this time and the frame of the faces."""
        return Header(stamp=stamp.to_msg(), frame_id=self.frame_id)

    def _on_faces(self, message: FaceEmotionArray) -> None:
        now = self.get_clock().now().nanoseconds * NANOSECONDS
        if now == 0.0:  # simulated time that has not started
            self.counts["no_clock"] += 1
            return
        stamp = stamp_seconds(message.header)
        try:
            result = frame_result(message)
            snapshot = take_snapshot(result, stamp, assume_lens=self.assume_lens)
        except ValueError as error:
            self.counts["refused"] += 1
            self.health.warn("refused", f"a message on {self.resolve_topic_name('faces')}: {error}")
            return
        self._offset = now - stamp
        admission = self.observe(snapshot, now, message)
        if admission is Admission.NEW:
            self.frame_id = message.header.frame_id
        self.counts[admission.value] += 1
        for refusal in result.warnings:
            self.counts["refused_faces"] += 1
            self.health.warn("refused", str(refusal))
        if admission in (Admission.STALE, Admission.FUTURE):
            self.health.warn(admission.value, _off_clock(self._offset))

    def _on_timer(self) -> None:
        now = self.get_clock().now()
        if now.nanoseconds:
            self.step(now.nanoseconds * NANOSECONDS, now)

    def _statuses(self) -> list[DiagnosticStatus]:
        level, text = self._assess()
        values = {f"faces_{key}": str(count) for key, count in sorted(self.counts.items())}
        self._reported = Counter(self.counts)
        return [self.health.status("behaviour", level, text, values)]

    def _assess(self) -> tuple[bytes, str]:
        """Return the level and one sentence: the first cause that keeps the node from deciding."""
        topic = self.resolve_topic_name("faces")
        fresh = self.counts - self._reported
        if fresh[Admission.NEW.value]:
            return DiagnosticStatus.OK, self.situation()
        if fresh[Admission.STALE.value] or fresh[Admission.FUTURE.value]:
            return DiagnosticStatus.ERROR, _off_clock(self._offset)
        if fresh["no_clock"]:
            return DiagnosticStatus.ERROR, "use_sim_time is set, but /clock has no publisher"
        if fresh["refused"]:
            return DiagnosticStatus.ERROR, f"the messages on {topic} are not valid: see the log"
        if not self.count_publishers(topic):
            return DiagnosticStatus.WARN, f"no faces: {topic} has no publisher"
        return DiagnosticStatus.WARN, f"no faces arrive on {topic}, which has a publisher"


def _off_clock(offset: float) -> str:
    side = "behind" if offset > 0.0 else "ahead of"
    return (
        f"the stamps of the faces are {abs(offset):.1f} s {side} this node's clock: set "
        "use_sim_time on all nodes that replay a recording, or synchronise the clocks"
    )
