"""The ROS4HRI node: faces on the topics and TF frames of REP-155, for hri_rviz and libhri."""

from __future__ import annotations

import random
import string
import sys
from collections import OrderedDict
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.behaviors.engagement import EngagementSettings
from edan_ros.behaviors.people import Roster, RosterSettings
from edan_ros.behaviors.snapshot import Snapshot
from edan_ros.behaviors.timing import Admission
from edan_ros.core.crops import Crop
from edan_ros.core.images import ImageError
from edan_ros.core.message_fields import decode_image
from edan_ros.msg import FaceEmotion, FaceEmotionArray
from edan_ros.nodes.behaviors import ros4hri_messages
from edan_ros.nodes.behaviors.base import BehaviorNode
from edan_ros.nodes.behaviors.parameters import TIME, Part, behavior_groups
from edan_ros.nodes.behaviors.ros4hri_persons import Persons
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import image_message
from edan_ros.nodes.common.parameters import Change, Parameter
from edan_ros.nodes.common.running import run_node
from edan_ros.nodes.common.topics import MissingMessagesError, TransformPublisher, find_messages

FACES = Part("faces", RosterSettings, "Faces")
ENGAGEMENT = Part("engagement", EngagementSettings, "Engagement: who looks at the robot")
GROUPS = behavior_groups(
    (FACES, TIME, ENGAGEMENT),
    Parameter(
        "id_prefix",
        "",
        "first part of the face ids, before the track id; empty: three random letters, so that ids "
        "are not reused when the node is restarted",
        change=Change.NEVER,
    ),
    Parameter(
        "persons",
        True,
        "publish the engagement of persons: those of a person manager, or, without one, an "
        "anonymous person for each face",
        change=Change.NEVER,
    ),
    Parameter(
        "crop_size",
        128,
        "side of the published face images, which are made on demand",
        low=16,
        high=1024,
        unit="px",
    ),
    Parameter(
        "image_transport",
        "raw",
        "source of the face images: image_raw or image_raw/compressed",
        change=Change.NEVER,
        choices=("raw", "compressed"),
    ),
)
#: Images to keep until their faces have been received.
_WAITING = 8


class FaceTopics:
    """The topics of one face below /humans/faces/<id>, for as long as the face is tracked."""

    def __init__(self, node: Node, messages: ModuleType, face_id: str) -> None:
        self.id = face_id
        self._node = node
        self._messages = messages
        kinds = {
            "roi": messages.NormalizedRegionOfInterest2D,
            "landmarks": messages.FacialLandmarks,
            "expression": messages.Expression,
            "facs": messages.FacialActionUnits,
            "cropped": ImageMessage,
            "aligned": ImageMessage,
        }
        self._publishers: dict[str, Publisher] = {
            name: node.create_publisher(kind, f"/humans/faces/{face_id}/{name}", qos.RESULTS)
            for name, kind in kinds.items()
        }

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def needs_crops(self) -> bool:
        """Return whether the images of this face have a subscriber."""
        return self._has_subscriber("cropped") or self._has_subscriber("aligned")

    def publish(self, face: FaceEmotion, header: Header, size: tuple[int, int]) -> None:
        """Publish all topics that have a subscriber, except the images."""
        m, make = self._messages, ros4hri_messages
        if self._has_subscriber("roi"):
            self._publishers["roi"].publish(make.region(m, header, face, size))
        if self._has_subscriber("landmarks"):
            self._publishers["landmarks"].publish(make.landmarks(m, header, face, size))
        if self._has_subscriber("facs"):
            self._publishers["facs"].publish(make.action_units(m, header, face))
        if self._has_subscriber("expression"):
            shown = make.expression(
                m, header, face.emotion, face.confidence, face.valence, face.arousal
            )
            self._publishers["expression"].publish(shown)

    def publish_crops(
        self, face: FaceEmotion, header: Header, pixels: NDArray[np.uint8], side: int
    ) -> None:
        """Publish an upright crop of the face and one that is rotated until the eyes are level."""
        points = np.column_stack([face.landmarks_x, face.landmarks_y])
        try:
            crop = Crop.from_landmarks(points)
        except ValueError:
            return  # the landmarks do not form a face
        upright = Crop(crop.center, crop.side, 0.0)
        for name, part in (("cropped", upright), ("aligned", crop)):
            if self._has_subscriber(name):
                cut = cv2.warpAffine(pixels, part.matrix(side), (side, side))
                self._publishers[name].publish(image_message(np.asarray(cut, np.uint8), header))

    def _has_subscriber(self, name: str) -> bool:
        return bool(self._publishers[name].get_subscription_count())


