"""Head pose by perspective-n-point on landmarks and a generic face model; camera models.

Frames (REP-103): the camera optical frame has z forward, x right, y down. The face frame has its
origin midway between the outer eye corners, x forward out of the face, y to the person's left,
z up. A face that looks straight into the camera therefore has x_face along -z_camera.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.faces import CameraModel, HeadPose

#: Landmarks that hardly move with expression, and their positions on a generic face: x forward,
#: y to the person's left, z up, in millimetres. Shape by factorisation of the manually placed
#: landmarks of 1207 photographs under scaled orthography (Tomasi & Kanade, 1992; symmetrised);
#: scale by 90 mm between the outer eye corners of adults (Farkas, "Anthropometry of the Head and
#: Face", 1994); pitch 0 at the median of the photographs. Distances of a person err with the size
#: of the head: by about 5 % for adults, by more for children.
_FACE_MM: dict[int, tuple[float, float, float]] = {
    36: (0.0, -45.0, 0.0),  # outer eye corner, right eye
    39: (6.5, -18.5, -2.0),
    42: (6.5, 18.5, -2.0),
    45: (0.0, 45.0, 0.0),  # outer eye corner, left eye
    27: (23.0, 0.0, 2.0),  # bridge of the nose, downwards
    28: (30.0, 0.0, -10.0),
    29: (37.5, 0.0, -22.5),
    30: (45.0, 0.0, -34.5),  # tip
    31: (23.5, -15.0, -43.5),  # wings of the nose
    33: (29.0, 0.0, -48.0),
    35: (23.5, 15.0, -43.5),
    48: (-2.0, -28.5, -66.0),  # mouth corners
    54: (-2.0, 28.5, -66.0),
    8: (-5.0, 0.0, -114.0),  # chin
}
POSE_LANDMARKS: tuple[int, ...] = tuple(_FACE_MM)
_POSE_INDICES = np.array(POSE_LANDMARKS)
#: (14, 3) positions of POSE_LANDMARKS in the face frame, in metres.
FACE_POINTS: NDArray[np.float64] = np.array(list(_FACE_MM.values())) / 1000.0

_MIDDLE = FACE_POINTS.mean(axis=0)
#: (14, 3): centred image points (2, 14) @ this are the rows of a scaled rotation.
_PSEUDO_INVERSE: NDArray[np.float64] = np.ascontiguousarray(np.linalg.pinv(FACE_POINTS - _MIDDLE).T)
#: (3, 9) such that vector @ this is the flattened matrix of the cross product with the vector.
_CROSS_MATRICES: NDArray[np.float64] = np.zeros((3, 9))
_CROSS_MATRICES[[2, 1, 2, 0, 1, 0], [1, 2, 3, 5, 6, 7]] = -1.0, 1.0, 1.0, -1.0, -1.0, 1.0
#: Derivatives of a position by a turn (3) and a shift (3): turned point @ the first, plus the
#: second, flattened from (3, 6).
_TURN_DERIVATIVES: NDArray[np.float64] = np.zeros((3, 3, 6))
_TURN_DERIVATIVES[:, :, :3] = -_CROSS_MATRICES.reshape(3, 3, 3)
_TURN_DERIVATIVES = _TURN_DERIVATIVES.reshape(3, 18)
_SHIFT_DERIVATIVES: NDArray[np.float64] = np.eye(3, 6, k=3).ravel()
#: Radians of a turn below which the next one would be below 0.05 degrees, and most steps: 2 to 6
#: are needed for the landmarks of photographs.
_LAST_STEP, _MAX_STEPS = 2e-3, 20

CAMERA_MODELS = ("plumb_bob", "rational_polynomial", "equidistant")
#: Numbers of coefficients that OpenCV accepts for the first two models.
_COEFFICIENTS = (0, 4, 5, 8, 12, 14)
#: Largest relative difference of the two scales of an image that was resized or binned.
_ASPECT_TOLERANCE = 0.02


class CameraModelError(ValueError):
    """A camera model that cannot be used with an image. The message is for the user."""


def fit_camera(camera: CameraModel, width: int, height: int) -> CameraModel:
    """Return the camera model for images of this size; the same object if it fits already.

    An image of the calibrated aspect ratio in another size (binned, resized) scales K. Raises
    CameraModelError if the aspect ratio differs, K is not that of a calibrated camera, the
    distortion model is unknown, or the number of its coefficients is wrong.
    """
    _check_camera(camera)
    if (camera.width, camera.height) == (width, height):
        return camera
    if width <= 0 or height <= 0:
        raise CameraModelError(
            f"the image has {width}x{height} pixels: camera_info cannot be scaled to it"
        )
    if camera.width <= 0 or camera.height <= 0:
        raise CameraModelError(
            f"camera_info has the size {camera.width}x{camera.height}: calibrate the camera; head "
            "poses are not published until then"
        )
    sx, sy = width / camera.width, height / camera.height
    if abs(sx / sy - 1.0) > _ASPECT_TOLERANCE:
        raise CameraModelError(
            f"camera_info is for {camera.width}x{camera.height}, the image is {width}x{height}: "
            "calibrate at this resolution; head poses are not published until then"
        )
    scaled = np.array(camera.K, np.float64)
    # Pixel centres are at integers, so the border of the image is at -0.5.
    scaled[0, :2] *= sx
    scaled[1, :2] *= sy
    scaled[0, 2] = (scaled[0, 2] + 0.5) * sx - 0.5
    scaled[1, 2] = (scaled[1, 2] + 0.5) * sy - 0.5
    return CameraModel(width, height, scaled, camera.D, camera.model)


def _check_camera(camera: CameraModel) -> None:
    if camera.model not in CAMERA_MODELS:
        raise CameraModelError(
            f"distortion model '{camera.model}' is unknown: use one of {', '.join(CAMERA_MODELS)}"
        )
    if camera.K.shape != (3, 3) or not (camera.K[0, 0] > 0.0 and camera.K[1, 1] > 0.0):
        raise CameraModelError("camera_info holds no calibration (K is zero): calibrate the camera")
    if not np.all(np.isfinite(camera.K)):
        raise CameraModelError("camera_info holds K that is not finite: calibrate the camera")
    allowed = (0, 4) if camera.model == "equidistant" else _COEFFICIENTS
    if camera.D.size not in allowed or not np.all(np.isfinite(camera.D)):
        raise CameraModelError(
            f"distortion model '{camera.model}' has {camera.D.size} coefficients: "
            f"it takes {' or '.join(map(str, allowed))}"
        )


def assumed_camera(width: int, height: int) -> CameraModel:
    """Return a pinhole camera with a focal length of the longest side, a field of view of 53 deg.

    Stands in for an uncalibrated camera: accurate enough for the angles of a head, not for its
    distance.
    """
    focal = float(max(width, height))
    center = 0.5 * (width - 1), 0.5 * (height - 1)
    matrix = np.array([[focal, 0.0, center[0]], [0.0, focal, center[1]], [0.0, 0.0, 1.0]])
    return CameraModel(width, height, matrix, np.zeros(0))


def estimate_pose(landmarks: NDArray[np.floating], camera: CameraModel) -> HeadPose | None:
    """Return the pose of one face, as ``estimate_poses`` does for (1, 68, 2) landmarks."""
    return estimate_poses(np.asarray(landmarks)[None], camera)[0]


def estimate_poses(landmarks: NDArray[np.floating], camera: CameraModel) -> list[HeadPose | None]:
    """Estimate the poses of faces from (n, 68, 2) landmarks in pixels of the camera's image.

    Minimises the squared distances of the undistorted points on the plane z = 1 by Gauss-Newton,
    for all faces at once.

    Returns:
        n poses; None where no pose in front of the camera, with the face towards it, fits the
        landmarks.
    """
    if not len(landmarks):
        return []
    try:
        with np.errstate(all="ignore"):
            points = normalised(np.asarray(landmarks, np.float64)[:, _POSE_INDICES], camera)
            rotations, translations = _refined(*_under_scaled_orthography(points), points)
            forward = (rotations[:, :, 0] * translations).sum(axis=1)
            # NaN fails every comparison.
            good = (translations[:, 2] > 0.0) & (forward < 0.0) & (forward > -math.inf)
    except (cv2.error, np.linalg.LinAlgError):
        if len(landmarks) > 1:  # the other faces may have a pose
            return [estimate_pose(each, camera) for each in landmarks]
        return [None] * len(landmarks)
    return [
        HeadPose(rotation, translation) if is_pose else None
        for rotation, translation, is_pose in zip(rotations, translations, good, strict=True)
    ]


def _under_scaled_orthography(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return approximate (n, 3, 3) rotations and (n, 3) translations for (n, 14, 2) points.

    Under scaled orthography (DeMenthon & Davis, "Model-based object pose in 25 lines of code",
    1995, without iterations) the first two rows of the rotation are linear in the points.
    """
    center = points.mean(axis=1)
    rows = (points - center[:, None]).transpose(0, 2, 1) @ _PSEUDO_INVERSE
    scale = np.sqrt((rows * rows).sum(axis=2))
    rotation = np.empty((len(points), 3, 3))
    rotation[:, 0] = rows[:, 0] / scale[:, :1]
    normal = _cross(rotation[:, 0], rows[:, 1])
    rotation[:, 2] = normal / np.sqrt((normal * normal).sum(axis=1, keepdims=True))
    rotation[:, 1] = _cross(rotation[:, 2], rotation[:, 0])
    distance = 2.0 / scale.sum(axis=1, keepdims=True)
    middle = np.concatenate([center * distance, distance], axis=1)
    return rotation, middle - rotation @ _MIDDLE


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cross products of (n, 3) vectors; np.cross takes five times as long."""
    return np.asarray(((a @ _CROSS_MATRICES).reshape(-1, 3, 3) @ b[..., None])[..., 0])


def _refined(
    rotation: NDArray[np.float64], translation: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n, 3, 3) rotations and (n, 3) translations of least reprojection error.

    NaN for the faces whose pose does not converge. Raises np.linalg.LinAlgError.
    """
    count = len(points)
    for _ in range(_MAX_STEPS):
        turned = FACE_POINTS @ rotation.transpose(0, 2, 1)
        position = turned + translation[:, None]
        inverse_depth = 1.0 / position[..., 2:]
        projected = position[..., :2] * inverse_depth
        # d(x / z) = (dx - x / z * dz) / z
        moved = (turned @ _TURN_DERIVATIVES + _SHIFT_DERIVATIVES).reshape(count, -1, 3, 6)
        jacobian = moved[:, :, :2] - projected[..., None] * moved[:, :, 2:]
        jacobian = (jacobian * inverse_depth[..., None]).reshape(count, -1, 6)
        transposed = jacobian.transpose(0, 2, 1)
        error = (points - projected).reshape(count, -1, 1)
        step = np.linalg.solve(transposed @ jacobian, transposed @ error)[..., 0]
        half = 0.5 * step[:, :3]
        cross = (half @ _CROSS_MATRICES).reshape(count, 3, 3)
        # Cayley's formula keeps the matrix a rotation.
        scale = 2.0 / (1.0 + (half * half).sum(axis=1))[:, None, None]
        rotation = rotation + scale * ((cross + cross @ cross) @ rotation)
        translation = translation + step[:, 3:]
        if (largest := np.abs(half).max(axis=1)).max() < 0.5 * _LAST_STEP:
            break
    translation[~(largest < 0.5 * _LAST_STEP)] = np.nan
    return rotation, translation


