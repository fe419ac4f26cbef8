"""Faces in messages that other tools know, each on a topic of its own and only while subscribed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, Vector3
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import ColorRGBA, Header

from edan_ros.drawing.colours import emotion_colour
from edan_ros.msg import FaceEmotion, FaceEmotionArray
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.topics import find_messages

#: From pixel centres, where landmarks have their origin, to the corner of the first pixel.
_TO_CORNER = 0.5
#: Metres: length of the axes of a head, of the ray along its gaze, and height of the label.
_AXIS, _GAZE, _LETTERS, _ABOVE = 0.12, 1.0, 0.05, 0.25
#: Seconds after which a viewer removes a marker that is not renewed.
_LIFETIME = 1


def to_detections(messages: ModuleType, array: FaceEmotionArray) -> Any:
    """Return a vision_msgs/Detection2DArray.

    Each face has one result, its label with the confidence, and the track id as ``id``. The box is
    in pixels from the corner of the image; the pose of the result is that of the head, where known.
    """
    made = messages.Detection2DArray(header=array.header)
    for face in array.faces:
        result = messages.ObjectHypothesisWithPose()
        result.hypothesis.class_id = face.label
        result.hypothesis.score = face.confidence
        if face.head_pose_valid:
            result.pose.pose = face.head_pose
        detection = messages.Detection2D(
            header=array.header, results=[result], id=str(face.track_id)
        )
        roi, box = face.roi, detection.bbox
        box.center.position.x = roi.x_offset + roi.width / 2
        box.center.position.y = roi.y_offset + roi.height / 2
        box.size_x, box.size_y = float(roi.width), float(roi.height)
        made.detections.append(detection)
    return made


def to_annotations(messages: ModuleType, array: FaceEmotionArray) -> Any:
    """Return a foxglove_msgs/ImageAnnotations: box, landmarks and label of each face.

    Foxglove draws them over the image of the same stamp; without a face it removes the last ones.
    """
    made = messages.ImageAnnotations()
    stamp = array.header.stamp
    for face in array.faces:
        red, green, blue = _rgb(face)
        colour = messages.Color(r=red, g=green, b=blue, a=1.0)
        left, top = float(face.roi.x_offset), float(face.roi.y_offset)
        right, bottom = left + face.roi.width, top + face.roi.height
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        landmarks = np.column_stack([face.landmarks_x, face.landmarks_y]) + _TO_CORNER
        kinds = messages.PointsAnnotation
        for kind, points, width in (
            (kinds.LINE_LOOP, corners, 2.0),
            (kinds.POINTS, landmarks.tolist(), max(face.roi.height / 80.0, 1.0)),
        ):
            made.points.append(
                kinds(
                    timestamp=stamp,
                    type=kind,
                    points=[messages.Point2(x=x, y=y) for x, y in points],
                    outline_color=colour,
                    fill_color=colour if kind == kinds.POINTS else messages.Color(),
                    thickness=width,
                )
            )
        made.texts.append(
            messages.TextAnnotation(
                timestamp=stamp,
                position=messages.Point2(x=left, y=top),
                text=_caption(face),
                font_size=max(face.roi.height / 8.0, 10.0),
                text_color=messages.Color(r=0.0, g=0.0, b=0.0, a=1.0),
                background_color=colour,
            )
        )
    return made


def to_markers(messages: ModuleType, array: FaceEmotionArray) -> Any:
    """Return a visualization_msgs/MarkerArray in the frame of the camera.

    Each face with a head pose has its axes, a ray along its gaze, which is that of the head where
    the eyes are not measured, and its label. The first marker removes those of the image before.
    """
    made = messages.MarkerArray()
    made.markers.append(messages.Marker(header=array.header, action=messages.Marker.DELETEALL))
    for face in array.faces:
        if face.head_pose_valid:
            made.markers += _head(messages.Marker, array.header, face)
    return made


def _head(marker: Any, header: Header, face: FaceEmotion) -> list[Any]:
    red, green, blue = _rgb(face)
    colour = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    made = []
    for kind, name in (
        (marker.LINE_LIST, "axes"),
        (marker.ARROW, "gaze"),
        (marker.TEXT_VIEW_FACING, "label"),
    ):
        part = marker(header=header, ns=name, id=face.track_id, type=kind, action=marker.ADD)
        part.pose, part.color = face.head_pose, colour
        part.lifetime.sec = _LIFETIME
        made.append(part)
    axes, gaze, label = made
    axes.scale = Vector3(x=0.01)
    for index in range(3):
        tip = [_AXIS * (index == axis) for axis in range(3)]
        axes.points += [Point(), Point(x=tip[0], y=tip[1], z=tip[2])]
        hue = [float(index == axis) for axis in range(3)]
        axes.colors += [ColorRGBA(r=hue[0], g=hue[1], b=hue[2], a=1.0)] * 2
    above = face.head_pose.position
    if face.gaze_valid:
        # The gaze is in the frame of the camera.
        gaze.pose = Pose(position=above)
        gaze.pose.orientation.w = 1.0
        end = Point(x=_GAZE * face.gaze.x, y=_GAZE * face.gaze.y, z=_GAZE * face.gaze.z)
    else:
        end = Point(x=_GAZE)  # x points out of the face (core.head_pose)
    gaze.points = [Point(), end]
    gaze.scale = Vector3(x=0.01, y=0.03, z=0.06)
    label.pose = Pose(position=Point(x=above.x, y=above.y - _ABOVE, z=above.z))  # y points down
    label.pose.orientation.w = 1.0
    label.scale = Vector3(z=_LETTERS)
    label.text = _caption(face)
    return made


def _caption(face: FaceEmotion) -> str:
    return f"{face.track_id} {face.label} {face.confidence:.2f}"


def _rgb(face: FaceEmotion) -> tuple[float, float, float]:
    blue, green, red = emotion_colour(face.label)
    return red / 255.0, green / 255.0, blue / 255.0


@dataclass(frozen=True)
class StandardOutput:
    """An output.

    package, message: names of its message. content: for users. convert: makes one of an array.
    """

    package: str
    message: str
    content: str
    convert: Callable[[ModuleType, FaceEmotionArray], Any]


#: Name of an output, which is also the end of its topic -> how to make it.
STANDARD_OUTPUTS = {
    "detections": StandardOutput(
        "vision_msgs", "Detection2DArray", "label, confidence and box of each face", to_detections
    ),
    "annotations": StandardOutput(
        "foxglove_msgs",
        "ImageAnnotations",
        "box, landmarks and label, which Foxglove draws over the image",
        to_annotations,
    ),
    "markers": StandardOutput(
        "visualization_msgs",
        "MarkerArray",
        "axes, gaze and label of each head in the frame of the camera",
        to_markers,
    ),
}


class StandardOutputs:
    """The publishers of a camera's outputs.

    Args:
        node: creates the publishers.
        prefix: of the camera's topics.
        names: of STANDARD_OUTPUTS.

    Raises:
        MissingMessagesError: the messages of an output are not installed.
    """

    def __init__(self, node: LifecycleNode, prefix: str, names: Iterable[str]) -> None:
        chosen = {name: STANDARD_OUTPUTS[name] for name in names}
        modules = {name: find_messages(output.package) for name, output in chosen.items()}
        self._node = node
        self._outputs = [
            (
                node.create_lifecycle_publisher(
                    getattr(modules[name], output.message),
                    f"{prefix}faces/{name}",
                    **qos.overridable(qos.RESULTS),
                ),
                modules[name],
                output.convert,
            )
            for name, output in chosen.items()
        ]

    def publish(self, array: FaceEmotionArray) -> None:
        """Publish the outputs that have a subscriber."""
        for publisher, messages, convert in self._outputs:
            if publisher.get_subscription_count():
                publisher.publish(convert(messages, array))

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher, _, _ in self._outputs:
            self._node.destroy_lifecycle_publisher(publisher)
