"""The pipeline on synthetic scenes: when detection runs, reported faces, state over time."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import LOGIT, Disc, DiscDetector, DiscEngine, landmarks_of, scene

from edan_ros.core.action_units import ACTION_UNITS
from edan_ros.core.boxes import Box
from edan_ros.core.emotions import POLARITY_UNKNOWN, UNKNOWN, UNKNOWN_REASONS
from edan_ros.core.faces import CameraModel, Detection, FrameResult
from edan_ros.core.head_pose import FACE_POINTS, POSE_LANDMARKS
from edan_ros.core.images import Image, decode_raw
from edan_ros.core.settings import from_values
from edan_ros.core.smoothing import SmoothingConfig
from edan_ros.detection.external_boxes import ExternalBoxes
from edan_ros.detection.full_frame import FullFrame
from edan_ros.pipeline.config import PipelineConfig
from edan_ros.pipeline.pipeline import Pipeline

STEP = 1 / 30
NEUTRAL, HAPPY, SAD = 120, 170, 230
#: Softmax of one logit of 4 among seven.
SURE = math.exp(LOGIT) / (math.exp(LOGIT) + 6)


def made(**changes) -> tuple[Pipeline, DiscDetector, DiscEngine]:
    detector, engine = DiscDetector(), DiscEngine()
    return Pipeline(detector, engine, PipelineConfig(**changes)), detector, engine


def ids(result: FrameResult) -> list[int]:
    return [face.track_id for face in result.faces]


def test_a_face_is_detected_aligned_and_recognised() -> None:
    pipeline, _, _ = made()
    disc = Disc(200.3, 150.8, 80, HAPPY)
    result = pipeline.process(scene([disc]), 10.0)
    assert (result.width, result.height, result.detected) == (640, 480, True)
    (face,) = result.faces
    assert np.abs(face.landmarks - landmarks_of(disc)).max() < 1.5
    assert face.landmarks.dtype == np.float32
    assert face.box.iou(Box.from_landmarks(landmarks_of(disc))) > 0.95
    assert (face.emotion, face.label, face.track_id) == (1, "happy", 1)
    assert face.confidence == pytest.approx(SURE)
    assert face.raw_probabilities == pytest.approx([*[(1 - SURE) / 6], SURE, *[(1 - SURE) / 6] * 5])
    assert face.polarity == 1
    assert face.valence > 0.5
    assert face.presence == pytest.approx(0.95)
    assert face.attention is not None
    assert face.attention.shape == (7, 8, 8)
    assert set(result.timings_ms) == {"detect", "crop", "infer", "track", "smooth"}
    assert all(v >= 0 for v in result.timings_ms.values())


def test_the_temperature_of_the_model_is_applied() -> None:
    pipeline, _, engine = made()
    engine.temperature = 2.0
    (face,) = pipeline.process(scene([Disc(200, 150)]), 0.0).faces
    assert face.confidence == pytest.approx(math.exp(2) / (math.exp(2) + 6))


def test_the_detector_runs_on_every_nth_image_while_all_are_tracked() -> None:
    pipeline, detector, _ = made(detection_interval=5)
    detected = [
        pipeline.process(scene([Disc(200 + 3 * i, 150)]), i * STEP).detected for i in range(16)
    ]
    assert [i for i, d in enumerate(detected) if d] == [0, 5, 10, 15]
    assert detector.calls == 4


def test_fast_faces_bring_the_next_detection_forward() -> None:
    """At 12 pixels per image a face of 80 moves half its size in little more than 3 images."""
    pipeline, _, _ = made(detection_interval=30)
    detected = [
        pipeline.process(scene([Disc(60 + 12 * i, 150)]), i * STEP).detected for i in range(40)
    ]
    detections = [i for i, d in enumerate(detected) if d]
    assert detections[0] == 0
    assert all(3 <= b - a <= 5 for a, b in pairwise(detections[1:]))
    assert len(detections) >= 8


def test_under_overload_detection_runs_less_often() -> None:
    pipeline, detector, _ = made(detection_interval=4)
    frames = [[("camera", scene([Disc(200 + i, 150)]), i * STEP, None)] for i in range(48)]
    for frame in frames[:24]:
        pipeline.process_batch(frame)
    assert detector.calls == 6
    for frame in frames[24:]:
        assert ids(pipeline.process_batch(frame, overloaded=True)[0]) == [1]
    assert detector.calls == 8


def test_under_overload_detection_for_lost_faces_runs_on_every_third_image() -> None:
    pipeline, detector, _ = made()
    pipeline.process(scene([Disc(200, 150)]), 0.0)
    for i in range(1, 13):
        pipeline.process_batch([("camera", scene([]), i * STEP, None)], overloaded=True)
    assert detector.calls == 5
    assert pipeline.process_batch([("new", scene([]), 0.0, None)], overloaded=True)[0].detected


def test_large_faces_allow_a_shrunk_image_until_the_next_detection() -> None:
    """A face of 240 has a crop of 312: 4 pixels for each of the model's 64, not 8."""
    pipeline, _, _ = made(detection_interval=4)
    allowed = []
    for i in range(9):
        allowed.append(pipeline.reduction("camera", i * STEP))
        result = pipeline.process(scene([Disc(320, 240, 240)]), i * STEP)
        assert not (result.detected and allowed[-1] > 1)
    assert allowed == [1, 4, 4, 4, 1, 4, 4, 4, 1]
    assert pipeline.reduction("camera", 1e6) == 1
    assert pipeline.reduction("another", 0.0) == 1
    pipeline.process(scene([]), 9 * STEP)
    assert pipeline.reduction("camera", 10 * STEP) == 1


