"""The services analyze and explain, over DDS."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from edan_ros.msg import FaceEmotion
from edan_ros.srv import AnalyzeImage, ExplainFace
from fakes import HAPPY, bright, dark
from probe import Probe
from sensor_msgs.msg import CameraInfo

from edan_ros.explain.explanation import METHODS

ANALYZE, EXPLAIN = "emotion_node/analyze", "emotion_node/explain"


def analyze(probe: Probe, **fields: object) -> AnalyzeImage.Response:
    return probe.call(AnalyzeImage, ANALYZE, AnalyzeImage.Request(**fields))


def explain(probe: Probe, **fields: object) -> ExplainFace.Response:
    """Without ``emotion``: of the one recognised."""
    return probe.call(ExplainFace, EXPLAIN, ExplainFace.Request(**fields))


def test_a_single_image_raw(probe: Probe) -> None:
    message = probe.image(bright())
    answer = analyze(probe, image=message)
    assert (answer.success, answer.message) == (True, "")
    assert answer.result.header == message.header
    (face,) = answer.result.faces
    assert (face.track_id, face.label) == (0, "happy")
    assert not face.head_pose_valid


def test_a_single_image_compressed(probe: Probe) -> None:
    message = probe.compressed(bright())
    answer = analyze(probe, is_compressed=True, compressed_image=message)
    assert answer.success
    assert answer.result.header == message.header
    assert len(answer.result.faces) == 1


def test_no_outage_is_counted_while_the_node_answers_a_service(probe: Probe) -> None:
    probe.answer(probe.image(bright()))
    statistics = probe.node.cameras["camera"].statistics
    statistics.clock = lambda: time.monotonic() + 100.0
    analyze(probe, image=probe.image(bright()))
    assert not statistics.figures().silent
    probe.answer(probe.image(bright()))
    statistics.clock = lambda: time.monotonic() + 200.0
    explain(probe)
    assert not statistics.figures().silent


def test_a_single_image_with_calibration(probe: Probe) -> None:
    info = CameraInfo(width=320, height=240, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = np.array([300.0, 0, 160, 0, 300.0, 120, 0, 0, 1])
    assert (
        analyze(probe, image=probe.image(bright()), camera_info=info)
        .result.faces[0]
        .head_pose_valid
    )
    info.width = 200
    answer = analyze(probe, image=probe.image(bright()), camera_info=info)
    assert not answer.success
    assert "200x240" in answer.message


def test_a_single_image_without_faces(probe: Probe) -> None:
    answer = analyze(probe, image=probe.image(dark()))
    assert answer.success
    assert not answer.result.faces


def test_a_single_image_that_is_invalid(probe: Probe) -> None:
    message = probe.image(bright())
    message.encoding = "bgr9"
    answer = analyze(probe, image=message)
    assert not answer.success
    assert "bgr9" in answer.message
    answer = analyze(probe, is_compressed=True)
    assert not answer.success
    assert "JPEG" in answer.message
    assert analyze(probe, image=probe.image(bright())).success


def test_single_images_do_not_disturb_the_camera(probe: Probe) -> None:
    track = probe.answer(probe.image(bright())).faces[0].track_id
    analyze(probe, image=probe.image(dark(640, 480)))
    assert probe.answer(probe.image(bright())).faces[0].track_id == track


def test_services_report_that_no_model_is_loaded(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(autostart=False)
    for answer in (analyze(probe, image=probe.image(bright())), explain(probe)):
        assert not answer.success
        assert "unconfigured" in answer.message


@pytest.mark.parametrize("method", ["", "gradcam"])
def test_explain_by_the_attention_map(probe: Probe, method: str) -> None:
    message = probe.image(bright())
    face = probe.answer(message).faces[0]
    answer = explain(probe, method=method)
    assert (answer.success, answer.message) == (True, "")
    assert answer.header == message.header
    assert (answer.track_id, answer.emotion) == (face.track_id, HAPPY)
    assert answer.probability == pytest.approx(0.55, abs=0.01)
    # The fake engine's map is one cell below the middle, at the mouth.
    values = np.reshape(answer.map, (answer.map_height, answer.map_width))
    assert values.shape == (8, 8)
    assert np.argwhere(values).tolist() == [[5, 4]]
    assert values[5, 4] == 1.0
    assert answer.regions[0] == "mouth"
    assert sorted(answer.regions) == ["brows", "eyes", "jaw", "mouth", "nose"]
    assert answer.region_shares[0] > 2 * answer.region_chances[0]
    assert sorted(answer.landmarks) == list(range(68))
    assert 48 <= answer.landmarks[0] < 68
    assert sum(answer.landmark_shares) == pytest.approx(1.0, abs=1e-5)
    assert list(answer.landmark_shares) == sorted(answer.landmark_shares, reverse=True)
    assert answer.landmark_chance == pytest.approx(1 / 68)
    assert (answer.overlay.encoding, answer.overlay.width) == ("bgr8", 256)
    assert answer.overlay.header == message.header


def test_the_methods_are_those_of_the_package() -> None:
    request = ExplainFace.Request
    assert (request.METHOD_GRADCAM, request.METHOD_OCCLUSION) == METHODS


def test_explain_another_emotion(probe: Probe) -> None:
    probe.answer(probe.image(bright()))
    answer = explain(probe, emotion=FaceEmotion.SAD)
    assert (answer.success, answer.emotion) == (True, FaceEmotion.SAD)
    assert answer.probability == pytest.approx(0.05, abs=0.01)
    assert not np.any(answer.map)


def test_explain_by_occlusion(probe: Probe) -> None:
    """The engine's probability of 'happy' is made to hang on the lower left of the crop."""
    infer = probe.engine.infer

    def looks_at_the_lower_left(crops: np.ndarray) -> object:
        prediction = infer(crops)
        prediction.logits[:, HAPPY] += 0.05 * (crops[:, 0, 48:, :16].mean(axis=(1, 2)) - 150)
        return prediction

    probe.engine.infer = looks_at_the_lower_left
    pixels = bright()
    pixels[:, 160:] = 120
    probe.answer(probe.image(pixels))
    start = time.process_time()
    answer = explain(probe, method="occlusion")
    assert time.process_time() - start < 2.0
    assert answer.success
    values = np.reshape(answer.map, (answer.map_height, answer.map_width))
    assert values.max() == 1.0
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert row >= 6
    assert column <= 1
    assert not values[:4].any()


