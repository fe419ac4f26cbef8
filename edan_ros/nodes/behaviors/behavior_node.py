"""What the nodes of the behaviours share: faces in, decisions at a steady rate, diagnostics."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from edan_ros.behaviors.snapshot import Snapshot, take_snapshot
from edan_ros.behaviors.timing import Admission
from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.behaviors.behavior_parameters import RATE
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import frame_result, stamp_seconds
from edan_ros.nodes.common.parameters import Parameter, ParameterSet
from edan_ros.nodes.common.reporting import Health, Throttle

NANOSECONDS = 1e-9


class BehaviorNode(Node, abc.ABC):
    """Feeds a behaviour the faces on the topic `faces`, and steps it on the node's clock.

    parameters: of the behaviour; `rate` is added. check: given the values of all of them, makes the
    behaviour's settings or raises SettingsError.

    Raises rclpy's ParameterException where a parameter given from outside is not valid.
    """

    #: Whether the behaviour wants head angles of cameras without a calibration too.
    assume_lens = False

    def __init__(
        self,
        node_name: str,
        parameters: Iterable[Parameter],
        check: Callable[[Mapping[str, Any]], object],
        **kwargs: Any,
    ) -> None:
        super().__init__(node_name, **kwargs)
        self.parameters = ParameterSet(
            self,
            (RATE, *parameters),
            may_configure=lambda: False,
            check=check,  # type: ignore[arg-type]
            apply=lambda values, _: self.reconfigure(values),
        )
        self.frame_id = ""
        self._counts: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()  # the counts at the last diagnostics
        self._offset = 0.0
        self._throttle = Throttle()
        self.health = Health(self, self._statuses)

    def begin(self) -> None:
        """Listens and decides from now on. To be called when the behaviour is there."""
        self.create_subscription(FaceEmotionArray, "faces", self._on_faces, qos.RESULTS)
        self.create_timer(1.0 / self.parameters["rate"], self._on_timer)

    @abc.abstractmethod
    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Takes changed parameters, already checked."""

    @abc.abstractmethod
    def observe(self, snapshot: Snapshot, now: float, message: FaceEmotionArray) -> Admission:
        """Gives the behaviour a snapshot that arrives at `now`."""

    @abc.abstractmethod
    def step(self, now: float, stamp: Time) -> None:
        """Decides at `now` and publishes; `stamp` is the same time exactly."""

    @abc.abstractmethod
    def situation(self) -> str:
        """What holds, in one sentence, for the diagnostics."""

    def header(self, stamp: Time) -> Header:
        """A header of this time in the frame of the faces."""
        return Header(stamp=stamp.to_msg(), frame_id=self.frame_id)

    def warn(self, key: str, message: str) -> None:
        """Logs a warning, one of each kind in a while."""
        warning = self._throttle.admit(key, message)
        if warning:
            self.get_logger().warning(warning)

    def _on_faces(self, message: FaceEmotionArray) -> None:
        now = self.get_clock().now().nanoseconds * NANOSECONDS
        if now == 0.0:  # simulated time that has not begun
            self._counts["no_clock"] += 1
            return
        stamp = stamp_seconds(message.header)
        try:
            snapshot = take_snapshot(frame_result(message), stamp, assume_lens=self.assume_lens)
        except ValueError as error:
            self._counts["refused"] += 1
            self.warn("refused", f"a message on {self.resolve_topic_name('faces')}: {error}")
            return
        self._offset = now - stamp
        admission = self.observe(snapshot, now, message)
        if admission is Admission.NEW:
            self.frame_id = message.header.frame_id
        self._counts[admission.value] += 1
        if admission in (Admission.STALE, Admission.FUTURE):
            self.warn(admission.value, _off_clock(self._offset))

    def _on_timer(self) -> None:
        now = self.get_clock().now()
        if now.nanoseconds:
            self.step(now.nanoseconds * NANOSECONDS, now)

    def _statuses(self) -> list[DiagnosticStatus]:
        level, text = self._judge()
        values = {f"faces_{key}": str(count) for key, count in sorted(self._counts.items())}
        self._reported = Counter(self._counts)
        return [self.health.status("behaviour", level, text, values)]

    def _judge(self) -> tuple[bytes, str]:
        """Level and one sentence: why nothing is decided, the first cause first."""
        topic = self.resolve_topic_name("faces")
        fresh = self._counts - self._reported
        if fresh[Admission.NEW.value]:
            return DiagnosticStatus.OK, self.situation()
        if fresh[Admission.STALE.value] or fresh[Admission.FUTURE.value]:
            return DiagnosticStatus.ERROR, _off_clock(self._offset)
        if fresh["no_clock"]:
            return DiagnosticStatus.ERROR, "use_sim_time is set, but nobody publishes /clock"
        if fresh["refused"]:
            return DiagnosticStatus.ERROR, f"the messages on {topic} are not valid: see the log"
        if not self.count_publishers(topic):
            return DiagnosticStatus.WARN, f"no faces: nobody publishes on {topic}"
        return DiagnosticStatus.WARN, f"no faces arrive on {topic}, though it has a publisher"


def _off_clock(offset: float) -> str:
    side = "behind" if offset > 0.0 else "ahead of"
    return (
        f"the stamps of the faces are {abs(offset):.1f} s {side} this node's clock: set "
        "use_sim_time on all nodes that replay a recording, or bring the clocks together"
    )