def test_an_image_decoded_for_tracking_alone_is_not_searched() -> None:
    """The decision about detection is made once per image, before it is decoded."""
    pipeline, _, _ = made(detection_interval=4)
    image = scene([Disc(320, 240, 240)])
    for i in range(2):
        pipeline.process(image, i * STEP)
    assert pipeline.reduction("camera", 2 * STEP) == 4
    pipeline.config = PipelineConfig(detection_interval=1)
    assert not pipeline.process(image, 2 * STEP).detected
    assert pipeline.reduction("camera", 3 * STEP) == 1
    assert pipeline.process(image, 3 * STEP).detected


def test_the_smallest_face_limits_the_reduction() -> None:
    pipeline, _, _ = made()
    for i in range(2):
        pipeline.process(scene([Disc(450, 240, 240), Disc(120, 100, 60)]), i * STEP)
    assert pipeline.reduction("camera", 2 * STEP) == 1


def test_the_detector_runs_on_every_image_without_a_face() -> None:
    pipeline, detector, engine = made()
    for i in range(10):
        result = pipeline.process(scene([]), i * STEP)
        assert result.faces == []
        assert (result.width, result.height) == (640, 480)
    assert detector.calls == 10
    assert engine.batches == []


def test_a_covered_face_disappears_at_once_and_keeps_its_id() -> None:
    pipeline, detector, _ = made(detection_interval=100)
    for i in range(5):
        pipeline.process(scene([Disc(200, 150)]), i * STEP)
    assert detector.calls == 1
    for i in range(5, 20):
        assert pipeline.process(scene([]), i * STEP).faces == []
    assert detector.calls == 15  # from the image after the loss on
    assert ids(pipeline.process(scene([Disc(210, 155)]), 20 * STEP)) == [1]


def test_a_new_face_is_found_at_the_next_detection_and_listed_last() -> None:
    pipeline, _, engine = made(detection_interval=4)
    old, new = Disc(400, 150), Disc(150, 300, 60, SAD)
    found = [ids(pipeline.process(scene([old]), 0.0))]
    found += [ids(pipeline.process(scene([new, old]), i * STEP)) for i in range(1, 6)]
    assert found == [[1], [1], [1], [1], [1, 2], [1, 2]]
    assert engine.batches == [1, 1, 1, 1, 2, 2]


