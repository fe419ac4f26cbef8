"""The recorder node: pairs each result with its image."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.msg import FaceEmotionArray, ModelInfo
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.reporting import Health
from edan_ros.nodes.emotion.parameters import PARAMETERS
from edan_ros.recording.pairing import Pair, Pairing
from edan_ros.recording.run_info import RunInfo, describe_model

Recorded = Pair[ImageMessage, FaceEmotionArray]

#: Images that are kept while results are being written.
_QUEUE_DEPTH = 10


class RecorderNode(Node):
    """Subscribes to image_raw and faces, and passes on each result with its image.

    Once ``on_recorded`` has returned, the header of the result is published on
    camera_node/acknowledge, so that a camera node which waits for that loses nothing.

    Args:
        on_recorded: called with every result, in order, on the executor's thread.
        node_name, **kwargs: as for rclpy's Node.

    Attributes:
        pairing: images and results that have been received.
        run_info: model and settings of emotion_node; empty until it has sent them.
    """

    def __init__(
        self,
        on_recorded: Callable[[Recorded], None],
        node_name: str = "recorder_node",
        **kwargs: Any,
    ) -> None:
        super().__init__(node_name, **kwargs)
        self._on_recorded = on_recorded
        self.health = Health(self)
        self._last_header: Header | None = None
        self.pairing: Pairing[ImageMessage, FaceEmotionArray] = Pairing()
        self._acknowledge = self.create_publisher(Header, "camera_node/acknowledge", qos.RESULTS)
        self._subscribe(
            ImageMessage, "image_raw", self._on_image, qos.images("reliable", _QUEUE_DEPTH)
        )
        self._subscribe(FaceEmotionArray, "faces", self._on_faces, qos.RESULTS)
        self.run_info = RunInfo()
        self._settings_client = self.create_client(GetParameters, "emotion_node/get_parameters")
        self.create_subscription(ModelInfo, "model_info", self._on_model, qos.LATCHED)

    def _subscribe(
        self,
        kind: type,
        topic: str,
        callback: Callable[[Any, float, float], None],
        profile: QoSProfile,
    ) -> None:
        """Subscribe; the callback gets the message and its times of sending and arrival.

        The times are in seconds since 1970.
        """

        def with_times(message: Any, info: Mapping[str, int]) -> None:
            callback(message, info["source_timestamp"] * 1e-9, info["received_timestamp"] * 1e-9)

        def without_times(message: Any) -> None:
            now = time.time()
            callback(message, now, now)

        # Humble does not report the times: that of the callback replaces both.
        timed = hasattr(Subscription, "CallbackType")
        self.create_subscription(kind, topic, with_times if timed else without_times, profile)

    def _on_model(self, message: ModelInfo) -> None:
        """Store the model of a configured node, and request the node's settings."""
        self.run_info = RunInfo(describe_model(message), self.run_info.settings)
        names = [parameter.name for parameter in PARAMETERS]
        answer = self._settings_client.call_async(GetParameters.Request(names=names))
        answer.add_done_callback(lambda done: self._on_settings(names, done.result()))

    def _on_settings(self, names: list[str], answer: GetParameters.Response) -> None:
        values = (parameter_value_to_python(value) for value in answer.values)
        settings = {name: str(value) for name, value in zip(names, values, strict=True)}
        self.run_info = RunInfo(self.run_info.model, settings)

    def _on_image(self, message: ImageMessage, sent: float, _: float) -> None:
        self._pass_on(self.pairing.add_image(_nanoseconds(message.header), message, sent))

    def _on_faces(self, message: FaceEmotionArray, _: float, received: float) -> None:
        pairs = self.pairing.add_result(_nanoseconds(message.header), message, received)
        self._pass_on(pairs)
        if not pairs and message.header == self._last_header:
            # The image was published again because the acknowledgement did not arrive.
            self._acknowledge.publish(message.header)

    def _pass_on(self, pairs: list[Recorded]) -> None:
        for pair in pairs:
            self._on_recorded(pair)
            self._last_header = pair.result.header
            self._acknowledge.publish(pair.result.header)


def _nanoseconds(header: Header) -> int:
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)
