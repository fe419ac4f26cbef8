"""The camera node: publishes a webcam, video, folder, bag or the built-in scene as a camera."""

from __future__ import annotations

import threading
import time
from typing import Any

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.core.faces import CameraModel
from edan_ros.core.wording import plural
from edan_ros.nodes.camera.parameters import PARAMETERS, check
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import camera_info_message, image_message
from edan_ros.nodes.common.parameters import ParameterSet
from edan_ros.nodes.common.reporting import Health
from edan_ros.nodes.common.running import run_node
from edan_ros.nodes.common.topics import camera_topics
from edan_ros.sources import Frame, Source, create_source
from edan_ros.sources.calibration import from_field_of_view, load_calibration
from edan_ros.sources.player import Listener, Player, PlayOptions

DEFAULT_FRAME_ID = "camera_optical_frame"

#: What the log and the diagnostics call the thread that publishes the images.
PLAYER = "the player"

_ENCODINGS = {"mono": "mono8", "bgr": "bgr8", "rgb": "rgb8"}
#: Images that are kept for a slow reliable subscriber; five of 1920x1080 are 31 MB.
_QUEUE_DEPTH = 5
#: Seconds after which the first image is published again if it has not been acknowledged.
_REPEAT_AFTER = 0.5
#: Longest time to wait until the last images of a recording have arrived.
_FLUSH_TIMEOUT = Duration(seconds=5)


