"""Images in, arrays out, over DDS: headers, empty arrays, transports, several cameras."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from edan_ros.msg import FaceEmotion, FaceEmotionArray, ModelInfo
from fakes import bright, dark
from probe import Probe, wait_for
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMessage

from edan_ros.core.emotions import EMOTIONS
from edan_ros.nodes.common import qos


def test_a_face_comes_back_with_the_header_of_its_image(probe: Probe) -> None:
    array = probe.answer(probe.image(bright()))
    assert (array.image_width, array.image_height) == (320, 240)
    (face,) = array.faces
    assert (face.emotion, face.label) == (FaceEmotion.HAPPY, "happy")
    assert face.confidence == pytest.approx(0.55, abs=0.01)
    assert face.track_id > 0
    # The detector's box is the tight box of the landmarks: 80 x 80 in the middle, mean-shaped.
    assert (face.roi.width + face.roi.height) / 2 == pytest.approx(80, abs=2)
    assert face.roi.x_offset + face.roi.width / 2 == pytest.approx(160, abs=1)
    assert np.ptp(face.landmarks_x) == pytest.approx(face.roi.width, abs=2)
    assert not face.head_pose_valid


def test_an_image_without_faces_gives_an_empty_array(probe: Probe) -> None:
    for _ in range(3):
        assert not probe.answer(probe.image(dark())).faces
    assert len(probe.answer(probe.image(bright())).faces) == 1
    assert not probe.answer(probe.image(dark())).faces


@pytest.mark.parametrize("offered", qos.RELIABILITIES)
@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_every_transport_and_reliability(
    make_probe: Callable[..., Probe], transport: str, offered: str
) -> None:
    probe = make_probe(image_transport=transport, image_reliability=offered)
    for _ in range(3):
        if transport == "raw":
            array = probe.answer(probe.image(bright()), reliability=offered)
        else:
            message = probe.compressed(bright())
            array = probe.answer(message, "image_raw/compressed", reliability=offered)
        assert len(array.faces) == 1


def test_best_effort_takes_images_of_a_reliable_camera(probe: Probe) -> None:
    assert probe.answer(probe.image(bright()), reliability="reliable").faces


def test_an_id_is_kept_from_image_to_image(probe: Probe) -> None:
    ids = {probe.answer(probe.image(bright())).faces[0].track_id for _ in range(5)}
    assert len(ids) == 1


def test_several_cameras_share_a_batch_but_no_tracks(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(cameras=["front", "cabin"])
    front: list[FaceEmotionArray] = []
    cabin: list[FaceEmotionArray] = []
    probe.listen(FaceEmotionArray, "front/faces", front)
    probe.listen(FaceEmotionArray, "cabin/faces", cabin)
    probe.publish(probe.image(bright()), "front/image_raw")
    probe.publish(probe.image(dark()), "cabin/image_raw")
    wait_for(lambda: front and cabin, "both cameras")
    assert [len(front[0].faces), len(cabin[0].faces)] == [1, 0]
    # While the engine is held, an image of each camera comes; both are worked on together.
    probe.engine.batches.clear()
    probe.engine.gate.clear()
    probe.publish(probe.image(bright()), "front/image_raw")
    wait_for(lambda: probe.engine.runs == 2, "the image to be at work")
    for camera in ("front", "cabin"):
        probe.receive(probe.image(bright()), f"{camera}/image_raw", camera)
    probe.engine.gate.set()
    wait_for(lambda: len(cabin) == 2 and len(front) == 3, "both cameras again")
    assert probe.engine.batches == [1, 2]
    ids = [front[-1].faces[0].track_id, cabin[-1].faces[0].track_id]
    assert front[0].faces[0].track_id == ids[0] != ids[1]
    assert not probe.arrays


def test_only_the_newest_image_waits_and_drops_are_counted(probe: Probe) -> None:
    probe.answer(probe.image(bright()))
    probe.engine.gate.clear()
    messages = [probe.image(bright()) for _ in range(6)]
    probe.publish(messages[0])
    wait_for(lambda: probe.engine.runs == 2, "the first image to be at work")
    for message in messages[1:]:
        probe.receive(message)
    probe.engine.gate.set()
    wait_for(lambda: len(probe.arrays) == 3, "the first and the newest image")
    assert [a.header for a in probe.arrays[1:]] == [messages[0].header, messages[-1].header]
    values = probe.values()
    assert values["images_received"] == "7"
    assert values["images_processed"] == "3"
    assert values["images_dropped"] == "4"


def look(probe: Probe) -> Callable[[np.ndarray], ImageMessage]:
    """Subscribe to the annotated images; what is returned gives that of an image."""
    seen: list[ImageMessage] = []
    probe.listen(ImageMessage, "faces/annotated", seen, qos.images("reliable"))
    publisher = probe.node.cameras["camera"].annotated
    wait_for(publisher.get_subscription_count, "the subscription to be known")

    def annotated(pixels: np.ndarray) -> ImageMessage:
        header = probe.answer(probe.image(pixels)).header
        return wait_for(lambda: next((p for p in seen if p.header == header), None), "its picture")

    return annotated


def pixels_of(drawn: ImageMessage) -> np.ndarray:
    return np.frombuffer(drawn.data, np.uint8).reshape(240, 320, 3).astype(int)


def test_annotated_images_only_for_subscribers(probe: Probe) -> None:
    probe.answer(probe.image(bright()))
    assert probe.me.count_publishers("faces/annotated") == 1
    assert probe.node.cameras["camera"].annotated.get_subscription_count() == 0
    drawn = look(probe)(bright())
    assert (drawn.width, drawn.height, drawn.encoding) == (320, 240, "bgr8")
    assert drawn.header.frame_id == "front_optical"
    assert (pixels_of(drawn) != 200).any()


def test_the_attention_map_is_drawn_while_enabled(probe: Probe) -> None:
    annotated = look(probe)
    plain = pixels_of(annotated(bright()))
    assert probe.set(attention_overlay=True)[0]
    hot = pixels_of(annotated(bright()))
    assert probe.set(attention_overlay=False)[0]
    assert np.array_equal(pixels_of(annotated(bright())), plain)
    # The fake engine's map is one cell, to the lower right of the middle of the face.
    changed = np.argwhere((plain != hot).any(axis=2))
    assert len(changed) > 50
    y, x = changed.mean(axis=0)
    assert 121 < y < 150
    assert 161 < x < 180


def test_the_annotated_topic_shows_no_more_of_people_than_is_allowed(probe: Probe) -> None:
    annotated = look(probe)
    stripes = bright()
    stripes[:, ::8] = 0

    def detail(drawn: ImageMessage) -> int:
        """The largest step between neighbours where the fake face is, beside what is drawn."""
        part = pixels_of(drawn)[112:118, 150:154]
        return int(np.abs(np.diff(part, axis=1)).max())

    assert detail(annotated(stripes)) == 200
    assert probe.set(annotated_privacy="blur")[0]
    assert detail(annotated(stripes)) < 60
    assert probe.set(annotated_privacy="landmarks-only")[0]
    assert np.unique(pixels_of(annotated(stripes))[-20:]).size == 1
    good, why = probe.set(annotated_privacy="mosaic")
    assert not good
    assert "none, blur, landmarks-only" in why


def test_model_info_reaches_a_late_subscriber(probe: Probe) -> None:
    infos: list[ModelInfo] = []
    probe.listen(ModelInfo, "model_info", infos, qos.LATCHED)
    wait_for(lambda: infos, "the latched message")
    assert (infos[0].name, infos[0].engine, infos[0].device) == ("fake", "fake", "cpu")
    assert list(infos[0].labels) == list(EMOTIONS)
    assert infos[0].input_size == 64
    assert len(infos[0].sha256) == 64


def calibration(width: int, height: int) -> CameraInfo:
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = np.array([300.0, 0, width / 2, 0, 300.0, height / 2, 0, 0, 1])
    return info


def test_camera_info_gives_the_head_pose(probe: Probe) -> None:
    probe.publish(calibration(320, 240), "camera_info")
    face = wait_for(
        lambda: next(
            (f for f in probe.answer(probe.image(bright())).faces if f.head_pose_valid), None
        ),
        "a head pose",
    )
    position = face.head_pose.position
    # A face of 80 px at a focal length of 300 px is some 0.15 m * 300 / 80 away, in the middle.
    assert 0.3 < position.z < 0.9
    assert abs(position.x) < 0.05
    assert probe.values()["camera_info"] == "of 320x240"


def test_camera_info_is_expected_next_to_a_remapped_image(
    make_probe: Callable[..., Probe],
) -> None:
    node = {"cli_args": ["--ros-args", "-r", "image_raw:=/cam/left/image"]}
    probe = make_probe(node=node)
    assert probe.answer(probe.image(bright()), "/cam/left/image").faces
    assert probe.me.count_subscribers("/cam/left/camera_info") == 1


def test_boxes_from_a_topic(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(detector="topic", boxes_of="landmarks")
    assert not probe.answer(probe.image(bright())).faces
    boxes = FaceEmotionArray(faces=[FaceEmotion(presence=0.9)])
    roi = boxes.faces[0].roi
    roi.x_offset, roi.y_offset, roi.width, roi.height = 40, 60, 50, 50
    probe.publish(boxes, "boxes")
    face = wait_for(
        lambda: next(iter(probe.answer(probe.image(bright())).faces), None), "a face in the box"
    )
    assert face.roi.x_offset + face.roi.width / 2 == pytest.approx(65, abs=2)
    assert face.roi.y_offset + face.roi.height / 2 == pytest.approx(85, abs=2)
