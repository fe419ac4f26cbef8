"""What `edan view` shows comes from the real node's topics, and costs nothing unless looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from edan_ros.msg import FaceEmotionArray
from fakes import bright
from probe import Probe, wait_for
from spinner import Spinner

pytest.importorskip("jinja2")

from edan_ros.nodes.common import qos
from edan_ros.nodes.tools.view_node import ViewNode
from edan_ros.report.live import LiveState


@pytest.fixture
def view(ros: None) -> Iterator[Callable[..., LiveState]]:  # noqa: ARG001
    """Makes view nodes, and takes them down."""
    started: list[Spinner] = []

    def make(namespace: str = "") -> LiveState:
        state = LiveState()
        started.append(Spinner(ViewNode(state, namespace)))
        return state

    yield make
    for spinner in started:
        spinner.close()


def camera(state: LiveState, name: str) -> dict | None:
    """The state of a camera on the page; reading it counts as an open browser."""
    return next((c for c in state.snapshot()["cameras"] if c["name"] == name), None)


def test_faces_images_diagnostics_and_model(probe: Probe, view: Callable) -> None:
    state = view()
    wait_for(lambda: probe.node.count_subscribers("faces") > 1, "the view to find the faces")
    probe.answer(probe.image(bright()))
    wait_for(lambda: camera(state, "/faces"), "a result")
    (face,) = camera(state, "/faces")["faces"]
    assert face["label"] == "happy"
    assert sum(face["probabilities"]) == pytest.approx(1.0, abs=1e-3)

    def images() -> int:
        probe.answer(probe.image(bright()))
        return camera(state, "/faces")["images"]

    wait_for(images, "an annotated image")
    assert state.jpeg(0).startswith(b"\xff\xd8")
    wait_for(lambda: state.snapshot()["model"], "the model")
    assert state.snapshot()["model"]["name"] == probe.engine.manifest.name
    wait_for(lambda: len(state.snapshot()["diagnostics"]) == 2, "the diagnostics")
    assert {d["name"].split(": ")[0] for d in state.snapshot()["diagnostics"]} == {"/emotion_node"}


def test_nothing_is_drawn_while_no_browser_is_open(
    probe: Probe, view: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edan_ros.report.live._WATCHED", 0.3)
    state = view()
    topic = "faces/annotated"
    wait_for(lambda: probe.node.count_subscribers("faces") > 1, "the view to find the faces")
    assert probe.node.count_subscribers(topic) == 0

    def look() -> int:
        state.snapshot()
        return probe.node.count_subscribers(topic)

    wait_for(look, "the subscription to annotated images")
    wait_for(lambda: probe.node.count_subscribers(topic) == 0, "the end of that subscription")


def test_hostile_messages_are_refused_and_counted(probe: Probe, view: Callable) -> None:
    state = view()
    wait_for(lambda: probe.node.count_subscribers("faces") > 1, "the view to find the faces")
    good = probe.answer(probe.image(bright()))
    wait_for(lambda: camera(state, "/faces"), "a result")
    hostile = probe.me.create_publisher(FaceEmotionArray, "faces", qos.RESULTS)
    wait_for(lambda: hostile.get_subscription_count() > 1, "the view to be found")
    message = FaceEmotionArray(image_width=640, image_height=480, faces=good.faces)
    message.faces[0].probabilities = [math.nan] * 7
    hostile.publish(message)
    status = wait_for(lambda: refused(probe), "the diagnostics to say so")
    assert {value.key: value.value for value in status.values} == {"/faces": "1"}
    assert camera(state, "/faces")["size"] == [320, 240]
    json.dumps(state.snapshot(), allow_nan=False)


def refused(probe: Probe) -> DiagnosticStatus | None:
    """The status of the view node about refused messages."""
    statuses = [status for report in probe.reports for status in report.status]
    return next((s for s in statuses if s.name == "/view_node: input"), None)


def test_only_below_a_namespace(make_probe: Callable[..., Probe], view: Callable) -> None:
    probe = make_probe(cameras=["front", "cabin"])
    state = view("cabin")
    wait_for(lambda: probe.node.count_subscribers("cabin/faces") > 0, "the view to find the faces")
    probe.publish(probe.image(bright()), "cabin/image_raw")
    wait_for(lambda: camera(state, "/cabin/faces"), "a result")
    assert probe.node.count_subscribers("front/faces") == 0