class CameraNode(Node, Listener):
    """Publishes image_raw and, if a calibration is known, camera_info.

    It retries to open a missing source, and reports that in the diagnostics. At the end of a
    recording it shuts the context down, which ends the process, or stays (at_end).

    Raises:
        rclpy.exceptions.ParameterException: a value from a file or the command line is not valid.
    """

    def __init__(self, node_name: str = "camera_node", **kwargs: Any) -> None:
        super().__init__(node_name, **kwargs)
        values = ParameterSet(self, PARAMETERS, may_configure=lambda: False, check=check)
        self._values = values
        self._calibration = (
            load_calibration(values["calibration"]) if values["calibration"] else None
        )
        self._first_stamp = 0
        self._published = self._skipped = self._unacknowledged = self._outages = 0
        self._size = ""
        self._last_report = (time.monotonic(), 0)
        self._state = (DiagnosticStatus.WARN, "starting")
        self._awaited: ImageMessage | None = None
        self._ever_acknowledged = False
        self._acknowledged = threading.Event()
        self._make_topics()
        self.player = Player(
            self._open,
            PlayOptions(rate=values["rate"], loop=values["loop"], retry=values["retry"]),
            self,
        )
        self.health = Health(self, self._statuses)
        self.player.start()

    def destroy_node(self) -> None:
        """Stop the player and destroy the node."""
        self.player.stop()
        super().destroy_node()

    def _make_topics(self) -> None:
        profile = qos.images(self._values["image_reliability"], _QUEUE_DEPTH)
        _, info_topic = camera_topics(self)
        compressed_topic, _ = camera_topics(self, transport="compressed")
        self._images = self.create_publisher(ImageMessage, "image_raw", **qos.overridable(profile))
        self._infos = self.create_publisher(CameraInfo, info_topic, **qos.overridable(profile))
        self._compressed = (
            self.create_publisher(CompressedImage, compressed_topic, **qos.overridable(profile))
            if self._values["compressed"]
            else None
        )
        if self._values["wait_for_acknowledgement"]:
            self.create_subscription(Header, "~/acknowledge", self._on_acknowledge, qos.RESULTS)

    def _open(self) -> Source:
        values = self._values
        return create_source(
            str(values["source"]),
            topic=values["bag_topic"],
            width=values["width"],
            height=values["height"],
            fps=values["rate"],
            log=self._on_skip,
        )

    # Methods of Listener, called on the player's thread.

    def ready(self) -> bool:
        """Return whether the required subscribers are present."""
        wanted = self._values["wait_for_subscribers"]
        topics = (self._images, self._compressed)
        missing = wanted - sum(t.get_subscription_count() for t in topics if t is not None)
        if missing > 0:
            self._state = (
                DiagnosticStatus.WARN,
                f"waiting for {plural(missing, 'more subscriber')}",
            )
            return False
        if not self._values["wait_for_acknowledgement"]:
            return True
        if not self.count_publishers("~/acknowledge"):
            self._state = (DiagnosticStatus.WARN, "waiting for a publisher on ~/acknowledge")
            return False
        return True

    def show(self, frame: Frame, time: float, begins: bool) -> None:
        """Publish a frame, after the acknowledgement of the last one if that is required."""
        self._await_acknowledgement()
        if self.player.stopping:
            return
        try:
            self._publish_frame(frame, time, begins)
        except Exception as error:
            if self.gone():
                raise
            self._skipped += 1
            self.health.record("a frame was skipped", error)

    def _publish_frame(self, frame: Frame, time: float, begins: bool) -> None:
        header = self._header(frame, time, begins)
        message = image_message(frame.image.pixels, header, _ENCODINGS[frame.image.order])
        self._state = (DiagnosticStatus.OK, "publishing")
        self._size = f"{message.width}x{message.height}"
        self._awaited = message
        self._acknowledged.clear()
        self._publish_info(frame, message)
        self._images.publish(message)
        self._publish_compressed(frame, header)
        self._published += 1

    def lost(self, reason: str) -> None:
        """Report that the source is missing."""
        self._outages += 1
        self._state = (DiagnosticStatus.ERROR, f"no images: {reason}")
        self.get_logger().error(f"{reason}; retrying every {self._values['retry']:g} s")

    def found(self, outage: float) -> None:
        """Report that the source is back."""
        self.get_logger().info(f"the source is back after {outage:.1f} s")

    def ended(self) -> None:
        """Finish after the last frame of a recording."""
        self._await_acknowledgement()
        self._state = (DiagnosticStatus.OK, "the recording has ended")
        self.get_logger().info(
            f"the recording has ended: {plural(self._published, 'image')} published"
        )
        if self._values["image_reliability"] == "reliable":
            self._images.wait_for_all_acked(_FLUSH_TIMEOUT)
        if self._values["at_end"] == "exit":
            self.context.try_shutdown()

    def failed(self, error: Exception) -> None:
        """Report that an error has ended the player's thread."""
        self._state = (DiagnosticStatus.ERROR, f"no more images: {PLAYER} has ended: {error}")
        self.health.record_end(PLAYER, error)

    def gone(self) -> bool:
        """Return whether the context is down, so that nothing can be published."""
        return not self.context.ok()

    def _header(self, frame: Frame, seconds: float, begins: bool) -> Header:
        now = self.get_clock().now()
        if begins:
            self._first_stamp = frame.stamp_ns or now.nanoseconds
        header = Header()
        header.frame_id = self._values["frame_id"] or frame.frame_id or DEFAULT_FRAME_ID
        if self._values["stamps"] == "recorded":
            now = Time(nanoseconds=self._first_stamp + round(seconds * 1e9))
        header.stamp = now.to_msg()
        return header

    def _publish_info(self, frame: Frame, message: ImageMessage) -> None:
        camera = self._camera(frame)
        if camera is None:
            return
        if (camera.width, camera.height) != (message.width, message.height):
            self.health.warn(
                "calibration",
                f"the calibration is for {camera.width}x{camera.height}, the images have "
                f"{self._size}: camera_info is not published",
            )
            return
        self._infos.publish(camera_info_message(camera, message.header))

    def _camera(self, frame: Frame) -> CameraModel | None:
        if self._calibration is not None:
            return self._calibration
        degrees = self._values["field_of_view"]
        if degrees:
            return from_field_of_view(frame.image.width, frame.image.height, degrees)
        return frame.camera

    def _publish_compressed(self, frame: Frame, header: Header) -> None:
        if self._compressed is None or not self._compressed.get_subscription_count():
            return
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._values["jpeg_quality"]]
        pixels = frame.image.pixels if frame.image.order == "mono" else frame.image.bgr()
        _, data = cv2.imencode(".jpg", pixels, quality)
        message = CompressedImage(header=header, format="jpeg")
        message.data.frombytes(np.asarray(data).data)
        self._compressed.publish(message)

    def _await_acknowledgement(self) -> None:
        """Wait until the last image is acknowledged, or until the time-out.

        The first image is published repeatedly: its receiver, or that of its result, may not have
        been discovered yet, which this node cannot detect.
        """
        if self._awaited is None or not self._values["wait_for_acknowledgement"]:
            return
        begin = sent = time.monotonic()
        while not self._acknowledged.wait(0.05):
            now = time.monotonic()
            if self.player.stopping:
                return
            if now - begin > self._values["acknowledgement_timeout"]:
                self._unacknowledged += 1
                self.health.warn(
                    "timeout", "an image was not acknowledged in time: continuing without"
                )
                return
            if not self._ever_acknowledged and now - sent > _REPEAT_AFTER:
                self._images.publish(self._awaited)
                sent = now

    def _on_acknowledge(self, header: Header) -> None:
        if self._awaited is not None and header.stamp == self._awaited.header.stamp:
            self._ever_acknowledged = True
            self._acknowledged.set()

    def _on_skip(self, reason: str) -> None:
        self._skipped += 1
        self.health.warn("skip", f"{reason}; skipped")

    def _statuses(self) -> list[DiagnosticStatus]:
        level, sentence = self._state
        then, published = self._last_report
        now, total = time.monotonic(), self._published
        self._last_report = (now, total)
        rate = (total - published) / (now - then)
        values = {
            "source": str(self._values["source"]),
            "images_published": str(total),
            "rate_hz": f"{rate:.1f}",
            "size": self._size,
            "frames_left_out": str(self._skipped),
            "outages": str(self._outages),
            "not_acknowledged": str(self._unacknowledged),
            "behind_the_recording_s": f"{self.player.delay:.2f}",
        }
        return [self.health.status("source", level, sentence, values)]


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    run_node(CameraNode, args)
