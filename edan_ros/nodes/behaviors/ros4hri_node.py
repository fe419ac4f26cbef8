"""ROS4HRI: the faces on the topics and TF frames of REP-155, for hri_rviz and libhri's tools."""

from __future__ import annotations

import random
import string
import sys
from collections import OrderedDict
from collections.abc import Mapping
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

from edan_ros.behaviors.roster import Roster, RosterSettings
from edan_ros.behaviors.snapshot import Snapshot
from edan_ros.behaviors.timing import Admission, TimeSettings
from edan_ros.core.crops import Crop
from edan_ros.core.images import ImageError
from edan_ros.core.message_fields import decode_image
from edan_ros.msg import FaceEmotion, FaceEmotionArray
from edan_ros.nodes.behaviors import ros4hri_messages
from edan_ros.nodes.behaviors.behavior_node import BehaviorNode
from edan_ros.nodes.behaviors.behavior_parameters import parameters_of, settings_from
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import image_message
from edan_ros.nodes.common.optional import MissingMessagesError, find_messages
from edan_ros.nodes.common.parameters import Change, Parameter
from edan_ros.nodes.common.running import run_node
from edan_ros.nodes.common.transforms import Transforms

PARAMETERS = (
    *parameters_of(RosterSettings, "faces"),
    *parameters_of(TimeSettings, "time"),
    Parameter(
        "id_prefix",
        "",
        "beginning of the faces' ids, before the track; empty: three random letters, so that ids "
        "are not used twice when the node starts again",
        Change.NEVER,
    ),
    Parameter(
        "crop_size",
        128,
        "side in pixels of the images of faces, made where somebody subscribes",
        bounds=(16, 1024),
    ),
    Parameter(
        "image_transport",
        "raw",
        "where the images of faces are cut from: image_raw, or image_raw/compressed",
        Change.NEVER,
        choices=("raw", "compressed"),
    ),
)
#: Images that are kept until the faces in them are known.
_WAITING = 8


def roster_settings(values: Mapping[str, Any]) -> tuple[RosterSettings, TimeSettings]:
    """The settings from the values of the parameters. Raises SettingsError."""
    return (
        settings_from(RosterSettings, values, "faces"),
        settings_from(TimeSettings, values, "time"),
    )