def test_a_detection_of_low_presence_is_not_reported() -> None:
    pipeline, detector, _ = made(detection_interval=1)
    wrong = Detection(Box(100, 100, 80, 80), 0.99)
    detector.detect = lambda _: [wrong]
    assert pipeline.process(scene([Disc(400, 300)]), 0.0).faces == []


def test_the_configured_presence_threshold_overrides_the_models() -> None:
    pipeline, _, engine = made()
    engine.presence_threshold = 0.99
    assert pipeline.process(scene([Disc(200, 150)]), 0.0).faces == []
    pipeline.config = PipelineConfig(presence_threshold=0.5)
    assert len(pipeline.process(scene([Disc(200, 150)]), STEP).faces) == 1


def test_probabilities_are_smoothed_and_raw_ones_are_not() -> None:
    pipeline, _, _ = made(smoothing=SmoothingConfig(time_constant=0.5))
    pipeline.process(scene([Disc(200, 150, 80, NEUTRAL)]), 0.0)
    (face,) = pipeline.process(scene([Disc(200, 150, 80, HAPPY)]), 0.1).faces
    weight = 1 - math.exp(-0.2)
    low = (1 - SURE) / 6
    assert face.probabilities[1] == pytest.approx(low + weight * (SURE - low))
    assert face.raw_probabilities[1] == pytest.approx(SURE)
    assert face.label == "neutral"
    (face,) = pipeline.process(scene([Disc(200, 150, 80, HAPPY)]), 1.5).faces
    assert face.label == "happy"


def test_configuration_changes_take_effect_on_the_next_image() -> None:
    pipeline, _, _ = made()
    assert pipeline.process(scene([Disc(200, 150)]), 0.0).faces[0].emotion == 0
    pipeline.config = PipelineConfig(smoothing=SmoothingConfig(confidence_threshold=1.0))
    (face,) = pipeline.process(scene([Disc(200, 150)]), 0.5).faces
    assert (face.emotion, face.label, face.polarity) == (UNKNOWN, "unknown", POLARITY_UNKNOWN)
    assert not math.isnan(face.valence)


def turned(landmarks: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """Return the landmarks of a head rotated sideways or up, seen from far away."""
    out = landmarks.copy()
    center = landmarks[27]
    scale = np.hypot(*(landmarks[45] - landmarks[36])) / 0.09
    forward, left, up = FACE_POINTS.T
    ahead = forward * math.cos(pitch) - up * math.sin(pitch)
    above = forward * math.sin(pitch) + up * math.cos(pitch)
    x = left * math.cos(yaw) + ahead * math.sin(yaw)
    out[list(POSE_LANDMARKS)] = center + scale * np.column_stack([x, -above])
    return out


@pytest.mark.parametrize("sideways", [True, False])
def test_a_head_turned_too_far_is_unknown_until_it_turns_back(sideways: bool) -> None:
    pipeline, _, engine = made(max_yaw=30.0, max_pitch=30.0)
    angle, infer = [0.0], engine.infer

    def infer_turned(crops: np.ndarray):
        output = infer(crops)
        yaw, pitch = (angle[0], 0.0) if sideways else (0.0, angle[0])
        landmarks = np.array([turned(p, yaw, pitch) for p in output.landmarks], np.float32)
        return replace(output, landmarks=landmarks)

    engine.infer = infer_turned
    labels, reasons = [], []
    for i, degrees in enumerate([0, 25, 36, 28, 20, 0]):
        angle[0] = math.radians(degrees)
        (face,) = pipeline.process(scene([Disc(320, 240)]), i * 0.6).faces
        labels.append(face.label)
        reasons.append(UNKNOWN_REASONS[face.unknown_reason])
        assert math.isnan(face.valence) == (face.label == "unknown")
        assert (face.action_units == {}) == (face.label == "unknown")
        assert math.isnan(face.emfacs_consistency) == (face.label == "unknown")
    assert labels == ["neutral", "neutral", "unknown", "unknown", "neutral", "neutral"]
    assert reasons == ["", "", "turned_away", "turned_away", "", ""]


def test_a_widening_mouth_raises_an_action_unit() -> None:
    """One second of the mean face, then its mouth corners moved outwards and up."""
    pipeline, _, engine = made()
    infer = engine.infer
    smiling = False

    def infer_mouth(crops: np.ndarray):
        output = infer(crops)
        if smiling:
            output.landmarks[:, [48, 60], :] += np.array([-4.0, -3.0], np.float32)
            output.landmarks[:, [54, 64], :] += np.array([4.0, -3.0], np.float32)
        return output

    engine.infer = infer_mouth
    smile = []
    for i in range(60):
        smiling = i >= 30
        (face,) = pipeline.process(scene([Disc(320, 240)]), i * STEP).faces
        smile.append(face.action_units["AU12"])
    assert tuple(face.action_units) == ACTION_UNITS
    assert max(smile[:30]) < 0.3
    assert smile[-1] > max(smile[:30]) + 0.3


CAMERA = CameraModel(
    640, 480, np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]), np.zeros(5), "plumb_bob"
)