def angles_to_camera(pose: HeadPose) -> tuple[float, float]:
    """Return yaw and pitch in radians between the face and the line from it to the camera.

    Unlike the pose's own angles these are 0 for a face at the image's border that looks into the
    lens, so they determine how much of the face is visible.
    """
    x, y, z = -pose.translation
    yaw, pitch = math.atan2(x, -z), math.atan2(-y, math.hypot(x, z))
    return pose.yaw - yaw, pose.pitch - pitch


def normalised(pixels: NDArray[np.float64], camera: CameraModel) -> NDArray[np.float64]:
    """Return undistorted (n, k, 2) coordinates on the plane z = 1 for (n, k, 2) pixels."""
    matrix = np.asarray(camera.K, np.float64)
    if camera.model != "equidistant" and not camera.D.any():
        return np.asarray((pixels - matrix[:2, 2]) / matrix.diagonal()[:2])
    points = np.ascontiguousarray(pixels.reshape(-1, 1, 2))
    if camera.model == "equidistant":
        four = camera.D if camera.D.size else np.zeros(4)
        undistorted = cv2.fisheye.undistortPoints(points, matrix, four)
    else:
        undistorted = cv2.undistortPoints(points, matrix, camera.D)
    return np.asarray(undistorted, np.float64).reshape(pixels.shape)
