"""The view node: collects what emotion nodes publish for the page of `edan view`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image as ImageMessage

from edan_ros.core.images import ImageError
from edan_ros.core.message_fields import decode_image
from edan_ros.msg import FaceEmotionArray, ModelInfo
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import MessageError, frame_result
from edan_ros.nodes.common.reporting import Health
from edan_ros.recording.run_info import describe_model
from edan_ros.report.live import LiveState
from edan_ros.report.records import LEVELS, Status

if TYPE_CHECKING:
    from edan_ros.nodes.tools.foxglove_server import FoxgloveServer

FACES, ANNOTATED = "edan_ros/msg/FaceEmotionArray", "/annotated"
MODEL = "edan_ros/msg/ModelInfo"
#: Seconds between two searches for new topics.
_DISCOVERY_PERIOD = 0.5


class ViewNode(Node):
    """Subscribes to every topic of faces that has an annotated one below it.

    It subscribes to annotated images only while a browser shows the page or Foxglove shows
    them, so that they are not drawn and sent otherwise.

    Args:
        state: receives the newest messages.
        namespace_filter: only topics below this namespace; "" for all.
        node_name, **kwargs: as for rclpy's Node.
        foxglove: receives faces and images as well.
    """

    def __init__(
        self,
        state: LiveState,
        namespace_filter: str = "",
        node_name: str = "view_node",
        foxglove: FoxgloveServer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(node_name, **kwargs)
        self._state, self._foxglove = state, foxglove
        self._refused: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()  # at the last diagnostics
        self.health = Health(self, self._statuses)
        self._below = f"/{namespace_filter.strip('/')}/" if namespace_filter.strip("/") else "/"
        self._topics: dict[str, Subscription] = {}
        self._annotated: dict[str, Subscription] = {}
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.RESULTS)
        self.create_timer(
            _DISCOVERY_PERIOD, self._discover, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def _discover(self) -> None:
        """Subscribe to new topics, and to annotated images while a client is connected."""
        kinds = dict(self.get_topic_names_and_types())
        for topic in [name for name in kinds if name.startswith(self._below)]:
            if topic in self._topics:
                continue
            if FACES in kinds[topic] and topic + ANNOTATED in kinds:
                self._subscribe(FaceEmotionArray, topic, self._on_faces(topic), qos.RESULTS)
            elif MODEL in kinds[topic]:
                self._subscribe(ModelInfo, topic, self._on_model, qos.LATCHED)
        if self._state.watched or (self._foxglove is not None and self._foxglove.watched):
            for topic in [name for name in self._topics if name + ANNOTATED in kinds]:
                self._subscribe_to_annotated(topic)
        else:
            for subscription in self._annotated.values():
                self.destroy_subscription(subscription)
            self._annotated.clear()

    def _subscribe(self, kind: type, topic: str, callback: Any, profile: Any) -> None:
        self._topics[topic] = self.create_subscription(kind, topic, callback, profile)

    def _subscribe_to_annotated(self, topic: str) -> None:
        if topic in self._annotated:
            return

        def add(message: ImageMessage) -> None:
            try:
                image = decode_image(message)
            except ImageError as error:
                self._refuse(topic + ANNOTATED, error)
                return
            self._state.add_image(topic, image)
            if self._foxglove is not None:
                self._foxglove.add_image(topic, message.header, image)

        self._annotated[topic] = self.create_subscription(
            ImageMessage, topic + ANNOTATED, add, qos.images("best_effort")
        )

    def _on_faces(self, topic: str) -> Any:
        def add(message: FaceEmotionArray) -> None:
            try:
                result = frame_result(message)
            except MessageError as error:
                self._refuse(topic, error)
                return
            for refusal in result.warnings:
                self._refuse(topic, refusal)
            self._state.add_result(topic, result)
            if self._foxglove is not None:
                self._foxglove.add_faces(topic, message, result)

        return add

    def _refuse(self, topic: str, error: ValueError) -> None:
        """Count a message that cannot be shown, and warn of it now and then."""
        self._refused[topic] += 1
        self.health.warn(topic, f"{topic}: {error}")

    def _statuses(self) -> list[DiagnosticStatus]:
        """Return a status of what was refused, from the first time on."""
        if not self._refused:
            return []
        recent, self._reported = self._refused - self._reported, Counter(self._refused)
        level = DiagnosticStatus.WARN if recent else DiagnosticStatus.OK
        text = f"messages or faces refused: {self._refused.total()}"
        values = {topic: str(count) for topic, count in self._refused.items()}
        return [self.health.status("input", level, text, values)]

    def _on_model(self, message: ModelInfo) -> None:
        self._state.set_model(describe_model(message))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            level = LEVELS[min(ord(status.level), len(LEVELS) - 1)]
            self._state.add_status(Status(status.name, level, status.message, values))
