"""Serve results to Foxglove over its WebSocket protocol. Needs the extra `foxglove`."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import cv2
from foxglove import Channel, Context, messages, start_server
from foxglove.channels import CompressedImageChannel, ImageAnnotationsChannel
from std_msgs.msg import Header

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.msg import FaceEmotionArray
from edan_ros.nodes.emotion.standard_outputs import to_annotations
from edan_ros.sources import SourceError

_QUALITY = 80  # of JPEG
_NUMBERS = {"type": "array", "items": {"type": "number"}}
_FACE = {
    "track_id": {"type": "integer"},
    **{name: {"type": "string"} for name in ("label", "unknown_reason", "polarity")},
    **{name: {"type": "number"} for name in ("presence", "confidence")},
    **dict.fromkeys(("box", "roi", "probabilities", "polarity_probabilities"), _NUMBERS),
}
#: Of the topic of faces. Values of `Face.to_dict` that may be None, and lists of lists, are sent
#: without being in it.
FACES_SCHEMA = {
    "title": "edan_ros.Faces",
    "type": "object",
    "properties": {
        "timestamp": {
            "type": "object",
            "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}},
        },
        "frame_id": {"type": "string"},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
        "faces": {"type": "array", "items": {"type": "object", "properties": _FACE}},
    },
}


@dataclass(frozen=True)
class _Camera:
    faces: Channel
    annotations: ImageAnnotationsChannel
    image: CompressedImageChannel


class FoxgloveServer:
    """A context manager that serves three topics for each topic of faces.

    The faces as JSON have its name; `/annotations` below it has their boxes, landmarks and labels
    as foxglove.ImageAnnotations, and `/annotated` the annotated image as foxglove.CompressedImage.
    All have the stamp of the image, and are made only while a client subscribes to them.

    Args:
        host: address to listen on; a loopback address serves this machine alone.
        port: 0 for a free one.

    Raises SourceError where it cannot listen there.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._context = Context()
        self._cameras: dict[str, _Camera] = {}
        try:
            self._server = start_server(
                name="edan_ros", host=host, port=port, context=self._context
            )
        except (OSError, OverflowError, RuntimeError, ValueError) as error:
            raise SourceError(
                f"no Foxglove server on {host}:{port}: {error}; choose another port"
            ) from error
        name = socket.gethostname() if host in ("", "0.0.0.0") else host
        self.address = f"ws://{name}:{self._server.port}"

    def __enter__(self) -> FoxgloveServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def watched(self) -> bool:
        """Whether a client subscribes to annotated images."""
        return any(camera.image.has_sinks() for camera in self._cameras.values())

    def add_faces(self, topic: str, array: FaceEmotionArray, result: FrameResult) -> None:
        """Send the faces of an image.

        Args:
            array: the message.
            result: its content.
        """
        if topic not in self._cameras:
            self._cameras[topic] = self._advertise(topic)
        camera, stamp = self._cameras[topic], array.header.stamp
        if camera.faces.has_sinks():
            content = {
                "timestamp": {"sec": stamp.sec, "nsec": stamp.nanosec},
                "frame_id": array.header.frame_id,
                "width": result.width,
                "height": result.height,
                "faces": [face.to_dict() for face in result.faces],
            }
            camera.faces.log(content, log_time=_nanoseconds(stamp))
        if camera.annotations.has_sinks():
            made = to_annotations(_ANNOTATIONS, array)  # type: ignore[arg-type]
            annotations = messages.ImageAnnotations(
                timestamp=_timestamp(stamp), points=made.points, texts=made.texts
            )
            camera.annotations.log(annotations, log_time=_nanoseconds(stamp))

    def add_image(self, topic: str, header: Header, image: Image) -> None:
        """Send the annotated image of a topic of faces."""
        camera = self._cameras.get(topic)
        if camera is None or not camera.image.has_sinks():
            return
        _, data = cv2.imencode(".jpg", image.bgr(), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        message = messages.CompressedImage(
            timestamp=_timestamp(header.stamp),
            frame_id=header.frame_id,
            data=data.tobytes(),
            format="jpeg",
        )
        camera.image.log(message, log_time=_nanoseconds(header.stamp))

    def _advertise(self, topic: str) -> _Camera:
        context = self._context
        return _Camera(
            Channel(topic, schema=FACES_SCHEMA, message_encoding="json", context=context),
            ImageAnnotationsChannel(f"{topic}/annotations", context=context),
            CompressedImageChannel(f"{topic}/annotated", context=context),
        )


def _timestamp(stamp: Any) -> messages.Timestamp:
    return messages.Timestamp(stamp.sec, stamp.nanosec)


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


class _PointsAnnotation:
    """Makes annotations of points; its constants have the names of foxglove_msgs."""

    LINE_LOOP = messages.PointsAnnotationType.LineLoop
    POINTS = messages.PointsAnnotationType.Points

    def __call__(self, timestamp: Any, **fields: Any) -> messages.PointsAnnotation:
        return messages.PointsAnnotation(timestamp=_timestamp(timestamp), **fields)


#: What `to_annotations` needs of foxglove_msgs, made of the SDK's messages.
_ANNOTATIONS = SimpleNamespace(
    ImageAnnotations=lambda: SimpleNamespace(points=[], texts=[]),
    PointsAnnotation=_PointsAnnotation(),
    TextAnnotation=lambda timestamp, **fields: messages.TextAnnotation(
        timestamp=_timestamp(timestamp), **fields
    ),
    Point2=messages.Point2,
    Color=messages.Color,
)
