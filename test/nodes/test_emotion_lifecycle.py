"""The lifecycle: transitions, models that cannot be loaded, and teardown that leaves nothing."""

from __future__ import annotations

import gc
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from edan_ros.msg import ModelInfo
from fakes import FakeDetector, FakeEngine, bright
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from probe import Probe, wait_for
from rclpy.lifecycle import LifecyclePublisher
from std_srvs.srv import SetBool

from edan_ros.detection.base import DetectorError
from edan_ros.detection.factory import create_detector
from edan_ros.engines import create_engine
from edan_ros.engines.manifest import WEIGHTS
from edan_ros.nodes.common import qos


def test_the_transitions_a_manager_asks_for(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(autostart=False)
    assert probe.state() == "unconfigured"
    assert "unconfigured" in probe.report("model").message
    assert probe.transition("configure")
    assert probe.state() == "inactive"
    assert probe.me.count_publishers("faces") == 1
    assert probe.me.count_subscribers("image_raw") == 0
    assert "inactive" in probe.report().message
    assert probe.transition("activate")
    assert probe.answer(probe.image(bright())).faces
    assert probe.transition("deactivate")
    wait_for(lambda: probe.me.count_subscribers("image_raw") == 0, "the subscription to go")
    assert probe.transition("cleanup")
    wait_for(lambda: probe.me.count_publishers("faces") == 0, "the publisher to go")
    assert probe.state() == "unconfigured"
    assert probe.transition("shutdown")
    assert probe.state() == "finalized"
    assert len(probe.arrays) == 1


def test_shutdown_from_active_releases_everything(probe: Probe) -> None:
    probe.answer(probe.image(bright()))
    assert probe.transition("shutdown")
    assert probe.state() == "finalized"
    wait_for(lambda: probe.me.count_publishers("faces") == 0, "the publisher to go")


def threads() -> int:
    """Threads of this process, those of the middleware included."""
    return len(os.listdir("/proc/self/task"))


def memory() -> int:
    """Bytes of memory in use by this process that no other has."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def entities(probe: Probe) -> dict[str, int]:
    node = probe.node
    kinds = ("publishers", "subscriptions", "services", "timers", "waitables", "clients")
    counts = {kind: len(list(getattr(node, kind))) for kind in kinds}
    managed = sum(isinstance(item, LifecyclePublisher) for item in gc.get_objects())
    return counts | {"managed": managed, "threads": threading.active_count()}


def cycle(probe: Probe) -> None:
    assert probe.transition("deactivate")
    assert probe.transition("cleanup")
    assert probe.transition("configure")
    assert probe.transition("activate")
    wait_for(lambda: probe.me.count_subscribers("image_raw") == 1, "the subscription")


def test_twenty_cycles_leave_nothing_behind(make_probe: Callable[..., Probe]) -> None:
    """With the real engine and detector; after a few cycles that fill pools, nothing grows."""
    probe = make_probe(node={"make_engine": create_engine, "make_detector": create_detector})
    for _ in range(3):
        cycle(probe)
    gc.collect()
    before, threads_before, memory_before = entities(probe), threads(), memory()
    for _ in range(20):
        cycle(probe)
    gc.collect()
    assert entities(probe) == before
    assert threads() <= threads_before
    # A model takes some 15 MB: if each stayed, this would be 300.
    assert memory() - memory_before < 20e6
    assert probe.state() == "active"
    assert probe.answer(probe.image(bright())).image_width == 320


def test_images_in_flight_do_not_disturb_the_transitions(probe: Probe) -> None:
    stop = threading.Event()
    probe.answer(probe.image(bright()))

    def stream() -> None:
        while not stop.wait(0.005):
            probe.publish(probe.image(bright()))

    publisher = threading.Thread(target=stream)
    publisher.start()
    try:
        for _ in range(5):
            assert probe.transition("deactivate")
            count = len(probe.arrays)
            assert probe.transition("activate")
            wait_for(lambda count=count: len(probe.arrays) > count + 2, "arrays to go on")
    finally:
        stop.set()
        publisher.join()
    assert "bad_input.internal_error" not in probe.values()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model and its manifest, to be spoiled."""
    for suffix in (".onnx", ".json"):
        shutil.copy(WEIGHTS / f"edan-lite{suffix}", tmp_path)
    return tmp_path / "edan-lite.onnx"


def expected_sum(model: Path) -> str:
    return json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))["sha256"]


