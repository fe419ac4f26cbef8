"""Faces in messages of other packages: their content, and on topics where they are installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from edan_ros.msg import FaceEmotion, FaceEmotionArray
from fakes import bright, dark
from probe import Probe, wait_for
from std_msgs.msg import Header

from edan_ros.drawing.colours import EMOTION_COLOURS
from edan_ros.nodes.emotion.standard_outputs import (
    STANDARD_OUTPUTS,
    to_annotations,
    to_detections,
    to_markers,
)

visualization = pytest.importorskip("visualization_msgs.msg")


class Fields(SimpleNamespace):
    """A message of any fields."""


def kind_of(**defaults: Callable[[], Any]) -> Callable[..., Fields]:
    """A class of messages with these defaults."""
    return lambda **given: Fields(**{name: make() for name, make in defaults.items()} | given)


def box() -> Fields:
    return Fields(center=Fields(position=Fields(x=0.0, y=0.0)), size_x=0.0, size_y=0.0)


#: What the functions need of packages that may not be installed.
VISION = SimpleNamespace(
    Detection2DArray=kind_of(detections=list),
    Detection2D=kind_of(bbox=box),
    ObjectHypothesisWithPose=kind_of(
        hypothesis=Fields, pose=lambda: Fields(pose="none, as the identity")
    ),
)
FOXGLOVE = SimpleNamespace(
    ImageAnnotations=kind_of(points=list, texts=list, circles=list),
    PointsAnnotation=type("PointsAnnotation", (Fields,), {"POINTS": 1, "LINE_LOOP": 2}),
    TextAnnotation=Fields,
    Point2=Fields,
    Color=Fields,
)


def array() -> FaceEmotionArray:
    """A face with a head pose and one without."""
    header = Header(frame_id="camera")
    header.stamp.sec = 7
    faces = []
    for number, label in ((3, "happy"), (4, "unknown")):
        face = FaceEmotion(track_id=number, label=label, confidence=0.75)
        face.roi.x_offset, face.roi.y_offset, face.roi.width, face.roi.height = 10, 20, 40, 50
        face.landmarks_x = np.linspace(10.0, 49.0, 68, dtype=np.float32)
        face.landmarks_y = np.linspace(20.0, 69.0, 68, dtype=np.float32)
        face.head_pose_valid = number == 3
        face.head_pose.position.z = 1.5
        faces.append(face)
    return FaceEmotionArray(header=header, image_width=320, image_height=240, faces=faces)


def rounded(message: Any) -> str:
    """The message as text; the node's arrays have more digits than what is received of them."""
    return re.sub(r"\d+\.\d+(e-\d+)?", lambda number: f"{float(number[0]):.4f}", repr(message))


def test_detections_have_class_score_box_and_track() -> None:
    given = array()
    made = to_detections(VISION, given)
    assert made.header == given.header
    first, second = made.detections
    assert (first.id, second.id) == ("3", "4")
    assert first.header == given.header
    (result,) = first.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ("happy", 0.75)
    assert result.pose.pose == given.faces[0].head_pose
    assert second.results[0].pose.pose == "none, as the identity"
    centre = first.bbox.center.position
    assert (centre.x, centre.y, first.bbox.size_x, first.bbox.size_y) == (30.0, 45.0, 40.0, 50.0)


def test_annotations_are_drawn_from_the_corner_of_the_first_pixel() -> None:
    given = array()
    made = to_annotations(FOXGLOVE, given)
    outline, points = made.points[:2]
    assert len(made.points) == 4
    assert [(p.x, p.y) for p in outline.points] == [(10, 20), (50, 20), (50, 70), (10, 70)]
    assert (outline.type, points.type) == (2, 1)
    assert len(points.points) == 68
    assert (points.points[0].x, points.points[0].y) == (10.5, 20.5)
    blue, green, red = EMOTION_COLOURS["happy"]
    colour = outline.outline_color
    assert (colour.r, colour.g, colour.b, colour.a) == (red / 255, green / 255, blue / 255, 1.0)
    assert [text.text for text in made.texts] == ["3 happy 0.75", "4 unknown 0.75"]
    stamps = [each.timestamp for each in (*made.points, *made.texts)]
    assert all(stamp == given.header.stamp for stamp in stamps)


def test_markers_show_the_heads_whose_pose_is_known() -> None:
    given = array()
    first, *made = to_markers(visualization, given).markers
    assert first.action == visualization.Marker.DELETEALL
    assert [(m.ns, m.id) for m in made] == [("axes", 3), ("gaze", 3), ("label", 3)]
    assert all(m.header == given.header for m in (first, *made))
    axes, gaze, label = made
    assert axes.pose == gaze.pose == given.faces[0].head_pose
    ends = [(p.x, p.y, p.z) for p in axes.points[1::2]]
    assert np.allclose(ends, 0.12 * np.eye(3))
    assert [(c.r, c.g, c.b) for c in axes.colors[::2]] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert gaze.points[1].x > 0.0
    assert label.pose.position.y < given.faces[0].head_pose.position.y, "above: y points down"
    assert label.text == "3 happy 0.75"


def test_the_ray_is_that_of_the_eyes_where_they_are_measured() -> None:
    given = array()
    seen = next(face for face in given.faces if face.head_pose_valid)
    seen.gaze_valid = True
    seen.gaze.x, seen.gaze.y, seen.gaze.z = 0.6, 0.0, -0.8
    gaze = next(m for m in to_markers(visualization, given).markers if m.ns == "gaze")
    assert gaze.pose.position == seen.head_pose.position
    q = gaze.pose.orientation
    assert (q.x, q.y, q.z, q.w) == (0.0, 0.0, 0.0, 1.0)
    begin, end = gaze.points
    assert (begin.x, begin.y, begin.z) == (0.0, 0.0, 0.0)
    assert (end.x, end.y, end.z) == pytest.approx((0.6, 0.0, -0.8))


@pytest.mark.parametrize("name", STANDARD_OUTPUTS)
def test_outputs_are_published_when_switched_on_and_subscribed(
    make_probe: Callable[..., Probe], name: str
) -> None:
    output = STANDARD_OUTPUTS[name]
    messages = pytest.importorskip(
        f"{output.package}.msg", reason=f"{output.package} is not installed"
    )
    probe = make_probe(**{f"publish_{name}": True})
    topics = dict(probe.me.get_topic_names_and_types())
    assert [other for other in STANDARD_OUTPUTS if f"/faces/{other}" in topics] == [name]
    kept: list[Any] = []
    probe.listen(getattr(messages, output.message), f"faces/{name}", kept)
    wait_for(lambda: probe.node.count_subscribers(f"/faces/{name}"), "the subscription to be known")
    for pixels in (bright(), dark()):
        probe.answer(probe.image(pixels))
    wait_for(lambda: len(kept) >= 2, "both outputs")
    expected = [output.convert(messages, faces) for faces in probe.arrays[-2:]]
    assert [rounded(each) for each in kept[-2:]] == [rounded(each) for each in expected]


def test_a_package_that_is_not_installed_is_named(
    make_probe: Callable[..., Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = STANDARD_OUTPUTS["markers"].__class__("missing_msgs", "Array", "", to_markers)
    monkeypatch.setitem(STANDARD_OUTPUTS, "markers", missing)
    probe = make_probe(publish_markers=True, autostart=False)
    assert not probe.transition("configure")
    assert "missing_msgs is not installed" in probe.report("model").message