def test_head_pose_with_a_camera_model_is_metric() -> None:
    """The disc of 120 px: outer eye corners 90 mm apart give its distance at f = 600."""
    pipeline, _, _ = made()
    disc = Disc(320, 240, 120)
    (face,) = pipeline.process(scene([disc]), 0.0, CAMERA).faces
    assert not face.head_pose_assumed_lens
    corners = landmarks_of(disc)[[36, 45]]
    expected = 600 * 0.09 / np.hypot(*(corners[1] - corners[0]))
    assert face.head_pose.translation[2] == pytest.approx(expected, rel=0.06)


def test_head_pose_without_a_camera_model_is_flagged_as_assumed() -> None:
    """The assumed focal length is the width, 640 pixels."""
    pipeline, _, _ = made()
    disc = Disc(320, 240, 120)
    (face,) = pipeline.process(scene([disc]), 0.0).faces
    assert face.head_pose_assumed_lens
    corners = landmarks_of(disc)[[36, 45]]
    expected = 640 * 0.09 / np.hypot(*(corners[1] - corners[0]))
    assert face.head_pose.translation[2] == pytest.approx(expected, rel=0.06)
    assert abs(face.head_pose.yaw) < math.radians(5)


def test_camera_info_of_another_shape_is_ignored_with_a_warning() -> None:
    pipeline, _, _ = made()
    wide = CameraModel(640, 360, CAMERA.K, CAMERA.D)
    result = pipeline.process(scene([Disc(320, 240)]), 0.0, wide)
    assert result.faces[0].head_pose_assumed_lens
    assert [r.reason for r in result.warnings] == ["camera_info"]
    half = scene([Disc(160, 120, 60)], 320, 240)
    result = pipeline.process(half, 0.0, CAMERA, "other")
    assert not result.faces[0].head_pose_assumed_lens
    assert result.warnings == []


def test_warnings_about_the_image_are_passed_on() -> None:
    pipeline, _, _ = made()
    image = decode_raw(bytes(1), 1, 1, 1, "mono8")
    result = pipeline.process(image, 0.0)
    assert [r.reason for r in result.warnings] == ["tiny_image"]
    assert result.faces == []


def test_cameras_have_separate_states_and_share_a_batch() -> None:
    pipeline, _, engine = made()
    frames = [
        ("front", scene([Disc(200, 150, 80, HAPPY)]), 5.0, None),
        ("cabin", scene([Disc(200, 150, 80, SAD), Disc(450, 300)]), 99.0, None),
        ("empty", scene([]), 7.0, None),
    ]
    first = pipeline.process_batch(frames)
    assert [ids(r) for r in first] == [[1], [2, 3], []]
    assert [f.label for r in first for f in r.faces] == ["happy", "sad", "neutral"]
    assert engine.batches == [3]
    later = [(k, image, stamp + STEP, c) for k, image, stamp, c in frames]
    assert [ids(r) for r in pipeline.process_batch(later)] == [[1], [2, 3], []]
    pipeline.reset("cabin")
    again = [(k, image, stamp + 2 * STEP, c) for k, image, stamp, c in frames]
    assert [ids(r) for r in pipeline.process_batch(again)] == [[1], [4, 5], []]
    pipeline.reset()
    assert [ids(r) for r in pipeline.process_batch(again)] == [[6], [7, 8], []]
    assert pipeline.process_batch([]) == []
    with pytest.raises(ValueError, match="one image of each camera"):
        pipeline.process_batch([frames[0], frames[0]])