def configure_fails(probe: Probe) -> str:
    """The reason for a configure that failed; the node is alive and can be configured again."""
    assert not probe.transition("configure")
    assert probe.state() == "unconfigured"
    report = probe.report("model")
    assert report.level == report.ERROR
    return report.message


def test_a_missing_model_file_fails_configure(
    make_probe: Callable[..., Probe], model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    probe = make_probe(autostart=False, node={"make_engine": create_engine}, model=str(model))
    backup = model.with_suffix(".backup")
    model.rename(backup)
    message = configure_fails(probe)
    assert str(model) in message
    assert expected_sum(model) in message
    assert "missing" in message
    assert message.split(": ", 1)[1] in capfd.readouterr().err
    backup.rename(model)
    assert probe.transition("configure")
    assert probe.report("model").level == b"\x00"
    assert probe.transition("cleanup")
    assert probe.report("model").message == "unconfigured"


def test_a_damaged_model_file_fails_configure(
    make_probe: Callable[..., Probe], model: Path
) -> None:
    with model.open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    probe = make_probe(autostart=False, node={"make_engine": create_engine}, model=str(model))
    message = configure_fails(probe)
    assert str(model) in message
    assert expected_sum(model) in message
    assert message.count("sha256") >= 1
    # The sum that was found is there too: 64 hexadecimal digits other than the expected.
    words = {word.strip(",;.") for word in message.split()}
    assert [w for w in words if len(w) == 64 and w != expected_sum(model)]


def test_a_wrong_model_file_fails_configure(make_probe: Callable[..., Probe], model: Path) -> None:
    model.write_bytes(b"not a model at all")
    probe = make_probe(autostart=False, node={"make_engine": create_engine}, model=str(model))
    message = configure_fails(probe)
    assert str(model) in message
    assert expected_sum(model) in message


@pytest.mark.parametrize("name", ["no-such-model", "/no/such/model.onnx"])
def test_a_missing_model_fails_autostart_but_not_the_process(
    make_probe: Callable[..., Probe], name: str
) -> None:
    probe = make_probe(autostart=False, node={"make_engine": create_engine}, model=name)
    assert name.removesuffix(".onnx") in configure_fails(probe)
    assert probe.set(model="edan-lite") == (True, "")
    assert probe.transition("configure")
    assert probe.transition("activate")
    assert probe.answer(probe.image(bright())).image_width == 320


def test_autostart_that_fails_leaves_the_node_unconfigured(
    make_probe: Callable[..., Probe], capfd: pytest.CaptureFixture[str]
) -> None:
    probe = make_probe(until=None, node={"make_engine": create_engine}, model="no-such-model")
    wait_for(lambda: "no-such-model" in probe.report("model").message, "the reason")
    assert probe.state() == "unconfigured"
    assert "no-such-model" in capfd.readouterr().err


def test_a_detector_that_cannot_be_created_fails_configure(
    make_probe: Callable[..., Probe],
) -> None:
    probe = make_probe(
        autostart=False,
        node={"make_detector": create_detector},
        detector="yunet",
        detector_model="/no/such/yunet.onnx",
    )
    assert "/no/such/yunet.onnx" in configure_fails(probe)
    assert probe.me.count_publishers("faces") == 0


def test_a_configure_that_fails_at_its_end_leaves_nothing_behind(
    make_probe: Callable[..., Probe],
) -> None:
    made: list[FakeDetector] = []

    def make_detector(*_: object, **__: object) -> FakeDetector:
        made.append(FakeDetector())
        if len(made) == 2:  # the one that looks for people to cover
            raise DetectorError("no memory is left")
        return made[-1]

    probe = make_probe(
        autostart=False, node={"make_detector": make_detector}, annotated_privacy="blur"
    )
    assert "no memory" in configure_fails(probe)
    wait_for(lambda: probe.me.count_publishers("faces") == 0, "the topic to go")
    assert probe.set(cameras=["left"])[0]
    assert probe.transition("configure")


def test_an_internal_error_is_reported_and_the_node_recovers(
    make_probe: Callable[..., Probe], capfd: pytest.CaptureFixture[str]
) -> None:
    engines = iter([None, FakeEngine()])
    probe = make_probe(autostart=False, node={"make_engine": lambda *_, **__: next(engines)})
    assert not probe.transition("configure")
    assert probe.state() == "unconfigured"
    assert "AttributeError" in capfd.readouterr().err
    assert probe.me.count_publishers("model_info") == 0
    assert probe.transition("configure")


def test_disabled_it_publishes_nothing_until_enabled(probe: Probe) -> None:
    service = "emotion_node/enable"
    track = probe.answer(probe.image(bright())).faces[0].track_id
    answer = probe.call(SetBool, service, SetBool.Request(data=False))
    assert (answer.success, answer.message) == (True, "disabled")
    assert probe.state() == "active"
    assert "disabled" in probe.report().message
    probe.publish(probe.image(bright()))
    assert probe.state() == "active"  # an answer that comes after anything about the image
    assert len(probe.arrays) == 1
    assert probe.call(SetBool, service, SetBool.Request(data=True)).message == "enabled"
    wait_for(lambda: probe.me.count_subscribers("image_raw") == 1, "the subscription")
    # The next face may be another person's.
    assert probe.answer(probe.image(bright())).faces[0].track_id > track


def test_an_id_is_not_used_again_after_a_cleanup(probe: Probe) -> None:
    track = probe.answer(probe.image(bright())).faces[0].track_id
    for transition in ("deactivate", "cleanup", "configure", "activate"):
        assert probe.transition(transition)
    wait_for(lambda: probe.me.count_subscribers("image_raw") == 1, "the subscription")
    assert probe.answer(probe.image(bright())).faces[0].track_id > track


def test_disabled_before_it_is_active(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(autostart=False)
    answer = probe.call(SetBool, "emotion_node/enable", SetBool.Request(data=False))
    assert answer.success
    assert "unconfigured" in answer.message
    assert probe.transition("configure")
    assert probe.transition("activate")
    assert probe.me.count_subscribers("image_raw") == 0
    probe.call(SetBool, "emotion_node/enable", SetBool.Request(data=True))
    assert probe.answer(probe.image(bright())).faces


def test_model_info_is_there_only_while_a_model_is_loaded(probe: Probe) -> None:
    assert probe.transition("deactivate")
    assert probe.transition("cleanup")
    wait_for(lambda: probe.me.count_publishers("model_info") == 0, "the publisher to go")
    infos: list[ModelInfo] = []
    probe.listen(ModelInfo, "model_info", infos, qos.LATCHED)
    assert probe.transition("configure")
    wait_for(lambda: len(infos) == 1, "the model's record")


@pytest.mark.parametrize(
    ("state", "transition"),
    [
        ("unconfigured", Transition.TRANSITION_ACTIVATE),
        ("unconfigured", Transition.TRANSITION_DEACTIVATE),
        ("unconfigured", 222),
        ("active", Transition.TRANSITION_CONFIGURE),
        ("active", Transition.TRANSITION_CLEANUP),
        ("active", 0),
    ],
)
def test_a_transition_by_id_that_is_not_allowed_is_refused(
    make_probe: Callable[..., Probe], state: str, transition: int
) -> None:
    probe = make_probe(autostart=state == "active")
    request = ChangeState.Request()
    request.transition.id = transition
    answer = probe.call(ChangeState, "emotion_node/change_state", request)
    assert not answer.success
    assert probe.state() == state
    assert probe.node.health.errors == 0
    if state == "unconfigured":
        assert probe.transition("configure")
        assert probe.transition("activate")
    assert probe.answer(probe.image(bright())).faces
