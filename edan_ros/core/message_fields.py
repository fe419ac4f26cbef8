"""Conversion of message fields from and to the types of core, for rclpy and rosbags alike."""

from __future__ import annotations

import importlib
import math
from array import array
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.eyes import EYES_NOT_MEASURED, Eyes
from edan_ros.core.faces import CameraModel, Face, HeadPose
from edan_ros.core.head_pose import CameraModelError, fit_camera
from edan_ros.core.images import Image, ImageError, decode_compressed, decode_raw
from edan_ros.core.images.image import ENCODINGS
from edan_ros.core.images.sixteen_bit import SixteenBitScaler
from edan_ros.core.images.still_image import DEFAULT_LIMITS, DecodeLimits


def decode_image(
    message: Any,
    *,
    reduction: int = 1,
    gray: bool = False,
    limits: DecodeLimits = DEFAULT_LIMITS,
    scaler: SixteenBitScaler | None = None,
) -> Image:
    """Decode a sensor_msgs/Image or CompressedImage. Raises ImageError.

    Encodings that ``core.images`` does not know go through cv_bridge where it is installed.

    Args:
        message: the image message.
        reduction, gray: what to skip of a JPEG, as for ``decode_compressed``.
        limits: what decoding may take.
        scaler: that of the camera, for 16-bit images of a sequence.
    """
    if not hasattr(message, "encoding"):
        return decode_compressed(
            message.data,
            message.format,
            reduction=reduction,
            gray=gray,
            limits=limits,
            scaler=scaler,
        )
    if message.encoding not in ENCODINGS:
        converted = _convert_with_cv_bridge(message, limits)
        if converted is not None:
            return converted
    return decode_raw(
        message.data,
        message.width,
        message.height,
        message.step,
        message.encoding,
        bool(message.is_bigendian),
        limits=limits,
        scaler=scaler,
    )


def is_image(message: object) -> bool:
    """Return whether an object has the fields of a sensor_msgs/Image or CompressedImage."""
    encoding = getattr(message, "encoding", "")
    fields = ("width", "height", "step") if hasattr(message, "encoding") else ("format",)
    return isinstance(encoding, str) and all(hasattr(message, name) for name in (*fields, "data"))


def fill_image(message: Any, pixels: NDArray[np.uint8]) -> None:
    """Write (height, width, 3) BGR pixels into the fields of a sensor_msgs/Image."""
    message.height, message.width = pixels.shape[:2]
    message.encoding, message.is_bigendian = "bgr8", 0
    message.step = 3 * pixels.shape[1]
    data = array("B")  # rclpy checks every item of any other type
    data.frombytes(np.ascontiguousarray(pixels).tobytes())
    message.data = data


def _convert_with_cv_bridge(message: Any, limits: DecodeLimits) -> Image | None:
    """Return the image that cv_bridge converts; None where it is not installed.

    Raises ImageError if cv_bridge cannot convert it, or the image exceeds the limit.
    """
    try:
        # Imported by name: this layer is used without ROS.
        bridge = importlib.import_module("cv_bridge").CvBridge()
    except ImportError:
        return None
    size = len(message.data) + 3 * message.width * message.height
    if size > limits.max_image_bytes:
        raise ImageError(
            "too_large", f"image of {message.width}x{message.height} is above max_image_bytes"
        )
    try:
        pixels = np.asarray(bridge.imgmsg_to_cv2(message, "bgr8"))
    except Exception as error:  # its own, and those of wrong sizes from NumPy and Boost
        raise ImageError(
            "encoding",
            f"image encoding '{message.encoding}' is not known, and cv_bridge cannot convert it: "
            f"{error}",
        ) from error
    if pixels.dtype != np.uint8 or pixels.shape != (message.height, message.width, 3):
        raise ImageError(
            "encoding",
            f"cv_bridge converts '{message.encoding}' to {pixels.dtype} of shape {pixels.shape}",
        )
    return Image(np.ascontiguousarray(pixels))


def image_header(message: Any) -> Any:
    """Return what holds the ``stamp`` and ``frame_id`` of an image message of any type.

    foxglove_msgs/CompressedVideo has no header, but fields of its own.
    """
    if hasattr(message, "timestamp"):
        return SimpleNamespace(stamp=message.timestamp, frame_id=message.frame_id)
    return message.header