def test_one_image_with_a_wrong_stamp_does_not_affect_the_next() -> None:
    pipeline, _, _ = made()
    image = scene([Disc(200, 150)])
    for i in range(3):
        assert ids(pipeline.process(image, 100 + i * STEP)) == [1]
    wrong = pipeline.process(image, 0.0)
    assert len(wrong.faces) == 1
    assert ids(wrong) != [1]
    assert [r.reason for r in wrong.warnings] == ["stamp"]
    after = pipeline.process(image, 100 + 4 * STEP)
    assert ids(after) == [1]
    assert after.warnings == []


def test_identities_survive_images_out_of_order() -> None:
    """A best-effort network occasionally swaps two images."""
    pipeline, _, _ = made()
    image = scene([Disc(200, 150)])
    order = [0, 1, 2, 3, 2, 4, 5, 6, 5, 7, 8]
    found = [ids(pipeline.process(image, 1.0 + i * STEP)) for i in order]
    out_of_order = [4, 8]
    assert [each for i, each in enumerate(found) if i not in out_of_order] == [[1]] * 9


def test_a_recovered_face_has_its_present_emotion() -> None:
    """Of the probabilities before 0.9 s of absence, smoothing over 0.4 s keeps a tenth."""
    pipeline, _, _ = made()
    for i in range(30):
        pipeline.process(scene([Disc(200, 150, 80, NEUTRAL)]), i * STEP)
    for i in range(30, 57):
        pipeline.process(scene([]), i * STEP)
    (face,) = pipeline.process(scene([Disc(200, 150, 80, HAPPY)]), 57 * STEP).faces
    assert face.track_id == 1
    gone = 1.0 - math.exp(-28 * STEP / SmoothingConfig().time_constant)
    other = (1 - SURE) / 6
    assert face.probabilities[1] == pytest.approx(other + gone * (SURE - other), abs=0.01)


def test_stamps_that_go_back_reset_the_tracks() -> None:
    """A bag played in a loop: new ids, and smoothing without the old images."""
    pipeline, _, _ = made(smoothing=SmoothingConfig(time_constant=10.0))
    for i in range(3):
        pipeline.process(scene([Disc(200, 150, 80, SAD)]), 100 + i * STEP)
    happy = scene([Disc(200, 150, 80, HAPPY)])
    (face,) = pipeline.process(happy, 50.0).faces
    assert (face.track_id, face.label) == (2, "happy")
    assert ids(pipeline.process(happy, 50.0 + STEP)) == [2]
    assert ids(pipeline.process(happy, 50.0 + 60.0)) == [3]


def test_emotions_change_with_stamps_that_are_not_set() -> None:
    pipeline, _, _ = made()
    pipeline.process(scene([Disc(200, 150, 80, SAD)]), 0.0)
    for _ in range(60):
        (face,) = pipeline.process(scene([Disc(200, 150, 80, HAPPY)]), 0.0).faces
    assert (face.track_id, face.label) == (1, "happy")


def test_analyze_has_no_state_and_assigns_no_ids() -> None:
    pipeline, _, _ = made()
    image = scene([Disc(200, 150, 80, SAD), Disc(450, 300, 60, HAPPY)])
    for _ in range(2):
        result = pipeline.analyze(image, CAMERA)
        assert sorted(f.label for f in result.faces) == ["happy", "sad"]
        assert ids(result) == [0, 0]
        assert not any(f.head_pose_assumed_lens for f in result.faces)
    assert ids(pipeline.process(image, 0.0)) == [1, 2]


