"""An emotion node and its client over DDS, each on a thread of its own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from edan_ros.msg import FaceEmotionArray
from fakes import FakeDetector, FakeEngine
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import ChangeState, GetState
from numpy.typing import NDArray
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from spinner import Spinner
from std_msgs.msg import Header

from edan_ros.nodes.common import qos
from edan_ros.nodes.common.camera_statistics import CameraFigures
from edan_ros.nodes.common.conversions import image_message
from edan_ros.nodes.emotion.emotion_node import EmotionNode

#: Seconds that are waited for anything at most: long, for the machine may be busy.
TIMEOUT = 120.0
NAMES = {
    State.PRIMARY_STATE_UNCONFIGURED: "unconfigured",
    State.PRIMARY_STATE_INACTIVE: "inactive",
    State.PRIMARY_STATE_ACTIVE: "active",
    State.PRIMARY_STATE_FINALIZED: "finalized",
}
T = TypeVar("T")


def wait_for(
    condition: Callable[[], T], what: str, timeout: float = TIMEOUT, period: float = 0.005
) -> T:
    """The condition's value once it is true; evaluated every `period` seconds."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {timeout} s for {what}"
        time.sleep(period)
    return value


class Probe:
    """Publishes images, and keeps what comes back."""

    def __init__(
        self,
        *,
        autostart: bool = True,
        until: str | None = "active",
        node: dict[str, Any] | None = None,
        **parameters: Any,
    ) -> None:
        """until: the state to wait for. node: arguments for it. parameters: of the node."""
        self.engine = FakeEngine()
        self.detectors: list[FakeDetector] = []
        given = {"autostart": autostart} | parameters
        options = {
            "make_engine": lambda *_, **__: self.engine,
            "make_detector": self._make_detector,
            "parameter_overrides": [Parameter(name, value=value) for name, value in given.items()],
        }
        self.node = EmotionNode(**(options | (node or {})))
        self.me = Node("probe")
        self.arrays: list[FaceEmotionArray] = []
        self.reports: list[DiagnosticArray] = []
        self._stamps = itertools.count(1_000)
        self.publishers: dict[str, Any] = {}
        self.listen(FaceEmotionArray, "faces", self.arrays)
        self.listen(DiagnosticArray, "/diagnostics", self.reports)
        self._spinners = [Spinner(self.node), Spinner(self.me)]
        if autostart and until is not None:
            self.wait_for_state(until)

    def close(self) -> None:
        """Take both down."""
        for spinner in self._spinners:
            spinner.close()

    def _make_detector(self, name: str, **options: object) -> FakeDetector:
        self.detectors.append(FakeDetector(name=name, **options))
        return self.detectors[-1]

    def listen(
        self, kind: type, topic: str, kept: list[Any], profile: QoSProfile = qos.RESULTS
    ) -> None:
        """Keep every message of a topic."""
        self.me.create_subscription(kind, topic, kept.append, profile)

    def header(self, stamp: float | None = None) -> Header:
        """A header with a stamp of its own, 1/30 s after the last."""
        seconds = next(self._stamps) / 30 if stamp is None else stamp
        header = Header(frame_id="front_optical")
        header.stamp.sec, header.stamp.nanosec = int(seconds), round(seconds % 1 * 1e9)
        return header

    def image(self, pixels: NDArray[np.uint8], stamp: float | None = None) -> ImageMessage:
        """A raw image message."""
        return image_message(pixels, self.header(stamp))

    def compressed(self, pixels: NDArray[np.uint8]) -> CompressedImage:
        """A JPEG image message."""
        _, data = cv2.imencode(".jpg", pixels)
        return CompressedImage(header=self.header(), format="jpeg", data=data.tobytes())

    def publish(
        self, message: Any, topic: str = "image_raw", reliability: str = "reliable"
    ) -> None:
        """Publish a message to a node that has been discovered."""
        if topic not in self.publishers:
            publisher = self.me.create_publisher(type(message), topic, qos.images(reliability, 5))
            self.publishers[topic] = publisher
            wait_for(publisher.get_subscription_count, f"a subscriber of {topic}")
        self.publishers[topic].publish(message)

    def figures(self, camera: str = "camera") -> CameraFigures:
        """What the node counts of a camera, now."""
        return self.node.cameras[camera].statistics.figures()

    def wait_until_idle(self, camera: str = "camera") -> None:
        """Wait until every received image is accounted for."""

        def idle() -> bool:
            figures = self.figures(camera)
            return figures.received == figures.processed + figures.dropped + figures.lost

        wait_for(idle, "the node to finish the images")

    def offer(self, message: Any, topic: str = "image_raw", camera: str = "camera") -> None:
        """Publish an image and wait until the node has used it or counted what is wrong."""

        def done() -> int:
            figures = self.figures(camera)
            return figures.processed + sum(figures.bad.values())

        self.wait_until_idle(camera)
        before = done()
        self.publish(message, topic)
        wait_for(lambda: done() > before, "the node to be done with the image")

    def receive(self, message: Any, topic: str = "image_raw", camera: str = "camera") -> None:
        """Publish an image and wait until the node has received it."""
        before = self.figures(camera).received
        self.publish(message, topic)
        wait_for(lambda: self.figures(camera).received > before, "the node to receive the image")

    def answer(self, message: Any, topic: str = "image_raw", **options: Any) -> FaceEmotionArray:
        """Publish an image and wait for its array, which must be the next."""
        before = len(self.arrays)
        self.publish(message, topic, **options)
        wait_for(lambda: len(self.arrays) > before, "an array of faces")
        assert len(self.arrays) == before + 1
        assert self.arrays[-1].header == message.header
        return self.arrays[-1]

    def call(self, kind: type, service: str, request: Any) -> Any:
        """Call a service of the node."""
        client = self.me.create_client(kind, service)
        assert client.wait_for_service(TIMEOUT), service
        future = client.call_async(request)
        wait_for(future.done, f"an answer of {service}")
        self.me.destroy_client(client)
        return future.result()

    def set(self, **parameters: Any) -> tuple[bool, str]:
        """Set parameters as `ros2 param set` does; whether all were, and why not."""
        request = SetParameters.Request()
        request.parameters = [
            Parameter(name, value=value).to_parameter_msg() for name, value in parameters.items()
        ]
        results = self.call(SetParameters, "emotion_node/set_parameters", request).results
        return all(r.successful for r in results), " ".join(r.reason for r in results)

    def transition(self, label: str) -> bool:
        """Ask for a lifecycle transition as `ros2 lifecycle set` does; whether it succeeded."""
        request = ChangeState.Request()
        request.transition.label = label
        return self.call(ChangeState, "emotion_node/change_state", request).success

    def state(self) -> str:
        """The lifecycle state."""
        answer = self.call(GetState, "emotion_node/get_state", GetState.Request())
        return NAMES.get(answer.current_state.id, answer.current_state.label)

    def wait_for_state(self, state: str) -> None:
        """Wait until the node is in a state."""
        wait_for(lambda: self.state() == state, f"the state {state}")

    def report(self, name: str = "camera") -> DiagnosticStatus:
        """The newest entry of /diagnostics of this name, published after this call."""
        self.reports.clear()
        full = f"{self.node.get_fully_qualified_name()}: {name}"

        def newest() -> DiagnosticStatus | None:
            entries = [s for array in self.reports for s in array.status if s.name == full]
            return entries[-1] if entries else None

        return wait_for(newest, f"a report of {name}")

    def values(self, name: str = "camera") -> dict[str, str]:
        """The key-value pairs of that entry."""
        return {pair.key: pair.value for pair in self.report(name).values}
