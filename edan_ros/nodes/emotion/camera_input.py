"""One camera of the emotion node: its topics, what is known about it, and its last result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.core.faces import CameraModel, FrameResult
from edan_ros.core.head_pose import CameraModelError, fit_camera
from edan_ros.core.images import Image, ImageError
from edan_ros.core.message_fields import camera_model, decode_image
from edan_ros.detection.base import IDENTITY_BOX, WIDER_FACE_BOX
from edan_ros.detection.external_boxes import ExternalBoxes
from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.camera_statistics import CameraStatistics
from edan_ros.nodes.common.camera_topics import camera_topics
from edan_ros.nodes.common.conversions import MessageError, detections, stamp_seconds
from edan_ros.nodes.common.reporting import Throttle

#: What the camera of an empty name is called where a name is needed.
UNNAMED = "camera"
#: Values of the parameter image_transport, and the message type that each takes.
IMAGE_TYPES = {"raw": "sensor_msgs/msg/Image", "compressed": "sensor_msgs/msg/CompressedImage"}
#: Images that wait in the middleware for the callback, which lets go of all but the newest: with
#: one place only, images would be lost there without being counted.
QUEUE = 5
NO_CALIBRATION = "none: no head pose"
#: What the parameter boxes_of takes, and the way from there to the box of the landmarks.
BOXES_OF = {"face": WIDER_FACE_BOX, "landmarks": IDENTITY_BOX}


@dataclass(frozen=True)
class Arrival:
    """An image message and when it came (time.monotonic)."""

    message: ImageMessage | CompressedImage
    time: float


Put = Callable[[str, Arrival], bool]


@dataclass(frozen=True)
class Frame:
    """An image read from a message, ready for the pipeline."""

    arrival: Arrival
    image: Image
    camera: CameraModel | None
    decode_ms: float = 0.0

    @property
    def header(self) -> Header:
        """The header of the image message."""
        return self.arrival.message.header

    @property
    def stamp(self) -> float:
        """Seconds of the header's stamp."""
        return stamp_seconds(self.header)


@dataclass(frozen=True)
class CameraOptions:
    """How images come.

    transport: one of IMAGE_TYPES. rectified: they are without distortion. boxes: the detections
    come from a topic and are drawn around one of BOXES_OF; None if they do not.
    """

    transport: str
    reliability: str
    rectified: bool
    boxes: str | None = None