class Ros4HriNode(BehaviorNode[Roster]):
    """Republishes faces in the messages of ROS4HRI, and the engagement of persons.

    Raises:
        MissingMessagesError: hri_msgs is not installed.
    """

    assume_lens = True

    def __init__(self, node_name: str = "ros4hri_node", **kwargs: Any) -> None:
        messages = find_messages("hri_msgs")
        super().__init__(
            node_name,
            GROUPS,
            lambda values: (FACES.read(values), TIME.read(values), ENGAGEMENT.read(values)),
            lambda settings: Roster(*settings),
            **kwargs,
        )
        self._messages = messages
        letters = "".join(random.choices(string.ascii_lowercase, k=3))
        self._prefix = self.parameters["id_prefix"] or letters
        self._topics: dict[int, FaceTopics] = {}
        self._images: OrderedDict[tuple[int, int], ImageMessage | CompressedImage] = OrderedDict()
        self._camera: Subscription | None = None
        self._tracked = self.create_publisher(
            messages.IdsList, "/humans/faces/tracked", qos.RESULTS
        )
        self._persons = Persons(self, messages) if self.parameters["persons"] else None
        self._transforms = TransformPublisher.create(self, "/tf of the faces")
        self.begin()

    def observe(self, snapshot: Snapshot, now: float, message: FaceEmotionArray) -> Admission:
        """Publish the faces of a snapshot that arrives at ``now``."""
        admission = self.behavior.observe(snapshot, now)
        if admission is not Admission.NEW:
            return admission
        header, size = message.header, (message.image_width, message.image_height)
        self._update_topics(header)
        present = [
            (self._topics[f.track_id], f) for f in message.faces if f.track_id in self._topics
        ]
        for topics, face in present:
            topics.publish(face, header, size)
        if self._persons is not None:
            reports = {report.track_id: report for report in self.behavior.engagement.reports}
            levels = {
                topics.id: reports[face.track_id].level
                for topics, face in present
                if face.track_id in reports
            }
            self._persons.publish(levels, header)
        self._publish_crops(present, header)
        if self._transforms is not None:
            frames = [
                frame
                for topics, face in present
                for frame in ros4hri_messages.frames(header, face, topics.id)
            ]
            self._transforms.publish(frames)
        return admission

    def step(self, now: float, stamp: Time) -> None:
        """Remove outdated faces, and subscribe to images only while they are needed."""
        self.behavior.step(now)
        if self._topics and not self.behavior.tracks:
            self._update_topics(self.header(stamp))
        self._update_subscription()

    def situation(self) -> str:
        """Return the state in one sentence."""
        ids = ", ".join(topics.id for topics in self._topics.values())
        return f"faces {ids}" if ids else "no face"

    def _update_topics(self, header: Header) -> None:
        """Create and destroy topics so that each tracked face has its own; publish the list."""
        tracks = self.behavior.tracks
        for track in [track for track in self._topics if track not in tracks]:
            self._topics.pop(track).destroy()
        for track in tracks:
            if track not in self._topics:
                self._topics[track] = FaceTopics(self, self._messages, f"{self._prefix}{track}")
        ids = [topics.id for topics in self._topics.values()]
        self._tracked.publish(self._messages.IdsList(header=header, ids=ids))
        if self._persons is not None:
            self._persons.update(ids, header)

    def _update_subscription(self) -> None:
        """Subscribe to the camera while the images of a face have a subscriber."""
        wanted = any(topics.needs_crops() for topics in self._topics.values())
        if wanted and self._camera is None:
            compressed = self.parameters["image_transport"] == "compressed"
            topic = self.resolve_topic_name("image_raw")
            self._camera = self.create_subscription(
                CompressedImage if compressed else ImageMessage,
                f"{topic}/compressed" if compressed else topic,
                self._on_image,
                qos.images("best_effort", 2),
            )
        elif not wanted and self._camera is not None:
            self.destroy_subscription(self._camera)
            self._camera = None
            self._images.clear()

    def _on_image(self, message: ImageMessage | CompressedImage) -> None:
        stamp = message.header.stamp
        self._images[(stamp.sec, stamp.nanosec)] = message
        while len(self._images) > _WAITING:
            self._images.popitem(last=False)

    def _publish_crops(self, present: list[tuple[FaceTopics, FaceEmotion]], header: Header) -> None:
        wanted = [(topics, face) for topics, face in present if topics.needs_crops()]
        image = self._images.pop((header.stamp.sec, header.stamp.nanosec), None)
        if image is None or not wanted:
            return
        try:
            pixels = decode_image(image).bgr()
        except ImageError as error:
            self.health.warn("image", f"no face images: {error}")
            return
        for topics, face in wanted:
            topics.publish_crops(face, header, pixels, self.parameters["crop_size"])


def main(args: list[str] | None = None) -> None:
    """Run the node as a process; without hri_msgs it exits with code 1 and one sentence."""
    try:
        run_node(Ros4HriNode, args)
    except MissingMessagesError as error:
        sys.exit(f"ros4hri_node: {error}: on a robot, apt install ros-$ROS_DISTRO-hri-msgs")
