"""One camera of the emotion node: its topics, its statistics and its newest result."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.core.faces import CameraModel, FrameResult
from edan_ros.core.head_pose import CameraModelError, fit_camera
from edan_ros.core.images import Image, ImageError
from edan_ros.core.images.sixteen_bit import SixteenBitScaler
from edan_ros.core.images.still_image import DEFAULT_LIMITS, DecodeLimits
from edan_ros.core.message_fields import camera_model, decode_image, image_header
from edan_ros.detection.base import IDENTITY_BOX, WIDER_FACE_BOX
from edan_ros.detection.external_boxes import ExternalBoxes
from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.camera_statistics import CameraStatistics
from edan_ros.nodes.common.conversions import MessageError, detections, stamp_seconds
from edan_ros.nodes.common.reporting import Throttle
from edan_ros.nodes.common.topics import camera_topics, find_message_type
from edan_ros.nodes.emotion.standard_outputs import StandardOutputs
from edan_ros.sources.video_packets import (
    FFMPEG_PACKET,
    FOXGLOVE_VIDEO,
    DecodedFrame,
    PacketDecoder,
    encoding_of,
)

#: Name of the camera of an empty name in logs and diagnostics.
UNNAMED = "camera"
#: Values of the parameter image_transport, and the message type that each takes.
IMAGE_TYPES = {
    "raw": "sensor_msgs/msg/Image",
    "compressed": "sensor_msgs/msg/CompressedImage",
    "ffmpeg": FFMPEG_PACKET,
    "foxglove": FOXGLOVE_VIDEO,
}
#: Those that need every packet, not the newest image alone.
VIDEO_TRANSPORTS = ("ffmpeg", "foxglove")
#: Images that the middleware keeps for the callback, which drops all but the newest. With a depth
#: of 1 the middleware would drop images without counting them.
QUEUE_DEPTH = 5
#: The same for packets of a video, and packets that may wait to be decoded: about 2 s.
VIDEO_DEPTH, MAX_PACKETS = 30, 60
#: Seconds after a replaced image for which the camera counts as overloaded: without them, work that
#: can wait would be done as soon as one image happens to be processed in time.
_OVERLOAD_TIME = 0.2
NO_CALIBRATION = "none: no head pose"
#: Values of the parameter boxes_of, and the transform from each to the box of the landmarks.
BOXES_OF = {"face": WIDER_FACE_BOX, "landmarks": IDENTITY_BOX}


@dataclass(frozen=True)
class ReceivedImage:
    """An image message and the time of its arrival (time.monotonic)."""

    message: Any
    time: float

    @property
    def header(self) -> Header:
        """The header of the message; that of a foxglove_msgs/CompressedVideo is composed."""
        found = image_header(self.message)
        if isinstance(found, Header):
            return found
        return Header(stamp=found.stamp, frame_id=found.frame_id)


#: Stores the newest image of a camera by its key; True if it replaced an unprocessed one.
EnqueueFn = Callable[[str, ReceivedImage], bool]


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image, ready for the pipeline."""

    received: ReceivedImage
    image: Image
    camera: CameraModel | None
    decode_ms: float = 0.0

    @property
    def header(self) -> Header:
        """The header of the image message."""
        return self.received.header

    @property
    def stamp(self) -> float:
        """Seconds of the header's stamp."""
        return stamp_seconds(self.header)


@dataclass(frozen=True)
class CameraOptions:
    """Options of receiving images.

    Attributes:
        transport: one of IMAGE_TYPES.
        reliability: one of qos.RELIABILITIES.
        rectified: whether they are without distortion.
        boxes: one of BOXES_OF if detections come from a topic; None if they do not.
        limits: what decoding an image may take.
        outputs: names of STANDARD_OUTPUTS that are published besides.
    """

    transport: str
    reliability: str
    rectified: bool
    boxes: str | None = None
    limits: DecodeLimits = DEFAULT_LIMITS
    outputs: tuple[str, ...] = ()


