"""Messages to records and back, and camera_info in all its forms."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from edan_ros.msg import FaceEmotion, FaceEmotionArray
from geometry_msgs.msg import Vector3
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, UNKNOWN, UNKNOWN_LABEL
from edan_ros.core.eyes import Eyes
from edan_ros.core.faces import CameraModel, Face, FrameResult, HeadPose
from edan_ros.core.head_pose import CameraModelError, fit_camera
from edan_ros.core.images import ImageError
from edan_ros.core.message_fields import camera_model, decode_image
from edan_ros.nodes.common.conversions import (
    MessageError,
    array_message,
    camera_info_message,
    detections,
    face_message,
    frame_result,
    image_message,
    stamp_seconds,
)


def header() -> Header:
    value = Header(frame_id="camera_optical_frame")
    value.stamp.sec, value.stamp.nanosec = 1_700_000_000, 123_456_789
    return value


def some_face(rng: np.random.Generator, **changes: object) -> Face:
    probabilities = rng.dirichlet(np.ones(7))
    emotion = int(probabilities.argmax())
    values = {
        "track_id": int(rng.integers(1, 2**32)),
        "box": Box(9.5, 19.5, 60.0, 70.0),
        "presence": float(rng.random()),
        "landmarks": rng.uniform(-20, 700, (68, 2)).astype(np.float32),
        "emotion": emotion,
        "label": EMOTIONS[emotion],
        "confidence": float(probabilities.max()),
        "probabilities": probabilities,
        "raw_probabilities": rng.dirichlet(np.ones(7)),
        "polarity": 2,
        "polarity_probabilities": rng.dirichlet(np.ones(3)),
        "valence": -0.25,
        "arousal": 0.5,
        "head_pose": HeadPose(rotation_from(rng), rng.normal(size=3)),
        "action_units": {"AU4": 0.25, "AU12": 1.0},
        "emfacs_consistency": 0.75,
        "age": 0.25,
        "eyes": Eyes(
            np.array([0.75, math.nan], np.float32), 1, np.array([0.6, 0.0, -0.8]), 0.25, -0.125
        ),
    }
    return Face(**(values | changes))


def rotation_from(rng: np.random.Generator) -> np.ndarray:
    rotation, _ = cv2.Rodrigues(rng.normal(size=3))
    return rotation


def assert_same_face(found: Face, given_face: Face) -> None:
    """Equal up to single precision, and up to whole pixels in the box."""
    for name in ("track_id", "box", "emotion", "label", "polarity"):
        assert getattr(found, name) == getattr(given_face, name)
    for name in (
        "presence", "landmarks", "confidence", "probabilities", "raw_probabilities",
        "polarity_probabilities", "valence", "arousal",
    ):  # fmt: skip
        assert_allclose(getattr(found, name), getattr(given_face, name), rtol=1e-6, err_msg=name)
    assert found.action_units == pytest.approx(given_face.action_units)
    assert list(found.action_units) == list(given_face.action_units)
    assert (found.emfacs_consistency, found.age) == (0.75, 0.25)
    assert_same_eyes(found.eyes, given_face.eyes)


def assert_same_eyes(found: Eyes, given_eyes: Eyes) -> None:
    assert_allclose(found.openness, given_eyes.openness)
    assert_allclose(found.gaze, given_eyes.gaze)
    assert (found.quality, found.yaw, found.pitch) == (1, 0.25, -0.125)


def over_the_wire(message: FaceEmotionArray) -> FaceEmotionArray:
    return deserialize_message(serialize_message(message), FaceEmotionArray)


@pytest.mark.parametrize("seed", range(5))
def test_faces_survive_the_round_trip(seed: int) -> None:
    rng = np.random.default_rng(seed)
    faces = [some_face(rng) for _ in range(seed)]
    result = FrameResult(faces, 640, 480)
    message = over_the_wire(array_message(result, header()))
    assert message.header == header()
    back = frame_result(message)
    assert (back.width, back.height, len(back.faces)) == (640, 480, seed)
    for found, given_face in zip(back.faces, faces, strict=True):
        assert_same_face(found, given_face)
        assert found.landmarks.shape == (68, 2)
        assert_allclose(found.head_pose.rotation, given_face.head_pose.rotation, atol=1e-12)
        assert_allclose(found.head_pose.translation, given_face.head_pose.translation)


def test_what_is_not_known_stays_unknown() -> None:
    face = some_face(
        np.random.default_rng(0), emotion=UNKNOWN, label=UNKNOWN_LABEL, polarity=255,
        valence=math.nan, arousal=math.nan, emfacs_consistency=math.nan, head_pose=None,
        action_units={}, eyes=None,
    )  # fmt: skip
    message = over_the_wire(array_message(FrameResult([face], 640, 480), header())).faces[0]
    assert message.emotion == FaceEmotion.UNKNOWN
    assert message.polarity == FaceEmotion.POLARITY_UNKNOWN
    assert not message.head_pose_valid
    assert message.head_pose.orientation.w == 1.0
    back = frame_result(FaceEmotionArray(faces=[message], image_width=640, image_height=480))
    assert math.isnan(back.faces[0].valence)
    assert math.isnan(back.faces[0].arousal)
    assert back.faces[0].head_pose is None
    assert back.faces[0].action_units == {}
    assert math.isnan(back.faces[0].emfacs_consistency)
    assert back.faces[0].eyes is None
    assert math.isnan(message.eye_openness[0])
    assert not message.gaze_valid


def test_eyes_without_a_gaze_keep_their_openness() -> None:
    eyes = Eyes(np.array([0.5, 0.25], np.float32), 2)
    face = some_face(np.random.default_rng(0), eyes=eyes)
    message = over_the_wire(array_message(FrameResult([face], 640, 480), header()))
    found = frame_result(message).faces[0].eyes
    assert_allclose(found.openness, eyes.openness)
    assert (found.quality, found.gaze) == (2, None)


def _pose(**quaternion: float) -> Callable[[FaceEmotion], None]:
    def change(face: FaceEmotion) -> None:
        face.head_pose_valid = True
        for name, value in quaternion.items():
            setattr(face.head_pose.orientation, name, value)

    return change


def _put(**fields: object) -> Callable[[FaceEmotion], None]:
    def change(face: FaceEmotion) -> None:
        for name, value in fields.items():
            setattr(face, name, value)

    return change


#: How a face breaks the rules of FaceEmotion.msg -> a word of the error.
BROKEN_FACES: dict[str, tuple[Callable[[FaceEmotion], None], str]] = {
    "a quaternion of huge length": (_pose(w=1e200), "orientation"),
    "a quaternion of no length": (_pose(x=0.0, y=0.0, z=0.0, w=0.0), "orientation"),
    "a quaternion that is not a number": (_pose(y=math.nan), "orientation"),
    "action units without intensities": (_put(action_unit_intensities=array("f")), "intensities"),
    "an intensity out of range": (
        _put(action_units=["AU1"], action_unit_intensities=array("f", [1.5])),
        "action_unit_intensities",
    ),
    "probabilities that are not numbers": (_put(probabilities=[math.nan] * 7), "probabilities"),
    "a negative probability": (_put(raw_probabilities=[-0.5] * 7), "raw_probabilities"),
    "infinite landmarks": (_put(landmarks_x=[math.inf] * 68), "landmarks_x"),
    "a presence that is not a number": (_put(presence=math.nan), "presence"),
    "a valence out of range": (_put(valence=3.0), "valence"),
    "a baseline that is not a number": (_put(baseline_seconds=math.nan), "baseline_seconds"),
    "an age below zero": (_put(age=-0.5), "age"),
    "an emotion without a name": (_put(emotion=7), "emotion"),
    "a polarity without a name": (_put(polarity=3), "polarity"),
    "an openness out of range": (_put(eye_openness=[0.5, 1.5]), "eye_openness"),
    "an eye quality without a name": (_put(eye_quality=9), "eye_quality"),
    "a gaze of no length": (_put(gaze=Vector3()), "gaze"),
    "a gaze that is not a number": (_put(gaze_yaw=math.nan), "gaze_yaw"),
    "an unknown reason without a name": (_put(unknown_reason=200), "unknown_reason"),
}


@pytest.mark.parametrize("case", BROKEN_FACES)
def test_a_face_that_breaks_the_rules_is_refused(case: str) -> None:
    spoil, word = BROKEN_FACES[case]
    faces = [some_face(np.random.default_rng(seed)) for seed in range(2)]
    message = array_message(FrameResult(faces, 640, 480), header())
    assert not frame_result(message).warnings
    spoil(message.faces[1])
    result = frame_result(message)
    assert [face.track_id for face in result.faces] == [faces[0].track_id]
    (warning,) = result.warnings
    assert word in str(warning)
    assert str(faces[1].track_id) in str(warning)
    spoil(message.faces[0])
    with pytest.raises(MessageError, match=word):
        frame_result(message)


def test_an_image_without_a_size_is_refused() -> None:
    with pytest.raises(MessageError, match="size"):
        frame_result(FaceEmotionArray(image_width=640))


def test_more_faces_than_any_node_publishes_are_refused() -> None:
    faces = [FaceEmotion()] * 257
    with pytest.raises(MessageError, match="257"):
        frame_result(FaceEmotionArray(image_width=640, image_height=480, faces=faces))
    with pytest.raises(MessageError, match="257"):
        detections(FaceEmotionArray(faces=faces))


def test_boxes_need_no_more_than_regions_with_a_presence() -> None:
    face = FaceEmotion(presence=0.5)
    face.roi.x_offset, face.roi.width, face.roi.height = 10, 20, 30
    (found,) = detections(FaceEmotionArray(faces=[face]))
    assert (found.box, found.score) == (Box(9.5, -0.5, 20.0, 30.0), 0.5)
    face.presence = math.nan
    with pytest.raises(MessageError, match="presence"):
        detections(FaceEmotionArray(faces=[face]))


side = st.floats(-2000.0, 2000.0)
extent = st.floats(0.0, 3000.0)


@given(x=side, y=side, width=extent, height=extent)
def test_roi_covers_the_box_inside_the_image(
    x: float, y: float, width: float, height: float
) -> None:
    face = some_face(np.random.default_rng(0), box=Box(x, y, width, height))
    roi = face_message(face, 640, 480).roi
    assert roi.x_offset + roi.width <= 640
    assert roi.y_offset + roi.height <= 480
    inside = Box(x + 0.5, y + 0.5, width, height).clipped(640, 480)
    assert roi.x_offset <= inside.x
    assert roi.x_offset + roi.width >= inside.x + inside.width
    assert roi.width <= inside.width + 2
    assert not roi.do_rectify


@pytest.mark.parametrize(
    ("left", "right", "offset", "width"),
    [(10.0, 20.0, 10, 11), (600.0, 639.0, 600, 40), (-30.0, -0.2, 0, 1), (9.6, 20.4, 10, 11)],
)
def test_roi_holds_every_pixel_that_is_touched(
    left: float, right: float, offset: int, width: int
) -> None:
    """Pixels reach half to either side of their centres, which are at integers."""
    face = some_face(np.random.default_rng(0), box=Box(left, 50.0, right - left, 50.0))
    roi = face_message(face, 640, 480).roi
    assert (roi.x_offset, roi.width) == (offset, width)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_pixels_survive_the_round_trip(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    message = image_message(pixels, header())
    assert (message.width, message.height) == (6, 4)
    assert message.step == pixels.strides[0]
    assert message.header == header()
    assert_array_equal(decode_image(message).pixels, pixels)


def test_pixels_that_are_a_view_are_packed() -> None:
    pixels = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)[:, ::2]
    message = image_message(pixels, header())
    assert message.step == 12
    assert_array_equal(decode_image(message).pixels, pixels)


def test_decode_takes_both_kinds_of_message() -> None:
    pixels = np.full((16, 16, 3), 128, np.uint8)
    _, png = cv2.imencode(".png", pixels)
    compressed = CompressedImage(format="png", data=png.tobytes())
    assert_array_equal(decode_image(compressed).pixels, pixels)
    raw = ImageMessage(width=2, height=2, step=2, encoding="mono8", data=bytes([1, 2, 3, 4]))
    assert_array_equal(decode_image(raw).pixels, [[1, 2], [3, 4]])
    raw.encoding = "no_such"
    with pytest.raises(ImageError):
        decode_image(raw)


def test_stamp_in_seconds() -> None:
    assert stamp_seconds(header()) == pytest.approx(1_700_000_000.123456789, abs=1e-6)
    assert stamp_seconds(Header()) == 0.0


def info(**changes: object) -> CameraInfo:
    """640x480, focal lengths 500 and 510, centre (320, 240), a little distortion."""
    message = CameraInfo(width=640, height=480, distortion_model="plumb_bob")
    message.d = [0.1, -0.2, 0.001, 0.002, 0.0]
    message.k = np.array([500.0, 0, 320, 0, 510, 240, 0, 0, 1])
    message.p = np.array([480.0, 0, 318, 0, 0, 490, 238, 0, 0, 0, 1, 0])
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_camera_info_as_it_is() -> None:
    camera = camera_model(info())
    assert (camera.width, camera.height, camera.model) == (640, 480, "plumb_bob")
    assert_allclose(camera.K, [[500, 0, 320], [0, 510, 240], [0, 0, 1]])
    assert_allclose(camera.D, [0.1, -0.2, 0.001, 0.002, 0.0])


def test_camera_info_of_rectified_images_has_no_distortion() -> None:
    camera = camera_model(info(distortion_model="no_such"), rectified=True)
    assert_allclose(camera.K, [[480, 0, 318], [0, 490, 238], [0, 0, 1]])
    assert not camera.D.any()


@pytest.mark.parametrize("rectified", [False, True])
def test_camera_info_round_trip(rectified: bool) -> None:
    """A calibration published by the camera node is the one that the emotion node reads."""
    matrix = np.array([[500.0, 0, 321], [0, 510, 239], [0, 0, 1]])
    camera = CameraModel(640, 480, matrix, np.array([0.1, -0.2, 0.0, 0.0, 0.05]), "plumb_bob")
    back = camera_model(camera_info_message(camera, Header(frame_id="front")), rectified=rectified)
    assert back is not None
    assert (back.width, back.height, back.model) == (640, 480, "plumb_bob")
    np.testing.assert_array_equal(back.K, matrix)
    np.testing.assert_array_equal(back.D, [] if rectified else camera.D)


def test_camera_info_with_binning_and_region() -> None:
    message = info(binning_x=2, binning_y=2)
    message.roi.x_offset, message.roi.y_offset = 100, 40
    message.roi.width, message.roi.height = 400, 200
    camera = camera_model(message)
    assert (camera.width, camera.height) == (200, 100)
    # Focal lengths halve. Centre: (320 - 100 + 0.5) / 2 - 0.5, (240 - 40 + 0.5) / 2 - 0.5.
    assert_allclose(camera.K, [[250, 0, 109.75], [0, 255, 99.75], [0, 0, 1]])
    assert_allclose(message.k[:3], [500, 0, 320])


def test_camera_info_without_calibration_gives_none() -> None:
    assert camera_model(CameraInfo(width=640, height=480)) is None
    assert camera_model(info(p=np.zeros(12)), rectified=True) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"binning_x": 641},
        {"binning_y": 2**32 - 1},
        {"width": 0, "height": 0, "binning_x": 2},
        {"k": np.array([math.inf, 0, 320, 0, 510, 240, 0, 0, 1])},
        {"k": np.array([500.0, 0, math.nan, 0, 510, 240, 0, 0, 1])},
        {"k": np.array([500.0, 0, 320, 0, -510, 240, 0, 0, 1])},
    ],
)
def test_a_calibration_that_no_camera_has_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CameraModelError, match="camera_info"):
        camera_model(info(**changes))


def test_an_image_without_pixels_fits_no_calibration() -> None:
    with pytest.raises(CameraModelError, match="0x0"):
        fit_camera(camera_model(info()), 0, 0)


@pytest.mark.parametrize("changes", [{"distortion_model": "barrel"}, {"d": [0.1] * 3}])
def test_camera_info_that_cannot_be_used(changes: dict[str, object]) -> None:
    with pytest.raises(CameraModelError, match="distortion model"):
        camera_model(info(**changes))
