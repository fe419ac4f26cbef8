"""Conversion between messages and the records of core, with a check of received messages.

Arrays are copied as a whole (numpy or array.array), without a loop over landmarks or pixels.
"""

from __future__ import annotations

import array
import math
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import (
    EMOTIONS,
    POLARITIES,
    POLARITY_UNKNOWN,
    UNKNOWN,
    UNKNOWN_REASONS,
)
from edan_ros.core.eyes import EYE_QUALITIES, EYES_NOT_MEASURED, Eyes
from edan_ros.core.faces import CameraModel, Detection, Face, FrameResult, HeadPose
from edan_ros.core.images import ImageError
from edan_ros.core.message_fields import face_fields, model_fields
from edan_ros.engines.base import Engine
from edan_ros.msg import FaceEmotion, FaceEmotionArray, ModelInfo

#: Faces of one message at most; the parameter max_faces allows as many.
MAX_FACES = 256
#: Coordinates beyond are no pixels, and no metres.
_FAR = 1e6
#: How far a quaternion may be from unit length, and a number in single precision out of its range.
_UNIT_TOLERANCE, _ROUNDING = 1e-2, 1e-4
_DISTRIBUTIONS = ("probabilities", "raw_probabilities", "polarity_probabilities")
#: Fields from 0 to 1 that are NaN where unknown.
_MAY_BE_NAN = (("emfacs_consistency", 0.0), ("intensity", 0.0))


def stamp_seconds(header: Header) -> float:
    """Return the stamp in seconds; 0.0 if it is not set."""
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)


def image_message(pixels: NDArray[np.uint8], header: Header, encoding: str = "") -> ImageMessage:
    """Return (H, W) or (H, W, 3) uint8 pixels as a message; by default mono8 or bgr8."""
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
    """Return a calibration as a message, for images that are not rectified (R is identity)."""
    message = CameraInfo(header=header, width=camera.width, height=camera.height)
    message.distortion_model = camera.model
    message.d = camera.D.tolist()
    message.k = camera.K.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.column_stack([camera.K, np.zeros(3)]).ravel()
    return message


def array_message(result: FrameResult, header: Header) -> FaceEmotionArray:
    """Return the faces of one image as a message with the image's own header."""
    message = FaceEmotionArray()
    message.header = header
    message.image_width = result.width
    message.image_height = result.height
    message.faces = [face_message(face, result.width, result.height) for face in result.faces]
    return message


def face_message(face: Face, width: int, height: int) -> FaceEmotion:
    """Return one face of an image of ``width`` x ``height`` pixels as a message."""
    fields = face_fields(face, width, height)
    fields["roi"] = RegionOfInterest(**fields["roi"])
    units = fields["action_unit_intensities"]
    fields["action_unit_intensities"] = array.array("f", units.tobytes())
    pose = fields["head_pose"]
    fields["head_pose"] = Pose(
        position=Point(**pose["position"]), orientation=Quaternion(**pose["orientation"])
    )
    fields["gaze"] = Vector3(**fields["gaze"])
    return FaceEmotion(**fields)


class MessageError(ValueError):
    """A FaceEmotionArray that breaks the rules of its definition; the error names the field."""


def _check_face(face: FaceEmotion) -> None:
    _require(face.emotion in (*range(len(EMOTIONS)), UNKNOWN), f"emotion is {face.emotion}")
    _require(
        face.polarity in (*range(len(POLARITIES)), POLARITY_UNKNOWN), f"polarity is {face.polarity}"
    )
    _require(face.unknown_reason < len(UNKNOWN_REASONS), f"unknown_reason is {face.unknown_reason}")
    for name in ("presence", "confidence", *_DISTRIBUTIONS):
        _require_range(name, getattr(face, name), 0.0, 1.0)
    for name, low in (("valence", -1.0), ("arousal", -1.0), *_MAY_BE_NAN):
        if not math.isnan(getattr(face, name)):
            _require_range(name, getattr(face, name), low, 1.0)
    for name in ("baseline_seconds", "age"):
        _require_range(name, getattr(face, name), 0.0, math.inf)
    _require_range("landmarks_x", face.landmarks_x, -_FAR, _FAR)
    _require_range("landmarks_y", face.landmarks_y, -_FAR, _FAR)
    _require(
        len(face.action_units) == len(face.action_unit_intensities),
        f"{len(face.action_units)} action units have {len(face.action_unit_intensities)} "
        "intensities",
    )
    _require_range("action_unit_intensities", face.action_unit_intensities, 0.0, 1.0)
    if face.head_pose_valid:
        position, q = face.head_pose.position, face.head_pose.orientation
        _require_range("head_pose.position", [position.x, position.y, position.z], -_FAR, _FAR)
        norm = math.hypot(q.x, q.y, q.z, q.w)
        _require(
            abs(norm - 1.0) <= _UNIT_TOLERANCE, f"head_pose.orientation has the length {norm:g}"
        )
    _check_eyes(face)