class FaceTopics:
    """The topics of one face under /humans/faces/<id>, there as long as the face is."""

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
        """Takes the topics away."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def wants_crops(self) -> bool:
        """Whether somebody subscribes to the images of this face."""
        return self._wants("cropped") or self._wants("aligned")

    def publish(self, face: FaceEmotion, header: Header, size: tuple[int, int]) -> None:
        """Publishes what somebody subscribes to, but the images."""
        m, make = self._messages, ros4hri_messages
        if self._wants("roi"):
            self._publishers["roi"].publish(make.region(m, header, face, size))
        if self._wants("landmarks"):
            self._publishers["landmarks"].publish(make.landmarks(m, header, face, size))
        if self._wants("facs"):
            self._publishers["facs"].publish(make.action_units(m, header, face))
        if self._wants("expression"):
            shown = make.expression(
                m, header, face.emotion, face.confidence, face.valence, face.arousal
            )
            self._publishers["expression"].publish(shown)

    def publish_crops(
        self, face: FaceEmotion, header: Header, pixels: NDArray[np.uint8], side: int
    ) -> None:
        """Publishes images of the face, upright as in the image and with the eyes level."""
        points = np.column_stack([face.landmarks_x, face.landmarks_y])
        try:
            crop = Crop.from_landmarks(points)
        except ValueError:
            return  # landmarks that make no face
        upright = Crop(crop.center, crop.side, 0.0)
        for name, part in (("cropped", upright), ("aligned", crop)):
            if self._wants(name):
                cut = cv2.warpAffine(pixels, part.matrix(side), (side, side))
                self._publishers[name].publish(image_message(np.asarray(cut, np.uint8), header))

    def _wants(self, name: str) -> bool:
        return self._publishers[name].get_subscription_count() > 0


class Ros4HriNode(BehaviorNode):
    """Republishes faces as ROS4HRI does. Raises MissingMessagesError without hri_msgs."""

    def __init__(self, node_name: str = "ros4hri_node", **kwargs: Any) -> None:
        messages = find_messages("hri_msgs")
        super().__init__(node_name, PARAMETERS, roster_settings, **kwargs)
        values = self.parameters.values
        self._messages = messages
        self._roster = Roster(*roster_settings(values))
        self._prefix = values["id_prefix"] or "".join(random.choices(string.ascii_lowercase, k=3))
        self._topics: dict[int, FaceTopics] = {}
        self._images: OrderedDict[tuple[int, int], ImageMessage | CompressedImage] = OrderedDict()
        self._camera: Subscription | None = None
        self._tracked = self.create_publisher(
            messages.IdsList, "/humans/faces/tracked", qos.RESULTS
        )
        try:
            self._transforms: Transforms | None = Transforms(self)
        except MissingMessagesError as error:
            self.get_logger().error(f"{error}: there will be no TF frames of the faces")
            self._transforms = None
        self.begin()

    def reconfigure(self, values: Mapping[str, Any]) -> None:
        """Takes changed parameters, already checked."""
        self._roster.settings, self._roster.clock.settings = roster_settings(values)

    def observe(self, snapshot: Snapshot, now: float, message: FaceEmotionArray) -> Admission:
        """Publishes the faces of a snapshot that arrives at `now`."""
        admission = self._roster.observe(snapshot, now)
        if admission is not Admission.NEW:
            return admission
        header, size = message.header, (message.image_width, message.image_height)
        self._keep_topics(header)
        seen = [(self._topics[f.track_id], f) for f in message.faces if f.track_id in self._topics]
        for topics, face in seen:
            topics.publish(face, header, size)
        self._publish_crops(seen, header)
        if self._transforms is not None:
            frames = [
                frame
                for topics, face in seen
                for frame in ros4hri_messages.frames(header, face, topics.id)
            ]
            self._transforms.send(frames)
        return admission

    def step(self, now: float, stamp: Time) -> None:
        """Lets go of faces that are stale, and of images that nobody wants."""
        self._roster.step(now)
        if self._topics and not self._roster.tracks:
            self._keep_topics(self.header(stamp))
        self._follow_demand()

    def situation(self) -> str:
        """What holds, in one sentence."""
        ids = ", ".join(topics.id for topics in self._topics.values())
        return f"faces {ids}" if ids else "no face"

    def _keep_topics(self, header: Header) -> None:
        """Makes and takes away topics so that each face there has its own, and lists the faces."""
        tracks = self._roster.tracks
        for track in [track for track in self._topics if track not in tracks]:
            self._topics.pop(track).destroy()
        for track in tracks:
            if track not in self._topics:
                self._topics[track] = FaceTopics(self, self._messages, f"{self._prefix}{track}")
        ids = [topics.id for topics in self._topics.values()]
        self._tracked.publish(self._messages.IdsList(header=header, ids=ids))

    def _follow_demand(self) -> None:
        """Subscribes to the camera as long as somebody wants images of faces."""
        wanted = any(topics.wants_crops() for topics in self._topics.values())
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

    def _publish_crops(self, seen: list[tuple[FaceTopics, FaceEmotion]], header: Header) -> None:
        wanted = [(topics, face) for topics, face in seen if topics.wants_crops()]
        image = self._images.pop((header.stamp.sec, header.stamp.nanosec), None)
        if image is None or not wanted:
            return
        try:
            pixels = decode_image(image).bgr()
        except ImageError as error:
            self.warn("image", f"no images of faces: {error}")
            return
        for topics, face in wanted:
            topics.publish_crops(face, header, pixels, self.parameters["crop_size"])


def main(args: list[str] | None = None) -> None:
    """Runs the node until SIGINT; without hri_msgs it ends with code 1 and says so."""
    try:
        run_node(Ros4HriNode, args)
    except MissingMessagesError as error:
        sys.exit(f"ros4hri_node: {error}: on a robot, apt install ros-$ROS_DISTRO-hri-msgs")


if __name__ == "__main__":
    main()
