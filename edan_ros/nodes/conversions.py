"""Messages to the records of core and back. The only module that knows both sides.

Arrays move whole (numpy or array.array); no Python loop runs over landmarks or pixels.
"""

from __future__ import annotations

import array
import math

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, RegionOfInterest
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.core.faces import Box, CameraModel, Detection, Face, FrameResult, HeadPose
from edan_ros.core.head_pose import fit_camera
from edan_ros.core.images import Image, decode_compressed, decode_raw
from edan_ros.engines.base import Engine
from edan_ros.msg import FaceEmotion, FaceEmotionArray, ModelInfo


def stamp_seconds(header: Header) -> float:
    """The stamp in seconds; 0.0 means that nobody set it."""
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)


def decode(message: ImageMessage | CompressedImage) -> Image:
    """The picture of either kind of image message. Raises ImageError."""
    if isinstance(message, CompressedImage):
        return decode_compressed(message.data, message.format)
    return decode_raw(
        message.data,
        message.width,
        message.height,
        message.step,
        message.encoding,
        bool(message.is_bigendian),
    )


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


def camera_model(info: CameraInfo, *, rectified: bool = False) -> CameraModel | None:
    """The intrinsics for the images that ``info`` comes with, or None if it is not calibrated.

    The calibration is of the full sensor: the region of interest and the binning that ``info``
    states are applied (see sensor_msgs/CameraInfo). ``rectified``: the images are, so P is taken
    and no distortion. Raises CameraModelError.
    """
    matrix = info.p.reshape(3, 4)[:, :3] if rectified else info.k.reshape(3, 3)
    if not matrix.any():
        return None
    matrix = matrix.astype(np.float64)
    matrix[:2, 2] -= (info.roi.x_offset, info.roi.y_offset)
    width, height = info.roi.width or info.width, info.roi.height or info.height
    distortion = np.zeros(0) if rectified else np.array(info.d, np.float64)
    model = "plumb_bob" if rectified else info.distortion_model or "plumb_bob"
    camera = CameraModel(width, height, matrix, distortion, model)
    return fit_camera(camera, width // max(info.binning_x, 1), height // max(info.binning_y, 1))


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
    message = FaceEmotion()
    message.track_id = face.track_id
    message.roi = _roi(face.box, width, height)
    message.presence = float(face.presence)
    message.emotion = face.emotion
    message.label = face.label
    message.confidence = float(face.confidence)
    message.probabilities = np.asarray(face.probabilities, np.float32)
    message.raw_probabilities = np.asarray(face.raw_probabilities, np.float32)
    message.polarity = face.polarity
    message.polarity_probabilities = np.asarray(face.polarity_probabilities, np.float32)
    message.valence = float(face.valence)
    message.arousal = float(face.arousal)
    message.landmarks_x, message.landmarks_y = np.array(face.landmarks.T, np.float32, order="C")
    if face.head_pose is not None:
        _fill_pose(message, face.head_pose)
    message.action_units = list(face.action_units)
    message.action_unit_intensities = array.array("f", face.action_units.values())
    message.emfacs_consistency = float(face.emfacs_consistency)
    return message


def _roi(box: Box, width: int, height: int) -> RegionOfInterest:
    """The whole pixels inside the image that the box touches."""
    inside = box.clipped(width, height)
    x0, y0 = math.floor(inside.x), math.floor(inside.y)
    x1, y1 = math.ceil(inside.x + inside.width), math.ceil(inside.y + inside.height)
    return RegionOfInterest(x_offset=x0, y_offset=y0, width=x1 - x0, height=y1 - y0)


def _fill_pose(message: FaceEmotion, pose: HeadPose) -> None:
    message.head_pose_valid = True
    target = message.head_pose
    position, orientation = target.position, target.orientation
    position.x, position.y, position.z = (float(value) for value in pose.translation)
    orientation.x, orientation.y, orientation.z, orientation.w = pose.quaternion


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
    return Box(float(roi.x_offset), float(roi.y_offset), float(roi.width), float(roi.height))


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


def model_info_message(engine: Engine) -> ModelInfo:
    """What runs, and on what."""
    manifest = engine.manifest
    return ModelInfo(
        name=manifest.name,
        version=manifest.version,
        sha256=manifest.sha256,
        engine=engine.name,
        device=engine.device,
        precision=engine.precision,
        labels=list(manifest.labels),
        input_size=engine.input_size,
        terms=manifest.terms,
    )