def test_external_boxes_belong_to_their_camera() -> None:
    boxes = {"a": ExternalBoxes(), "b": ExternalBoxes()}
    pipeline = Pipeline(boxes, DiscEngine(), PipelineConfig(detection_interval=100))
    image = scene([Disc(200, 150)])
    boxes["a"].feed([Detection(Box(160, 100, 80, 105), 0.9)])
    frames = [("a", image, 0.0, None), ("b", image, 0.0, None)]
    assert [len(r.faces) for r in pipeline.process_batch(frames)] == [1, 0]
    boxes["b"].feed([Detection(Box(160, 100, 80, 105), 0.9)])
    frames = [("a", image, STEP, None), ("b", image, STEP, None)]
    assert [ids(r) for r in pipeline.process_batch(frames)] == [[1], [2]]


def test_full_frame_analyzes_an_image_of_one_face() -> None:
    pipeline = Pipeline(FullFrame(), DiscEngine())
    disc = Disc(60, 72, 80)
    (face,) = pipeline.analyze(scene([disc], 120, 120)).faces
    assert np.abs(face.landmarks - landmarks_of(disc)).max() < 3


def test_tracks_survive_one_failure_of_the_engine() -> None:
    pipeline, _, engine = made()
    image = scene([Disc(200, 150)])
    pipeline.process(image, 0.0)
    infer = engine.infer
    engine.infer = lambda _: (_ for _ in ()).throw(RuntimeError("device lost"))
    with pytest.raises(RuntimeError, match="device lost"):
        pipeline.process(image, STEP)
    engine.infer = infer
    assert ids(pipeline.process(image, 2 * STEP)) == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"detection_interval": 0},
        {"presence_threshold": 1.1},
        {"max_faces": 0},
        {"max_yaw": math.nan},
        {"max_pitch": 91.0},
        {"max_gap": -1.0},
        {"smoothing_time": -1.0},
        {"switch_margin": 2.0},
        {"birth_hits": 0},
    ],
)
def test_settings_out_of_range_are_rejected_by_name(change: dict) -> None:
    (name,) = change
    with pytest.raises(ValueError, match=rf"{name} is .*, must be .* to .*"):
        from_values(PipelineConfig, change)


discs = st.lists(
    st.builds(
        Disc,
        st.floats(-50, 370),
        st.floats(-50, 290),
        st.floats(5, 200),
        st.sampled_from([NEUTRAL, HAPPY, SAD]),
    ),
    max_size=5,
)


@settings(max_examples=40)
@given(st.lists(st.tuples(discs, st.floats(-1e3, 1e3), st.booleans()), max_size=8))
def test_any_images_at_any_time_give_valid_faces(images) -> None:
    pipeline, detector, _ = made(max_faces=3)
    for present, stamp, blind in images:
        detector.blind = blind
        result = pipeline.process(scene(present, 320, 240), stamp)
        assert len(result.faces) <= 3
        assert ids(result) == sorted(set(ids(result)))
        for face in result.faces:
            assert face.track_id >= 1
            assert face.probabilities.sum() == pytest.approx(1.0)
            assert face.raw_probabilities.sum() == pytest.approx(1.0)
            assert np.all(np.isfinite(face.landmarks))
            assert face.box.width > 0
            assert face.presence >= 0.5


def test_state_does_not_grow_with_faces_that_come_and_go() -> None:
    pipeline, _, _ = made()
    for i in range(60):
        pipeline.process(scene([Disc(100 + 300 * (i % 2), 150)]), i * 1.5)
    assert pipeline.track_count <= 2


def test_read_only_messages_are_processed() -> None:
    pixels = scene([Disc(200, 150)]).pixels
    padded = np.pad(pixels, ((0, 0), (0, 24)))
    image = decode_raw(padded.tobytes(), 640, 480, 664, "mono8")
    pipeline, _, _ = made()
    assert len(pipeline.process(image, 0.0).faces) == 1
    colour = Image(np.repeat(pixels[..., None], 3, axis=2), "rgb")
    assert len(pipeline.process(colour, STEP).faces) == 1


