"""Head pose: known poses are recovered from their projections through known cameras."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edan_ros.core.faces import CameraModel, HeadPose
from edan_ros.core.geometry import MEAN_SHAPE
from edan_ros.core.head_pose import (
    FACE_POINTS,
    POSE_LANDMARKS,
    CameraModelError,
    angles_to_camera,
    assumed_camera,
    estimate_pose,
    estimate_poses,
    fit_camera,
)

#: Columns: the axes of a face that looks straight into the camera (x_face = -z_camera,
#: y_face = x_camera, z_face = -y_camera).
FACING = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
K = np.array([[620.0, 0.0, 322.0], [0.0, 615.0, 238.0], [0.0, 0.0, 1.0]])

CAMERAS = {
    "pinhole": CameraModel(640, 480, K, np.zeros(0)),
    "plumb_bob": CameraModel(640, 480, K, np.array([-0.28, 0.09, 0.001, -0.0005, 0.0])),
    "rational_polynomial": CameraModel(
        640,
        480,
        K,
        np.array([0.4, -0.2, 0.0005, 0.0003, 0.01, 0.6, -0.1, 0.02]),
        "rational_polynomial",
    ),
    "equidistant": CameraModel(
        640,
        480,
        np.array([[300.0, 0, 320], [0, 300.0, 240], [0, 0, 1]]),
        np.array([0.05, -0.01, 0.003, -0.001]),
        "equidistant",
    ),
}


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return a facing head rolled, then pitched up, then yawed to the image's right."""
    turn_y = cv2.Rodrigues(np.array([0.0, -yaw, 0.0]))[0]
    turn_x = cv2.Rodrigues(np.array([-pitch, 0.0, 0.0]))[0]
    turn_z = cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0]
    return turn_y @ turn_x @ turn_z @ FACING


def project(pose: HeadPose, camera: CameraModel) -> np.ndarray:
    """Return (68, 2) landmarks; those that the pose does not use are far outside."""
    rvec, tvec = cv2.Rodrigues(pose.rotation)[0], pose.translation.reshape(3, 1)
    if camera.model == "equidistant":
        points = FACE_POINTS.reshape(-1, 1, 3)
        pixels = cv2.fisheye.projectPoints(points, rvec, tvec, camera.K, camera.D)[0]
    else:
        pixels = cv2.projectPoints(FACE_POINTS, rvec, tvec, camera.K, camera.D)[0]
    landmarks = np.full((68, 2), -999.0)
    landmarks[list(POSE_LANDMARKS)] = pixels.reshape(-1, 2)
    return landmarks


@pytest.mark.parametrize("name", list(CAMERAS))
@settings(max_examples=40)
@given(
    st.floats(-1.2, 1.2),
    st.floats(-0.7, 0.7),
    st.floats(-1.0, 1.0),
    st.floats(-0.25, 0.25),
    st.floats(-0.2, 0.2),
    st.floats(0.35, 3.0),
)
def test_projected_poses_are_recovered(name, yaw, pitch, roll, x, y, z) -> None:
    camera = CAMERAS[name]
    truth = HeadPose(rotation(yaw, pitch, roll), z * np.array([x, y, 1.0]))
    if float(truth.rotation[:, 0] @ truth.translation) >= -0.05:
        return  # the back of the head
    pose = estimate_pose(project(truth, camera), camera)
    assert pose is not None
    assert np.allclose(pose.rotation, truth.rotation, atol=2e-3)
    assert np.allclose(pose.translation, truth.translation, atol=2e-3 * z)


def test_poses_of_inexact_landmarks_are_those_of_opencv() -> None:
    random, camera = np.random.default_rng(0), CAMERAS["pinhole"]
    truths = [
        HeadPose(rotation(*random.uniform(-0.8, 0.8, 3)), np.array([0.1, -0.05, z]))
        for z in random.uniform(0.4, 2.0, 50)
    ]
    landmarks = np.stack([project(truth, camera) for truth in truths])
    sides = [620.0 * 0.1 / truth.translation[2] for truth in truths]
    landmarks += random.normal(0.0, 0.03, landmarks.shape) * np.array(sides)[:, None, None]
    for pose, points in zip(estimate_poses(landmarks, camera), landmarks, strict=True):
        pixels = points[list(POSE_LANDMARKS)]
        _, rvec, tvec = cv2.solvePnP(FACE_POINTS, pixels, K, None, flags=cv2.SOLVEPNP_SQPNP)
        # The error in pixels, since the two focal lengths are hardly different.
        rvec, tvec = cv2.solvePnPRefineLM(FACE_POINTS, pixels, K, None, rvec, tvec)
        assert pose is not None
        turn = cv2.Rodrigues(pose.rotation @ cv2.Rodrigues(rvec)[0].T)[0]
        assert math.degrees(np.linalg.norm(turn)) < 0.1
        assert np.allclose(pose.translation, tvec.ravel(), rtol=1e-3, atol=1e-3)


def test_a_face_without_a_pose_does_not_affect_the_others() -> None:
    camera = CAMERAS["plumb_bob"]
    truth = HeadPose(rotation(0.3, 0.1, 0.0), np.array([0.1, 0.0, 0.8]))
    good = project(truth, camera)
    poses = estimate_poses(np.stack([np.full((68, 2), np.nan), good, np.zeros((68, 2))]), camera)
    assert [pose is not None for pose in poses] == [False, True, False]
    assert poses[1] is not None
    assert np.allclose(poses[1].translation, truth.translation, atol=1e-6)