def stamp_ns(message: Any) -> int:
    """Return the stamp of an image message in nanoseconds; 0 where it is not set."""
    stamp = image_header(message).stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def camera_model(info: Any, *, rectified: bool = False) -> CameraModel | None:
    """Return the intrinsics for the images that belong to a CameraInfo; None if not calibrated.

    The calibration describes the full sensor, so the message's region of interest and binning are
    applied (see sensor_msgs/CameraInfo).

    Args:
        info: the CameraInfo message.
        rectified: whether the images are rectified; P then replaces K, without distortion.

    Raises:
        CameraModelError: if the fields contradict each other.
    """
    # ROS 1 names the matrices in capitals.
    k, d, p = (info.k, info.d, info.p) if hasattr(info, "k") else (info.K, info.D, info.P)
    matrix = np.reshape(p, (3, 4))[:, :3] if rectified else np.reshape(k, (3, 3))
    if not matrix.any():
        return None
    matrix = matrix.astype(np.float64)
    matrix[:2, 2] -= (info.roi.x_offset, info.roi.y_offset)
    width, height = info.roi.width or info.width, info.roi.height or info.height
    distortion = np.zeros(0) if rectified else np.array(d, np.float64)
    model = "plumb_bob" if rectified else info.distortion_model or "plumb_bob"
    camera = CameraModel(width, height, matrix, distortion, model)
    binning_x, binning_y = max(info.binning_x, 1), max(info.binning_y, 1)
    if binning_x > max(width, 1) or binning_y > max(height, 1):
        raise CameraModelError(
            f"camera_info bins {width}x{height} pixels by {binning_x}x{binning_y}: no pixel is left"
        )
    return fit_camera(camera, width // binning_x, height // binning_y)


def face_fields(face: Face, width: int, height: int) -> dict[str, Any]:
    """Return the fields of FaceEmotion.msg for a face in an image of this size in pixels.

    Nested messages are dictionaries, arrays of numbers float32. A pose that is unknown or rests on
    an assumed lens is the identity at zero.
    """
    pose = None if face.head_pose_assumed_lens else face.head_pose
    return {
        "track_id": face.track_id,
        "roi": _roi(face.box, width, height),
        "presence": float(face.presence),
        "emotion": face.emotion,
        "label": face.label,
        "confidence": float(face.confidence),
        "probabilities": np.asarray(face.probabilities, np.float32),
        "raw_probabilities": np.asarray(face.raw_probabilities, np.float32),
        "polarity": face.polarity,
        "polarity_probabilities": np.asarray(face.polarity_probabilities, np.float32),
        "valence": float(face.valence),
        "arousal": float(face.arousal),
        "landmarks_x": np.array(face.landmarks[:, 0], np.float32),
        "landmarks_y": np.array(face.landmarks[:, 1], np.float32),
        "head_pose_valid": pose is not None,
        "head_pose": _pose(pose),
        "action_units": list(face.action_units),
        "action_unit_intensities": np.array([*face.action_units.values()], np.float32),
        "emfacs_consistency": float(face.emfacs_consistency),
        "unknown_reason": face.unknown_reason,
        "intensity": float(face.intensity),
        "baseline_seconds": float(face.baseline_seconds),
        "age": float(face.age),
        **_eye_fields(face.eyes),
    }


def model_fields(engine: Any, prior_strength: float) -> dict[str, Any]:
    """Return the fields of ModelInfo.msg for an Engine and the prior strength in use, 0 to 1."""
    manifest = engine.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": manifest.sha256,
        "engine": engine.name,
        "why": engine.selection_reason,
        "selection_reason": engine.selection_reason,
        "device": engine.device,
        "precision": engine.precision,
        "labels": list(manifest.labels),
        "input_size": engine.input_size,
        "terms": manifest.terms,
        "class_prior": np.asarray(manifest.class_prior, np.float32),
        "prior_strength": float(prior_strength),
    }


def _roi(box: Box, width: int, height: int) -> dict[str, Any]:
    """Return the RegionOfInterest of all pixels inside the image that the box touches."""
    inside = Box(box.x + 0.5, box.y + 0.5, box.width, box.height).clipped(width, height)
    x0, y0 = math.floor(inside.x), math.floor(inside.y)
    x1, y1 = math.ceil(inside.x + inside.width), math.ceil(inside.y + inside.height)
    sides = {"x_offset": x0, "y_offset": y0, "width": x1 - x0, "height": y1 - y0}
    return {**sides, "do_rectify": False}


def _eye_fields(eyes: Eyes | None) -> dict[str, Any]:
    if eyes is None:
        eyes = Eyes(np.full(2, np.nan, np.float32), EYES_NOT_MEASURED)
    gaze = (0.0, 0.0, 0.0) if eyes.gaze is None else eyes.gaze.tolist()
    return {
        "eye_openness": np.asarray(eyes.openness, np.float32),
        "gaze_valid": eyes.gaze is not None,
        "gaze": dict(zip("xyz", gaze, strict=True)),
        "gaze_yaw": float(eyes.yaw),
        "gaze_pitch": float(eyes.pitch),
        "eye_quality": eyes.quality,
    }


def _pose(pose: HeadPose | None) -> dict[str, dict[str, float]]:
    position = (0.0, 0.0, 0.0) if pose is None else tuple(map(float, pose.translation))
    orientation = (0.0, 0.0, 0.0, 1.0) if pose is None else pose.quaternion
    return {
        "position": dict(zip("xyz", position, strict=True)),
        "orientation": dict(zip("xyzw", orientation, strict=True)),
    }