def test_a_face_of_few_pixels_is_unknown_because_it_is_too_small() -> None:
    pipeline, _, _ = made(min_face_size=60.0)
    image = scene([Disc(100, 150, 40), Disc(400, 250, 90)])
    small, large = sorted(pipeline.process(image, 0.0).faces, key=lambda face: face.box.size)
    assert (small.label, UNKNOWN_REASONS[small.unknown_reason]) == ("unknown", "too_small")
    assert (large.label, large.unknown_reason) == ("neutral", 0)


def test_faces_beyond_the_limit_are_counted() -> None:
    image = scene([Disc(100 + 120 * i, 150, 70) for i in range(5)])
    pipeline, _, _ = made(max_faces=3)
    tracked, single = pipeline.process(image, 0.0), pipeline.analyze(image)
    assert [len(result.faces) for result in (tracked, single)] == [3, 3]
    assert [result.omitted for result in (tracked, single)] == [2, 2]
    everybody = pipeline.analyze(image, max_faces=256)
    assert (len(everybody.faces), everybody.omitted) == (5, 0)


def processed_under_load(
    discs: list[Disc], images: int, *, overloaded: bool = True, velocity: float = 0.0, **changes
) -> tuple[list[FrameResult], DiscEngine]:
    """Return the results of images that follow one without load, and the engine."""
    pipeline, _, engine = made(detection_interval=1000, **changes)
    pipeline.process(scene(discs), 0.0)
    results = []
    for i in range(1, images + 1):
        moved = [replace(disc, x=disc.x + i * STEP * velocity) for disc in discs]
        frames = [("camera", scene(moved), i * STEP, None)]
        results += pipeline.process_batch(frames, overloaded=overloaded)
    return results, engine


ROW = [Disc(50 + 90 * i, 200, 60) for i in range(7)]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_still_faces_are_measured_in_turn_under_load(count: int) -> None:
    results, engine = processed_under_load(ROW[:count], 6 * count)
    carried = [[face.track_id for face in result.faces if face.age] for result in results]
    assert all(ids(result) == list(range(1, count + 1)) for result in results)
    assert all(len(each) == count // 2 for each in carried[::2])
    assert all(not set(a) & set(b) for a, b in pairwise(carried)), "carried over one image at most"
    times = [sum(number in each for each in carried) for number in range(1, count + 1)]
    assert max(times) - min(times) <= 1, "all are measured equally often"
    assert engine.batches[1:] == [count - len(each) for each in carried]


def test_a_carried_face_keeps_its_result_and_has_an_age() -> None:
    results, _ = processed_under_load(ROW[:2], 1)
    (carried,) = [face for face in results[0].faces if face.age]
    assert carried.age == pytest.approx(STEP)
    assert carried.to_dict()["age"] == pytest.approx(STEP, abs=1e-4)
    np.testing.assert_allclose(carried.landmarks, landmarks_of(ROW[carried.track_id - 1]), atol=1.5)
    assert carried.emotion == 0


@pytest.mark.parametrize(
    "changes",
    [{"overloaded": False}, {"velocity": 60.0}, {"discs": ROW[:1]}, {"carry_still_faces": False}],
    ids=str,
)
def test_every_other_face_is_measured_in_every_image(changes: dict) -> None:
    """Without load, moving, alone, or with the setting off."""
    results, _ = processed_under_load(**({"discs": ROW[:4], "images": 8} | changes))
    assert not any(face.age for result in results[3:] for face in result.faces)


def test_carried_faces_are_where_faces_that_are_measured_would_be() -> None:
    slow = {"discs": ROW[:4], "images": 20, "velocity": 12.0}
    results, _ = processed_under_load(**slow)
    assert any(face.age for face in results[-1].faces)
    measured, _ = processed_under_load(**slow, overloaded=False)
    for one, other in zip(results, measured, strict=True):
        for face, expected in zip(one.faces, other.faces, strict=True):
            np.testing.assert_allclose(face.landmarks, expected.landmarks, atol=1.0)
