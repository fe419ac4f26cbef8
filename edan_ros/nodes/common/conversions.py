"""Messages to the records of core and back. The only module that knows both sides.

Arrays move whole (numpy or array.array); no Python loop runs over landmarks or pixels.
"""

from __future__ import annotations

import array

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.core.faces import Box, CameraModel, Detection, Face, FrameResult, HeadPose
from edan_ros.core.messages import face_fields, model_fields
from edan_ros.engines.base import Engine
from edan_ros.msg import FaceEmotion, FaceEmotionArray, ModelInfo


def stamp_seconds(header: Header) -> float:
    """The stamp in seconds; 0.0 means that nobody set it."""
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)


def image_message(pixels: NDArray[np.uint8], header: Header, encoding: str = "") -> ImageMessage:
    """(H, W) or (H, W, 3) uint8 pixels as a message; without ``encoding`` mono8 or bgr8."""
    pixels = np.ascontiguousarray(pixels)
    message = ImageMessage()
    message.header = header
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding or ("mono8" if pixels.ndim == 2 else "bgr8")
    message.step = pixels.strides[0]
    message.data = _bytes(pixels)
    return message


def _bytes(values: NDArray[np.uint8]) -> array.array[int]:
    data = array.array("B")
    data.frombytes(values.data.cast("B"))
    return data


def camera_info_message(camera: CameraModel, header: Header) -> CameraInfo:
    """The calibration of images that are as the camera took them: not rectified, so R is 1."""
    message = CameraInfo(header=header, width=camera.width, height=camera.height)
    message.distortion_model = camera.model
    message.d = camera.D.tolist()
    message.k = camera.K.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.column_stack([camera.K, np.zeros(3)]).ravel()
    return message


def array_message(result: FrameResult, header: Header) -> FaceEmotionArray:
    """The faces of one image. ``header`` is the image's own and is passed on as it is."""
    message = FaceEmotionArray()
    message.header = header
    message.image_width = result.width
    message.image_height = result.height
    message.faces = [face_message(face, result.width, result.height) for face in result.faces]
    return message


def face_message(face: Face, width: int, height: int) -> FaceEmotion:
    """One face of an image of ``width`` x ``height`` pixels."""
    fields = face_fields(face, width, height)
    fields["roi"] = RegionOfInterest(**fields["roi"])
    units = fields["action_unit_intensities"]
    fields["action_unit_intensities"] = array.array("f", units.tobytes())
    pose = fields["head_pose"]
    fields["head_pose"] = Pose(
        position=Point(**pose["position"]), orientation=Quaternion(**pose["orientation"])
    )
    return FaceEmotion(**fields)


def frame_result(message: FaceEmotionArray) -> FrameResult:
    """What a subscriber gets back from a message: everything but crops and attention maps.

    The boxes are in whole pixels, as messages carry them.
    """
    faces = [_face(face) for face in message.faces]
    return FrameResult(faces, message.image_width, message.image_height)


def detections(message: FaceEmotionArray) -> list[Detection]:
    """The regions of a message of another node as what a detector found."""
    return [Detection(_box(face.roi), face.presence) for face in message.faces]


def _box(roi: RegionOfInterest) -> Box:
    """A region counts from the image's corner, a box from the centre of its first pixel."""
    return Box(roi.x_offset - 0.5, roi.y_offset - 0.5, float(roi.width), float(roi.height))


def _face(message: FaceEmotion) -> Face:
    return Face(
        track_id=message.track_id,
        box=_box(message.roi),
        presence=message.presence,
        landmarks=np.column_stack([message.landmarks_x, message.landmarks_y]),
        emotion=message.emotion,
        label=message.label,
        confidence=message.confidence,
        probabilities=np.array(message.probabilities, np.float64),
        raw_probabilities=np.array(message.raw_probabilities, np.float64),
        polarity=message.polarity,
        polarity_probabilities=np.array(message.polarity_probabilities, np.float64),
        valence=message.valence,
        arousal=message.arousal,
        head_pose=_pose(message) if message.head_pose_valid else None,
        action_units=dict(zip(message.action_units, message.action_unit_intensities, strict=True)),
        emfacs_consistency=message.emfacs_consistency,
        unknown_reason=message.unknown_reason,
        intensity=message.intensity,
        baseline_seconds=message.baseline_seconds,
    )


def _pose(message: FaceEmotion) -> HeadPose:
    """The pose with its unit quaternion turned into a rotation matrix."""
    position, q = message.head_pose.position, message.head_pose.orientation
    vector = np.array([q.x, q.y, q.z])
    cross = np.array([[0.0, -q.z, q.y], [q.z, 0.0, -q.x], [-q.y, q.x, 0.0]])
    rotation = (q.w**2 - vector @ vector) * np.eye(3) + 2.0 * (
        np.outer(vector, vector) + q.w * cross
    )
    return HeadPose(rotation, np.array([position.x, position.y, position.z]))


def model_info_message(engine: Engine, prior_strength: float = 0.0) -> ModelInfo:
    """Return the message that describes an engine and its model."""
    fields = model_fields(engine, prior_strength)
    fields["class_prior"] = array.array("f", fields["class_prior"].tobytes())
    return ModelInfo(**fields)
