"""The subscriber of `edan benchmark`: times of arrival, and stage times of the emotion node."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.running import GuardedExecutor


class BenchmarkListener(Node):
    """Subscribes to the faces of all cameras, on a thread of its own from `start` to `stop`.

    Attributes:
        arrivals: in order, the stamp of the image and the arrival of its result in nanoseconds
            since 1970, and the number of faces.
        stages: image topic -> stage -> mean milliseconds.
    """

    def __init__(self, namespace: str, cameras: Sequence[str]) -> None:
        super().__init__("benchmark_listener", namespace=namespace)
        self.arrivals: list[tuple[int, int, int]] = []
        self.stages: dict[str, dict[str, float]] = {}
        for camera in cameras:
            self.create_subscription(
                FaceEmotionArray, f"{camera}/faces", self._on_faces, qos.RESULTS
            )
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.RESULTS)
        self._executor = GuardedExecutor()
        self._executor.add_node(self)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="listener", daemon=True)

    def start(self) -> None:
        """Start to receive."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and destroy the node."""
        self._stopping.set()
        self._thread.join()
        self._executor.shutdown()
        self.destroy_node()

    def _spin(self) -> None:
        while not self._stopping.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def _on_faces(self, message: FaceEmotionArray) -> None:
        stamp = message.header.stamp
        sent = stamp.sec * 10**9 + stamp.nanosec
        self.arrivals.append((sent, time.time_ns(), len(message.faces)))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            stages = {
                key.removeprefix("stage.").removesuffix("_ms"): float(value)
                for key, value in values.items()
                if key.startswith("stage.")
            }
            # Other nodes of the domain publish on the same topic.
            topic = values.get("topic", "")
            if stages and topic.startswith(f"{self.get_namespace()}/"):
                self.stages[topic] = stages
