"""A camera node and a subscriber over DDS, each on a thread of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from probe import wait_for
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from spinner import Spinner
from std_msgs.msg import Header

from edan_ros.nodes.camera.camera_node import CameraNode
from edan_ros.nodes.common import qos


def write_pictures(folder: Path, count: int, width: int = 64, height: int = 48) -> Path:
    """A folder of grey images; the level of each is its number."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        pixels = np.full((height, width, 3), number, np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder


class CameraListener:
    """Keeps what a camera node publishes. parameters: of the camera node."""

    def __init__(self, *, reliability: str = "reliable", **parameters: Any) -> None:
        self.me = Node("listener")
        self.images: list[ImageMessage] = []
        self.compressed: list[CompressedImage] = []
        self.infos: list[CameraInfo] = []
        self.reports: list[DiagnosticArray] = []
        profile = qos.images(reliability, 100)
        for kind, topic, kept in (
            (ImageMessage, "image_raw", self.images),
            (CompressedImage, "image_raw/compressed", self.compressed),
            (CameraInfo, "camera_info", self.infos),
            (DiagnosticArray, "/diagnostics", self.reports),
        ):
            self.me.create_subscription(kind, topic, kept.append, profile)
        self._acknowledge = self.me.create_publisher(Header, "camera_node/acknowledge", qos.RESULTS)
        given = {"at_end": "stay", "wait_for_subscribers": 1, "image_reliability": "reliable"}
        given |= parameters
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        self._spinners = [Spinner(self.me)]
        try:
            self.node = CameraNode(parameter_overrides=overrides)
        except Exception:
            self.close()
            raise
        self._spinners.append(Spinner(self.node))

    def close(self) -> None:
        """Take both down."""
        for spinner in self._spinners:
            spinner.close()

    def acknowledge(self, image: ImageMessage) -> None:
        """Tell the camera node that an image has been dealt with."""
        self._acknowledge.publish(image.header)

    def wait_for_images(self, count: int) -> list[ImageMessage]:
        """The images, once there are as many."""
        wait_for(lambda: len(self.images) >= count, f"{count} images")
        return self.images

    def wait_for_status(self, text: str) -> DiagnosticStatus:
        """The newest entry of /diagnostics, once its message begins with the text."""

        def newest() -> DiagnosticStatus | None:
            entries = [entry for report in self.reports for entry in report.status]
            return entries[-1] if entries and entries[-1].message.startswith(text) else None

        return wait_for(newest, f"diagnostics that say '{text}'")


def nanoseconds(header: Header) -> int:
    """The stamp."""
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def values(status: DiagnosticStatus) -> dict[str, str]:
    """The figures of an entry of /diagnostics."""
    return {pair.key: pair.value for pair in status.values}