def _check_eyes(face: FaceEmotion) -> None:
    _require(face.eye_quality < len(EYE_QUALITIES), f"eye_quality is {face.eye_quality}")
    openness = np.asarray(face.eye_openness, np.float64)
    _require_range("eye_openness", openness[~np.isnan(openness)], 0.0, 1.0)
    if face.gaze_valid:
        norm = math.hypot(face.gaze.x, face.gaze.y, face.gaze.z)
        _require(abs(norm - 1.0) <= _UNIT_TOLERANCE, f"gaze has the length {norm:g}")
        _require_range("gaze_yaw", face.gaze_yaw, -math.pi, math.pi)
        _require_range("gaze_pitch", face.gaze_pitch, -0.5 * math.pi, 0.5 * math.pi)


def _require_range(name: str, values: Any, low: float, high: float) -> None:
    found = np.asarray(values, np.float64)
    # Comparisons with NaN are false, so that NaN is refused too.
    good = (found >= low - _ROUNDING) & (found <= high + _ROUNDING) & np.isfinite(found)
    if not good.all():
        _require(False, f"{name} is {found[~good].flat[0]:g}, not from {low:g} to {high:g}")


def _require(condition: bool, fault: str) -> None:
    if not condition:
        raise MessageError(fault)


def frame_result(message: FaceEmotionArray) -> FrameResult:
    """Check a message of another node, and return its faces without crops and attention maps.

    Faces that break the rules of FaceEmotion.msg are refused: they are missing in the result, and
    its ``warnings`` name them. Fields may be NaN only where the definition says so. The boxes are
    in whole pixels, as messages carry them.

    Raises:
        MessageError: the image has no size, there are more faces than any node publishes, or none
            of the faces is valid.
    """
    _require(message.image_width > 0 and message.image_height > 0, "the image has no size")
    _require(len(message.faces) <= MAX_FACES, f"{len(message.faces)} faces in one image")
    faces: list[Face] = []
    refused: list[str] = []
    for face in message.faces:
        try:
            _check_face(face)
        except MessageError as error:
            refused.append(f"face {face.track_id} refused: {error}")
        else:
            faces.append(_face(face))
    _require(bool(faces) or not refused, "; ".join(refused[:1]))
    warnings = [ImageError("face", text) for text in refused]
    return FrameResult(faces, message.image_width, message.image_height, warnings=warnings)


def detections(message: FaceEmotionArray) -> list[Detection]:
    """Return the regions of another node's message as detections; of a face only roi and presence.

    Raises:
        MessageError: there are too many faces, or a presence is not from 0 to 1.
    """
    _require(len(message.faces) <= MAX_FACES, f"{len(message.faces)} boxes in one image")
    _require_range("presence", [face.presence for face in message.faces], 0.0, 1.0)
    return [Detection(_box(face.roi), face.presence) for face in message.faces]


def _box(roi: RegionOfInterest) -> Box:
    """Convert from the corner of the image, where regions start, to its first pixel's centre."""
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
        age=message.age,
        eyes=_eyes(message),
    )


def _eyes(message: FaceEmotion) -> Eyes | None:
    if message.eye_quality == EYES_NOT_MEASURED:
        return None
    openness = np.array(message.eye_openness, np.float32)
    if not message.gaze_valid:
        return Eyes(openness, message.eye_quality)
    gaze = np.array([message.gaze.x, message.gaze.y, message.gaze.z])
    return Eyes(openness, message.eye_quality, gaze, message.gaze_yaw, message.gaze_pitch)


def _pose(message: FaceEmotion) -> HeadPose:
    """Return the pose with a rotation matrix for its unit quaternion."""
    position, q = message.head_pose.position, message.head_pose.orientation
    vector = np.array([q.x, q.y, q.z])
    cross = np.array([[0.0, -q.z, q.y], [q.z, 0.0, -q.x], [-q.y, q.x, 0.0]])
    rotation = (q.w**2 - vector @ vector) * np.eye(3) + 2.0 * (
        np.outer(vector, vector) + q.w * cross
    )
    return HeadPose(rotation, np.array([position.x, position.y, position.z]))


def model_info_message(engine: Engine, prior_strength: float) -> ModelInfo:
    """Return the message that describes an engine and its model."""
    fields = model_fields(engine, prior_strength)
    fields["class_prior"] = array.array("f", fields["class_prior"].tobytes())
    return ModelInfo(**fields)
