"""What `edan view` shows comes from the real node's topics, and costs nothing unless looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fakes import bright
from probe import Probe, spin, wait_for

pytest.importorskip("jinja2")

from edan_ros.nodes.tools.view_node import ViewNode
from edan_ros.report.live import LiveState


@pytest.fixture
def view(ros: None) -> Iterator[Callable[..., LiveState]]:  # noqa: ARG001
    """Makes view nodes, and takes them down."""
    started = []

    def make(namespace: str = "") -> LiveState:
        state = LiveState()
        node = ViewNode(state, namespace)
        started.append((node, *spin(node)))
        return state

    yield make
    for node, executor, thread in started:
        executor.shutdown()
        thread.join(10)
        node.destroy_node()


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

    def pictures() -> int:
        probe.answer(probe.image(bright()))
        return camera(state, "/faces")["pictures"]

    wait_for(pictures, "an annotated picture")
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

    wait_for(look, "the pictures to be asked for")
    wait_for(lambda: probe.node.count_subscribers(topic) == 0, "the pictures to be given up")


def test_only_below_a_namespace(make_probe: Callable[..., Probe], view: Callable) -> None:
    probe = make_probe(cameras=["front", "cabin"])
    state = view("cabin")
    wait_for(lambda: probe.node.count_subscribers("cabin/faces") > 0, "the view to find the faces")
    probe.publish(probe.image(bright()), "cabin/image_raw")
    wait_for(lambda: camera(state, "/cabin/faces"), "a result")
    assert probe.node.count_subscribers("front/faces") == 0
