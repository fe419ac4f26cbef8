"""ROS4HRI: what faces become in its messages, and, with hri_msgs installed, on its topics."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from edan_ros.msg import FaceEmotion
from probe import wait_for
from replay import HEIGHT, WIDTH, Replay, face, header_at, seconds_of
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Bool, String

from edan_ros.core.emotions import EMOTIONS
from edan_ros.nodes.behaviors import ros4hri_messages, ros4hri_node
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import image_message
from edan_ros.nodes.common.topics import MissingMessagesError, find_messages

SIZE = (WIDTH, HEIGHT)


def stand_in(**defaults: Any) -> Callable[..., SimpleNamespace]:
    return lambda **given: SimpleNamespace(**{**defaults, **given})


#: What the functions need of hri_msgs, which need not be installed.
MESSAGES: Any = SimpleNamespace(
    Expression=stand_in(),
    NormalizedRegionOfInterest2D=stand_in(),
    NormalizedPointOfInterest2D=stand_in(),
    FacialLandmarks=stand_in(),
    FacialActionUnits=lambda **given: SimpleNamespace(
        intensity=np.zeros(99), confidence=np.zeros(99), **given
    ),
)


def test_every_emotion_has_a_name_in_hri_msgs() -> None:
    names = {
        EMOTIONS[e]: ros4hri_messages.expression(MESSAGES, header_at(1.0), e, 0.9).expression
        for e in range(len(EMOTIONS))
    }
    assert names == {
        "neutral": "neutral",
        "happy": "happy",
        "sad": "sad",
        "surprise": "surprised",
        "fear": "scared",
        "disgust": "disgusted",
        "anger": "angry",
    }
    unknown = ros4hri_messages.expression(MESSAGES, header_at(1.0), FaceEmotion.UNKNOWN, 0.3)
    assert (unknown.expression, unknown.confidence) == ("", 0.0)


def test_regions_and_landmarks_are_shares_of_the_image() -> None:
    shown = face(1, x=0.5, size=120.0)
    roi = ros4hri_messages.region(MESSAGES, header_at(1.0), shown, SIZE)
    assert roi.xmin == shown.roi.x_offset / WIDTH
    assert roi.ymax == (shown.roi.y_offset + shown.roi.height) / HEIGHT
    points = ros4hri_messages.landmarks(MESSAGES, header_at(1.0), shown, SIZE)
    assert (len(points.landmarks), points.width, points.height) == (70, WIDTH, HEIGHT)
    nose = points.landmarks[30]
    assert nose.x == pytest.approx(shown.landmarks_x[30] / WIDTH)
    assert nose.c == pytest.approx(0.99)
    right_eye = np.mean([points.landmarks[i].x for i in range(36, 42)])
    assert (points.landmarks[68].x, points.landmarks[68].c) == (pytest.approx(right_eye), 0.0)


def gazing(yaw: float, pitch: float, openness: tuple[float, float] = (0.9, 0.9)) -> FaceEmotion:
    """Return a face whose eyes are turned in the head."""
    shown = face(1)
    shown.gaze_valid, shown.eye_openness = True, list(openness)
    shown.gaze_yaw, shown.gaze_pitch = yaw, pitch
    return shown


def test_pupils_follow_the_gaze_and_closed_eyes_hide_them() -> None:
    def seen(shown: FaceEmotion) -> tuple[Any, Any]:
        points = ros4hri_messages.landmarks(MESSAGES, header_at(1.0), shown, SIZE).landmarks
        return points[68], points[69]

    ahead, (right, left) = seen(gazing(0.0, 0.0)), seen(gazing(0.3, 0.2, (0.9, 0.1)))
    across = (face(1).landmarks_x[45] - face(1).landmarks_x[36]) / WIDTH
    # 12 of 90 mm: the radius of an eyeball over the distance of the outer eye corners.
    moved = across * 12 / 90 * math.sin(0.3) * math.cos(0.2)
    assert right.x - ahead[0].x == pytest.approx(moved, rel=0.01), "the person's left"
    assert left.x - ahead[1].x == pytest.approx(moved, rel=0.01)
    assert right.y < ahead[0].y, "y points down"
    assert (right.c, left.c) == (pytest.approx(0.99), 0.0)


def test_landmarks_outside_the_image_have_no_confidence() -> None:
    points = ros4hri_messages.landmarks(MESSAGES, header_at(1.0), face(1, x=0.0), SIZE).landmarks
    assert all(0.0 <= p.x <= 1.0 and 0.0 <= p.y <= 1.0 for p in points)
    assert points[0].c == 0.0
    assert points[16].c > 0.9


def test_action_units_are_at_their_numbers() -> None:
    shown = face(1)
    shown.action_units = ["AU12", "AU1", "AU43", "smile", "AU999"]
    shown.action_unit_intensities = [0.5, 0.25, 1.0, 1.0, 1.0]
    units = ros4hri_messages.action_units(MESSAGES, header_at(1.0), shown)
    assert {i: v for i, v in enumerate(units.intensity) if v} == {1: 0.25, 12: 0.5, 43: 1.0}
    assert set(np.flatnonzero(units.confidence)) == {1, 12, 43}


def test_frames_are_those_of_rep_155() -> None:
    head, gaze = ros4hri_messages.frames(header_at(2.0, "camera"), face(1, x=0.7), "ab1")
    assert (head.header.frame_id, head.child_frame_id) == ("camera", "face_ab1")
    assert (gaze.header.frame_id, gaze.child_frame_id) == ("face_ab1", "gaze_ab1")
    assert head.transform.translation.z == pytest.approx(1.0)
    # The gaze's z axis is the head's x axis: rotate (0, 0, 1) by the quaternion.
    q = gaze.transform.rotation
    forward = (2 * (q.x * q.z + q.w * q.y), 2 * (q.y * q.z - q.w * q.x), 1 - 2 * (q.x**2 + q.y**2))
    assert forward == pytest.approx((1.0, 0.0, 0.0))
    assert ros4hri_messages.frames(header_at(2.0), face(1, distance=None), "ab1") == []


@pytest.mark.parametrize(("yaw", "pitch"), [(0.4, 0.0), (0.0, 0.3), (-0.2, -0.5)])
def test_the_gaze_frame_is_turned_by_the_eyes(yaw: float, pitch: float) -> None:
    _, gaze = ros4hri_messages.frames(header_at(2.0), gazing(yaw, pitch), "ab1")
    q = gaze.transform.rotation
    forward = (2 * (q.x * q.z + q.w * q.y), 2 * (q.y * q.z - q.w * q.x), 1 - 2 * (q.x**2 + q.y**2))
    # In the head: x out of the face, y to the person's left, z up.
    expected = (math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch))
    assert forward == pytest.approx(expected)
    right_z = 2 * (q.x * q.z - q.w * q.y)
    assert right_z == pytest.approx(0.0), "the gaze does not roll"


def test_without_hri_msgs_the_node_exits_and_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(SystemExit, match="hri_msgs is not installed: on a robot, apt install"):
        ros4hri_node.main([])
    with pytest.raises(MissingMessagesError, match="one_msgs or two_msgs is not installed"):
        find_messages("one_msgs", "two_msgs")


# --- with the messages


@pytest.fixture
def replay(ros: None) -> Iterator[Replay]:  # noqa: ARG001
    hri = pytest.importorskip("hri_msgs.msg", reason="hri_msgs is not installed")
    tf2 = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed")
    topics = {"/humans/faces/tracked": hri.IdsList, "/tf": tf2.TFMessage}
    replay = Replay(ros4hri_node.Ros4HriNode, topics, id_prefix="f")
    yield replay
    replay.close()


def test_the_topics_of_a_face_are_read_back(replay: Replay) -> None:
    hri = pytest.importorskip("hri_msgs.msg")
    kinds = {
        "roi": hri.NormalizedRegionOfInterest2D,
        "landmarks": hri.FacialLandmarks,
        "expression": hri.Expression,
        "facs": hri.FacialActionUnits,
    }
    for name, kind in kinds.items():
        replay.listen(kind, f"/humans/faces/f7/{name}")
    shown = face(7, "surprise", x=0.4)

    def published() -> bool:
        replay.play(0.1, shown)
        return all(replay.heard[f"/humans/faces/f7/{name}"] for name in kinds)

    wait_for(published, "all topics of the face")
    replay.play(2.0, shown)
    heard = {name: replay.heard[f"/humans/faces/f7/{name}"][-1] for name in kinds}
    for message in heard.values():
        assert message.header.frame_id == "cabin_optical"
        assert seconds_of(message.header.stamp) == pytest.approx(replay.now, abs=0.3)
    assert heard["expression"].expression == hri.Expression.SURPRISED
    assert heard["expression"].confidence == pytest.approx(0.88, abs=0.01)
    assert heard["roi"].xmax > heard["roi"].xmin > 0.2
    assert heard["landmarks"].landmarks[hri.FacialLandmarks.NOSE].x == pytest.approx(0.4, abs=0.02)
    assert heard["facs"].intensity[hri.FacialActionUnits.LIP_CORNER_PULLER] == 0.5
    assert replay.heard["/humans/faces/tracked"][-1].ids == ["f7"]
    frames = {t.child_frame_id: t for t in replay.heard["/tf"][-1].transforms}
    assert set(frames) == {"face_f7", "gaze_f7"}
    assert frames["face_f7"].transform.translation.z == pytest.approx(1.0)


def test_persons_without_a_manager_are_anonymous_with_their_engagement(replay: Replay) -> None:
    hri = pytest.importorskip("hri_msgs.msg")
    person = "/humans/persons/anonymous_f1"
    replay.listen(hri.IdsList, "/humans/persons/tracked")
    replay.listen(hri.EngagementLevel, f"{person}/engagement_status")
    for name, kind in {"face_id": String, "anonymous": Bool}.items():
        replay.listen(kind, f"{person}/{name}", qos.LATCHED)

    def engaged() -> bool:
        replay.play(0.5, face(1))
        heard = replay.heard[f"{person}/engagement_status"]
        return bool(heard) and heard[-1].level == hri.EngagementLevel.ENGAGED

    wait_for(engaged, "the person to be engaged")
    assert replay.heard[f"{person}/face_id"][-1].data == "f1"
    assert replay.heard[f"{person}/anonymous"][-1].data
    assert list(replay.heard["/humans/persons/tracked"][-1].ids) == ["anonymous_f1"]
    replay.play(2.0)
    wait_for(lambda: not replay.me.count_publishers(f"{person}/face_id"), "the person to go")


def test_persons_of_a_manager_get_the_engagement_of_their_faces(replay: Replay) -> None:
    hri = pytest.importorskip("hri_msgs.msg")
    tracked = replay.me.create_publisher(hri.IdsList, "/humans/persons/tracked", qos.RESULTS)
    face_id = replay.me.create_publisher(String, "/humans/persons/ann/face_id", qos.LATCHED)
    face_id.publish(String(data="f1"))
    topic = "/humans/persons/ann/engagement_status"
    replay.listen(hri.EngagementLevel, topic)

    def engaged() -> bool:
        replay.play(0.5, face(1))
        tracked.publish(hri.IdsList(ids=["ann"]))
        return bool(replay.heard[topic]) and replay.heard[topic][-1].level == 3

    wait_for(engaged, "the person to be engaged")
    anonymous = "/humans/persons/anonymous_f1/face_id"
    wait_for(lambda: not replay.me.count_publishers(anonymous), "no anonymous person")


def test_topics_live_as_long_as_the_face(replay: Replay) -> None:
    replay.play(1.0, face(1), face(2, x=0.2))

    def there(track: int) -> int:
        return replay.me.count_publishers(f"/humans/faces/f{track}/roi")

    wait_for(lambda: there(1) == 1 and there(2) == 1, "the topics of two faces")
    replay.play(0.5, face(1))
    assert replay.heard["/humans/faces/tracked"][-1].ids == ["f1", "f2"]  # a short gap
    replay.play(1.5, face(1))
    wait_for(lambda: there(2) == 0, "the second face's topics to go")
    assert replay.heard["/humans/faces/tracked"][-1].ids == ["f1"]
    replay.pause(2.0)
    wait_for(lambda: there(1) == 0, "the topics to go when no faces come")
    assert list(replay.heard["/humans/faces/tracked"][-1].ids) == []


def test_face_images_are_made_only_for_subscribers(replay: Replay) -> None:
    camera = replay.me.create_publisher(ImageMessage, "image_raw", qos.images("reliable", 5))
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, : WIDTH // 2] = (255, 0, 0)

    def play(seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            replay.tick(0.1)
            camera.publish(image_message(pixels, header_at(replay.now)))
            replay.settle()
            replay.show(face(1, x=0.5))
        replay.settle()

    play(1.0)
    assert camera.get_subscription_count() == 0
    topics = ["/humans/faces/f1/cropped", "/humans/faces/f1/aligned"]
    for topic in topics:
        replay.listen(ImageMessage, topic)

    def cut() -> bool:
        play(0.1)
        return all(replay.heard[topic] for topic in topics)

    wait_for(cut, "images of the face")
    assert camera.get_subscription_count() == 1
    for topic in topics:
        image = replay.heard[topic][-1]
        assert (image.width, image.height, image.encoding) == (128, 128, "bgr8")
        pixels = np.array(image.data, np.uint8).reshape(128, 128, 3)
        assert tuple(pixels[64, 10]) == (255, 0, 0)
        assert tuple(pixels[64, 118]) == (0, 0, 0)


def test_the_robots_face_mirrors_on_the_topic_of_ros4hri(ros: None) -> None:  # noqa: ARG001
    hri = pytest.importorskip("hri_msgs.msg", reason="hri_msgs is not installed")
    from edan_ros.nodes.behaviors.humanoid_node import HumanoidNode

    replay = Replay(HumanoidNode, {"/robot_face/expression": hri.Expression})
    replay.play(2.5, face(1, "surprise"))
    assert replay.heard["/robot_face/expression"][-1].expression == "surprised"
    assert math.isnan(replay.heard["/robot_face/expression"][-1].valence)
    replay.close()