@pytest.mark.parametrize("mode", ["blur", "landmarks-only"])
def test_the_image_of_an_explanation_respects_the_privacy_mode(probe: Probe, mode: str) -> None:
    pixels = bright()
    pixels[:, ::4] = 90  # stripes, which no map has
    probe.answer(probe.image(pixels))

    def stripes() -> float:
        answer = explain(probe, emotion=FaceEmotion.SAD)  # its map is empty
        drawn = np.frombuffer(answer.overlay.data, np.uint8).reshape(256, 256, 3)
        # Of each column the middle: the landmarks' lines, which stay, are thin.
        return float(np.median(drawn[64:192, 64:192], axis=0).std())

    assert stripes() > 15
    assert probe.set(annotated_privacy=mode)[0]
    assert stripes() < 5


def test_the_face_in_a_reduced_jpeg_is_blurred_at_its_position(
    make_probe: Callable[..., Probe],
) -> None:
    probe = make_probe(image_transport="compressed", annotated_privacy="blur")
    pixels = bright(1280, 960)
    pixels[160:800, 320:960] = 130  # face and surroundings
    for _ in range(2):  # the second is read by the crop of the first
        probe.answer(probe.compressed(pixels), "image_raw/compressed")
    frame, _ = probe.node.cameras["camera"].last
    assert frame.image.reduction > 1
    answer = explain(probe, emotion=FaceEmotion.SAD)
    drawn = np.frombuffer(answer.overlay.data, np.uint8).reshape(256, 256, 3)
    assert np.median(drawn[64:192, 64:192]) == pytest.approx(130, abs=5)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"camera": "rear"}, "rear"),
        ({"track_id": 99}, "99"),
        ({"method": "astrology"}, "gradcam or occlusion"),
        ({"emotion": 7}, "7"),
    ],
)
def test_explain_a_missing_face(probe: Probe, fields: dict[str, object], word: str) -> None:
    probe.answer(probe.image(bright()))
    answer = explain(probe, **fields)
    assert not answer.success
    assert word in answer.message


def test_explain_before_the_first_face(probe: Probe) -> None:
    assert "no image" in explain(probe).message
    probe.answer(probe.image(dark()))
    assert "no face" in explain(probe).message


def test_explain_the_face_of_a_camera_by_name_and_track(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(cameras=["front", "cabin"])
    probe.offer(probe.image(bright()), "cabin/image_raw", "cabin")
    assert not explain(probe).success
    answer = explain(probe, camera="cabin")
    assert answer.success
    assert explain(probe, camera="cabin", track_id=answer.track_id).track_id == answer.track_id
