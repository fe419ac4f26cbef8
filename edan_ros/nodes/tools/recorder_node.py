"""The recorder node: listens to images and faces, and brings together what belongs together."""

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
from edan_ros.nodes.emotion.emotion_parameters import PARAMETERS
from edan_ros.recording.pairing import Pair, Pairing
from edan_ros.recording.run_info import RunInfo, describe_model

Recorded = Pair[ImageMessage, FaceEmotionArray]

#: Messages that wait while the record is written.
_QUEUE = 10


class RecorderNode(Node):
    """Subscribes to image_raw and faces and hands over each result with its image.

    take: called with every result, in order, on the executor's thread. Once it has returned, the
    result's header is published on camera_node/acknowledge, so that a camera node which waits
    for that loses nothing. run_info: the model and the settings, once emotion_node has told them.
    """

    def __init__(
        self, take: Callable[[Recorded], None], node_name: str = "recorder_node", **kwargs: Any
    ) -> None:
        super().__init__(node_name, **kwargs)
        self._take = take
        self.health = Health(self)
        self._handed_over: Header | None = None
        self.pairing: Pairing[ImageMessage, FaceEmotionArray] = Pairing()
        self._acknowledge = self.create_publisher(Header, "camera_node/acknowledge", qos.RESULTS)
        self._subscribe(ImageMessage, "image_raw", self._on_image, qos.images("reliable", _QUEUE))
        self._subscribe(FaceEmotionArray, "faces", self._on_faces, qos.RESULTS)
        self.run_info = RunInfo()
        self._settings_client = self.create_client(GetParameters, "emotion_node/get_parameters")
        self.create_subscription(ModelInfo, "model_info", self._on_model, qos.LATCHED)

    def image_publishers(self) -> int:
        """How many publish on image_raw."""
        return self.count_publishers("image_raw")

    def face_publishers(self) -> int:
        """How many publish on faces."""
        return self.count_publishers("faces")

    def _subscribe(
        self,
        kind: type,
        topic: str,
        callback: Callable[[Any, float, float], None],
        profile: QoSProfile,
    ) -> None:
        """callback: gets the message, and when it was sent and received (seconds since 1970)."""

        def with_times(message: Any, info: Mapping[str, int]) -> None:
            callback(message, info["source_timestamp"] * 1e-9, info["received_timestamp"] * 1e-9)

        def without_times(message: Any) -> None:
            now = time.time()
            callback(message, now, now)

        # Humble does not tell the times: the arrival stands for both.
        told = hasattr(Subscription, "CallbackType")
        self.create_subscription(kind, topic, with_times if told else without_times, profile)

    def _on_model(self, message: ModelInfo) -> None:
        """The node is configured: note the model, and ask for the settings."""
        self.run_info = RunInfo(describe_model(message), self.run_info.settings)
        names = [parameter.name for parameter in PARAMETERS]
        answer = self._settings_client.call_async(GetParameters.Request(names=names))
        answer.add_done_callback(lambda done: self._on_settings(names, done.result()))

    def _on_settings(self, names: list[str], answer: GetParameters.Response) -> None:
        values = (parameter_value_to_python(value) for value in answer.values)
        settings = {name: str(value) for name, value in zip(names, values, strict=True)}
        self.run_info = RunInfo(self.run_info.model, settings)

    def _on_image(self, message: ImageMessage, sent: float, _: float) -> None:
        self._hand_over(self.pairing.add_image(_nanoseconds(message.header), message, sent))

    def _on_faces(self, message: FaceEmotionArray, _: float, received: float) -> None:
        pairs = self.pairing.add_result(_nanoseconds(message.header), message, received)
        self._hand_over(pairs)
        if not pairs and message.header == self._handed_over:
            # The image was sent again because the acknowledgement did not arrive.
            self._acknowledge.publish(message.header)

    def _hand_over(self, pairs: list[Recorded]) -> None:
        for pair in pairs:
            self._take(pair)
            self._handed_over = pair.result.header
            self._acknowledge.publish(pair.result.header)


def _nanoseconds(header: Header) -> int:
    return header.stamp.sec * 10**9 + header.stamp.nanosec