class CameraInput:
    """The subscriptions and publishers of one camera.

    Args:
        node: creates them.
        name: prefix of the topics; "" for none.
        options: how images are received.

    Raises:
        MissingMessagesError: the package of the images or of an output is not installed.
        SourceError: PyAV, which a video needs, is not installed.
    """

    def __init__(self, node: LifecycleNode, name: str, options: CameraOptions) -> None:
        self.key = name or UNNAMED
        self.options = options
        self.statistics = CameraStatistics()
        self.boxes = ExternalBoxes(BOXES_OF[options.boxes]) if options.boxes else None
        self.last: tuple[DecodedImage, FrameResult] | None = None
        self.frame_id = ""
        self.calibration = NO_CALIBRATION
        self._type = find_message_type(self.type)
        is_video = options.transport in VIDEO_TRANSPORTS
        self._video = PacketDecoder[ReceivedImage](options.limits) if is_video else None
        self._packets: deque[ReceivedImage] = deque(maxlen=MAX_PACKETS)
        self._node = node
        self._enqueue: EnqueueFn | None = None
        self._throttle = Throttle()
        self._replaced = -math.inf  # time.monotonic when an image was replaced unprocessed
        self._scaler = SixteenBitScaler()
        self._info: CameraInfo | None = None
        self._subscriptions: list[Subscription] = []
        self._prefix = prefix = f"{name}/" if name else ""
        self.topic, self._info_topic = camera_topics(node, prefix, transport=options.transport)
        self.outputs = StandardOutputs(node, prefix, options.outputs)
        self.faces = node.create_lifecycle_publisher(
            FaceEmotionArray, f"{prefix}faces", **qos.overridable(qos.RESULTS)
        )
        self.annotated = node.create_lifecycle_publisher(
            ImageMessage, f"{prefix}faces/annotated", **qos.overridable(qos.images("reliable"))
        )

    def subscribe(self, enqueue: EnqueueFn) -> None:
        """Subscribe to the images; ``enqueue`` is called with each on the executor's thread."""
        self._enqueue = enqueue
        create = self._node.create_subscription
        depth = QUEUE_DEPTH if self._video is None else VIDEO_DEPTH
        self._subscriptions = [
            create(CameraInfo, self._info_topic, self._on_info, **qos.overridable(qos.CAMERA_INFO)),
            create(
                self._type,
                self.topic,
                self._on_image,
                event_callbacks=qos.SubscriptionEventCallbacks(
                    incompatible_qos=self._on_incompatible_qos
                ),
                **qos.overridable(qos.images(self.options.reliability, depth)),
            ),
        ]
        if self.boxes is not None:
            topic = f"{self._prefix}boxes"
            self._subscriptions.append(create(FaceEmotionArray, topic, self._on_boxes, qos.RESULTS))

    def unsubscribe(self) -> None:
        """Destroy the subscriptions, and drop what was received."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self._enqueue = self._info = self.last = None
        if self._video is not None:
            self._packets.clear()
            self._video.flush()
        if self.boxes is not None:
            self.boxes.feed([])
        self.statistics.pause()

    def destroy(self) -> None:
        """Destroy the publishers."""
        self._node.destroy_lifecycle_publisher(self.faces)
        self._node.destroy_lifecycle_publisher(self.annotated)
        self.outputs.destroy()

    @property
    def type(self) -> str:
        """Name of the message type of the images."""
        return IMAGE_TYPES[self.options.transport]

    def publisher_types(self) -> list[str]:
        """Return the message type of each publisher on the topic of the images."""
        return [info.topic_type for info in self._node.get_publishers_info_by_topic(self.topic)]

    def other_topic(self) -> tuple[str, str]:
        """Return another transport whose topic has publishers, and that topic; else ("", "")."""
        for transport in IMAGE_TYPES:
            topic, _ = camera_topics(self._node, self._prefix, transport=transport)
            if topic != self.topic and self._node.count_publishers(topic):
                return transport, topic
        return "", ""

    def is_overloaded(self, received: ReceivedImage) -> bool:
        """Return whether an image was replaced unprocessed shortly before this one arrived."""
        return received.time - self._replaced < _OVERLOAD_TIME

    def read(self, received: ReceivedImage, reduction: int = 1) -> DecodedImage | None:
        """Decode an image message; return None, with a warning and a count, if it is not valid.

        Args:
            received: the message.
            reduction: factor by which a JPEG may be reduced. While the annotated image has a
                subscriber, the image is decoded at full size and in colour, else in grey.
        """
        shown = self.annotated.get_subscription_count() > 0
        start = time.perf_counter()
        if self._video is not None:
            frame = self._decode_packets(self._video, received)
            if frame is None:
                return None
            image = frame.image(gray=not shown)
            spent = 1e3 * (time.perf_counter() - start)
            return DecodedImage(frame.origin, image, self._camera_for(image), spent)
        try:
            image = decode_image(
                received.message,
                reduction=1 if shown else reduction,
                gray=not shown,
                limits=self.options.limits,
                scaler=self._scaler,
            )
        except ImageError as error:
            self.report(error.reason, f"{error}; image skipped", lost=True)
            return None
        spent = 1e3 * (time.perf_counter() - start)
        return DecodedImage(received, image, self._camera_for(image), spent)

    def _decode_packets(
        self, video: PacketDecoder[ReceivedImage], last: ReceivedImage
    ) -> DecodedFrame[ReceivedImage] | None:
        """Decode the waiting packets up to ``last``; return the newest frame, not yet converted."""
        newest: DecodedFrame[ReceivedImage] | None = None
        packet: ReceivedImage | None = None
        faults: list[ImageError] = []
        while self._packets and packet is not last:
            packet = self._packets.popleft()
            try:
                data = bytes(packet.message.data)
                frames = video.decode(data, encoding_of(packet.message), packet)
            except ImageError as error:
                faults.append(error)
            else:
                newest = frames[-1] if frames else newest
        for number, fault in enumerate(faults, 1):
            is_lost = newest is None and number == len(faults)
            self.report(fault.reason, f"{fault}; packet skipped", lost=is_lost)
        if newest is None and not faults:
            self.statistics.dropped()  # the encoder has reordered frames: this one comes later
        return newest

    def report(self, reason: str, message: str, *, lost: bool = False) -> None:
        """Count a fault, and log a throttled warning.

        Args:
            reason: key of the fault, as of ImageError.
            message: the warning.
            lost: whether it left an image without a result.
        """
        self.statistics.bad(reason, lost=lost)
        warning = self._throttle.admit(reason, f"{self.key}: {message}")
        if warning:
            self._node.get_logger().warning(warning)

    def _camera_for(self, image: Image) -> CameraModel | None:
        """Return the intrinsics of the image, or None if there are none that fit."""
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

    def _on_image(self, message: Any) -> None:
        gap = self.statistics.arrived()
        if gap is not None:
            self._node.get_logger().info(
                f"{self.key}: images are back after an outage of {gap:.1f} s"
            )
        received = ReceivedImage(message, time.monotonic())
        self.frame_id = received.header.frame_id
        if self._video is not None:
            self._packets.append(received)
        if self._enqueue is not None and self._enqueue(self.key, received):
            self._replaced = received.time
            self.statistics.dropped()

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_boxes(self, message: FaceEmotionArray) -> None:
        if self.boxes is None:
            return
        try:
            self.boxes.feed(detections(message))
        except MessageError as error:
            self.report("boxes", f"boxes refused: {error}")

    def _on_incompatible_qos(self, event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
        self.statistics.incompatible(policy)
        self.report(
            "qos_mismatch",
            f"a publisher on {self.topic} does not offer the {policy} that image_reliability="
            f"{self.options.reliability} or qos_overrides.{self.topic}.subscription.{policy} "
            "requests; its images are not received",
        )