@given(st.floats(-1.4, 1.4), st.floats(-1.4, 1.4), st.floats(-3.0, 3.0))
def test_angles_of_a_constructed_pose(yaw: float, pitch: float, roll: float) -> None:
    pose = HeadPose(rotation(yaw, pitch, roll), np.array([0.0, 0.0, 1.0]))
    assert pose.yaw == pytest.approx(yaw, abs=1e-9)
    assert pose.pitch == pytest.approx(pitch, abs=1e-9)
    assert pose.roll == pytest.approx(roll, abs=1e-9)


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
def test_the_quaternion_is_the_rotation(yaw: float, pitch: float, roll: float) -> None:
    pose = HeadPose(rotation(yaw, pitch, roll), np.zeros(3))
    x, y, z, w = pose.quaternion
    assert w >= 0.0
    assert x * x + y * y + z * z + w * w == pytest.approx(1.0)
    again = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    assert np.allclose(again, pose.rotation, atol=1e-9)


def test_a_facing_head_at_one_metre() -> None:
    """Focal length 620: the outer eye corners, 90 mm apart, are 55.8 pixels apart at 1 m."""
    landmarks = project(HeadPose(FACING, np.array([0.0, 0.0, 1.0])), CAMERAS["pinhole"])
    assert landmarks[45, 0] - landmarks[36, 0] == pytest.approx(55.8)
    assert landmarks[8, 1] > landmarks[30, 1] > landmarks[27, 1]


def test_the_mean_shape_faces_straight_ahead() -> None:
    landmarks = 120.0 * MEAN_SHAPE + (320.0, 240.0)
    pose = estimate_pose(landmarks, assumed_camera(640, 480))
    assert pose is not None
    assert abs(math.degrees(pose.yaw)) < 1.0
    assert abs(math.degrees(pose.roll)) < 1.0
    assert abs(math.degrees(pose.pitch)) < 8.0
    assert 0.4 < pose.translation[2] < 1.0


def test_a_face_that_looks_into_the_lens_from_the_side_has_angle_zero() -> None:
    """At 45 degrees to the right the face must yaw by 45 degrees to the left."""
    pose = HeadPose(rotation(-math.pi / 4, 0.0, 0.0), np.array([1.0, 0.0, 1.0]))
    assert angles_to_camera(pose) == pytest.approx((0.0, 0.0))
    straight = HeadPose(FACING, np.array([1.0, 0.0, 1.0]))
    assert angles_to_camera(straight) == pytest.approx((math.pi / 4, 0.0))
    above = HeadPose(FACING, np.array([0.0, -1.0, 1.0]))
    # Level, one metre above a camera one metre away: it looks 45 degrees over the camera.
    assert angles_to_camera(above) == pytest.approx((0.0, math.pi / 4))


def test_a_binned_image_scales_the_camera() -> None:
    camera = CAMERAS["plumb_bob"]
    half = fit_camera(camera, 320, 240)
    assert (half.width, half.height) == (320, 240)
    assert half.K[0, 0] == pytest.approx(310.0)
    assert half.K[0, 2] == pytest.approx(160.75)
    truth = HeadPose(rotation(0.3, 0.1, 0.0), np.array([0.1, 0.0, 0.8]))
    landmarks = (project(truth, camera) + 0.5) / 2 - 0.5
    pose = estimate_pose(landmarks, half)
    assert pose is not None
    assert np.allclose(pose.translation, truth.translation, atol=2e-3)
    assert fit_camera(camera, 640, 480) is camera


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (CameraModel(640, 360, K, np.zeros(5)), "camera_info is for 640x360"),
        (CameraModel(0, 0, K, np.zeros(5)), "has the size 0x0"),
        (CameraModel(640, 480, np.zeros((3, 3)), np.zeros(5)), "no calibration"),
        (CameraModel(640, 480, K, np.zeros(5), "thin_prism"), "'thin_prism' is unknown"),
        (CameraModel(640, 480, K, np.zeros(3)), "has 3 coefficients"),
        (CameraModel(640, 480, K, np.zeros(5), "equidistant"), "takes 0 or 4"),
        (CameraModel(640, 480, K, np.full(5, np.nan)), "coefficients"),
    ],
)
def test_cameras_that_do_not_fit_are_rejected(camera: CameraModel, message: str) -> None:
    with pytest.raises(CameraModelError, match=message):
        fit_camera(camera, 640, 480)


@settings(max_examples=100)
@given(st.lists(st.floats(-1e4, 1e4), min_size=136, max_size=136))
def test_any_landmarks_give_a_pose_in_front_of_the_camera_or_none(values: list[float]) -> None:
    pose = estimate_pose(np.array(values).reshape(68, 2), CAMERAS["plumb_bob"])
    if pose is not None:
        assert pose.translation[2] > 0.0
        assert np.allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("distortion", [[], [-0.4, 0.2, 0.0, 0.0]])
def test_no_faces_have_no_poses(distortion: list[float]) -> None:
    matrix = np.array([[640.0, 0.0, 319.5], [0.0, 640.0, 239.5], [0.0, 0.0, 1.0]])
    camera = CameraModel(640, 480, matrix, np.array(distortion))
    assert estimate_poses(np.zeros((0, 68, 2)), camera) == []


def test_degenerate_landmarks_give_no_pose_or_a_finite_one() -> None:
    for landmarks in (np.zeros((68, 2)), np.full((68, 2), np.nan), np.full((68, 2), 1e30)):
        pose = estimate_pose(landmarks, CAMERAS["equidistant"])
        assert pose is None or np.all(np.isfinite(pose.translation))