class CameraInput:
    """The subscriptions and publishers of one camera.

    name: the topics lie under it; with "" they have no prefix.
    """

    def __init__(self, node: LifecycleNode, name: str, options: CameraOptions) -> None:
        self.key = name or UNNAMED
        self.options = options
        self.statistics = CameraStatistics()
        self.boxes = ExternalBoxes(BOXES_OF[options.boxes]) if options.boxes else None
        self.last: tuple[Frame, FrameResult] | None = None
        self.frame_id = ""
        self.calibration = NO_CALIBRATION
        self._node = node
        self._put: Put | None = None
        self._throttle = Throttle()
        self._overloaded = False
        self._info: CameraInfo | None = None
        self._subscriptions: list[Subscription] = []
        self._prefix = prefix = f"{name}/" if name else ""
        compressed = options.transport == "compressed"
        self.topic, self._info_topic = camera_topics(node, prefix, compressed=compressed)
        self.faces = node.create_lifecycle_publisher(
            FaceEmotionArray, f"{prefix}faces", qos.RESULTS
        )
        self.annotated = node.create_lifecycle_publisher(
            ImageMessage, f"{prefix}faces/annotated", qos.images("reliable")
        )

    def subscribe(self, put: Put) -> None:
        """Begin to receive images.

        put: called with the key and every arrival on the executor's thread; True if it replaced
        one that was not processed.
        """
        self._put = put
        kind = CompressedImage if self.options.transport == "compressed" else ImageMessage
        create = self._node.create_subscription
        self._subscriptions = [
            create(CameraInfo, self._info_topic, self._on_info, qos.CAMERA_INFO),
            create(
                kind,
                self.topic,
                self._on_image,
                qos.images(self.options.reliability, QUEUE),
                event_callbacks=qos.SubscriptionEventCallbacks(
                    incompatible_qos=self._on_incompatible_qos
                ),
            ),
        ]
        if self.boxes is not None:
            topic = f"{self._prefix}boxes"
            self._subscriptions.append(create(FaceEmotionArray, topic, self._on_boxes, qos.RESULTS))

    def unsubscribe(self) -> None:
        """Receive nothing more, and forget what was received."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self._put = self._info = self.last = None
        if self.boxes is not None:
            self.boxes.feed([])
        self.statistics.pause()

    def destroy(self) -> None:
        """Give back the publishers."""
        self._node.destroy_lifecycle_publisher(self.faces)
        self._node.destroy_lifecycle_publisher(self.annotated)

    @property
    def type(self) -> str:
        """Name of the message type of the images."""
        return IMAGE_TYPES[self.options.transport]

    def publisher_types(self) -> list[str]:
        """Return the message type of each publisher on the topic of the images."""
        return [info.topic_type for info in self._node.get_publishers_info_by_topic(self.topic)]

    def other_topic(self) -> str:
        """Return the topic of the other transport if it has publishers, else ""."""
        compressed = self.options.transport == "raw"
        topic, _ = camera_topics(self._node, self._prefix, compressed=compressed)
        return topic if self._node.count_publishers(topic) else ""

    def take_overloaded(self) -> bool:
        """Return whether an image was replaced unprocessed since the last call."""
        overloaded, self._overloaded = self._overloaded, False
        return overloaded

    def read(self, arrival: Arrival, reduction: int = 1) -> Frame | None:
        """The frame of an image message, or None, with a warning and a count, if it is bad.

        reduction: by which a JPEG may be reduced. It comes whole and in colour as long as somebody
        looks at the annotated picture, else in grey.
        """
        shown = self.annotated.get_subscription_count() > 0
        start = time.perf_counter()
        try:
            image = decode_image(arrival.message, reduction=1 if shown else reduction, gray=not shown)
        except ImageError as error:
            self.report(error.reason, f"{error}; the image is skipped", lost=True)
            return None
        spent = 1e3 * (time.perf_counter() - start)
        return Frame(arrival, image, self._camera_for(image), spent)

    def report(self, reason: str, message: str, *, lost: bool = False) -> None:
        """Count a fault, and warn of it unless the same was said a moment ago.

        lost: it left an image without a result.
        """
        self.statistics.bad(reason, lost=lost)
        warning = self._throttle.admit(reason, f"{self.key}: {message}")
        if warning:
            self._node.get_logger().warning(warning)

    def _camera_for(self, image: Image) -> CameraModel | None:
        """The intrinsics for the image, or None where there are none that fit."""
        if self._info is None:
            self.calibration = NO_CALIBRATION
            return None
        size, calibrated = (image.width, image.height), None
        try:
            camera = camera_model(self._info, rectified=self.options.rectified)
            if camera is None:
                self.calibration = "not calibrated: no head pose"
                return None
            calibrated = (camera.width, camera.height)
            camera = fit_camera(camera, *size)
        except CameraModelError as error:
            reason = "camera_info" if calibrated in (None, size) else "camera_info_size"
            self.calibration = str(error)
            self.report(reason, str(error))
            return None
        self.calibration = f"of {calibrated[0]}x{calibrated[1]}"
        if calibrated != size:
            self.report(
                "camera_info_size",
                f"camera_info is for {calibrated[0]}x{calibrated[1]}, the image is "
                f"{size[0]}x{size[1]}: scaled, so head poses may be off",
            )
        return camera

    def _on_image(self, message: ImageMessage | CompressedImage) -> None:
        gap = self.statistics.arrived()
        if gap is not None:
            self._node.get_logger().info(f"{self.key}: images again after {gap:.1f} s without")
        self.frame_id = message.header.frame_id
        if self._put is not None and self._put(self.key, Arrival(message, time.monotonic())):
            self._overloaded = True
            self.statistics.dropped()

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_boxes(self, message: FaceEmotionArray) -> None:
        try:
            self.boxes.feed(detections(message))
        except MessageError as error:
            self.report("boxes", f"boxes refused: {error}")

    def _on_incompatible_qos(self, event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
        self.statistics.incompatible(policy)
        self.report(
            "qos_mismatch",
            f"a publisher on {self.topic} does not offer the {policy} that "
            f"image_reliability={self.options.reliability} asks for; none of its images come",
        )
