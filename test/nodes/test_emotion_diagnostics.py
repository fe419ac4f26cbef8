"""/diagnostics of a running node: once a second, in every state, with the reason for silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fakes import bright, dark
from probe import TIMEOUT, Probe, wait_for
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from edan_ros.nodes.common import qos

ERROR = DiagnosticStatus.ERROR


def expect_message(probe: Probe, *words: str) -> None:
    """Wait until the camera's entry contains the words."""
    wait_for(lambda: all(word in probe.report().message for word in words), f"{words}")


def test_it_reports_once_a_second_with_simulated_time_too(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(use_sim_time=True)
    times: list[float] = []
    probe.me.create_subscription(
        DiagnosticArray, "/diagnostics", lambda _: times.append(time.monotonic()), qos.RESULTS
    )

    def once_a_second() -> bool:
        return len(times) >= 5 and abs(np.median(np.diff(times[-5:])) - 1.0) < 0.3

    wait_for(once_a_second, "five reports, one a second")
    # The node's clock stands at zero: images are processed, and reports go on.
    assert probe.answer(probe.image(bright())).faces
    assert probe.reports[-1].header.stamp.sec == 0


def test_the_life_of_a_camera(probe: Probe, capfd: pytest.CaptureFixture[str]) -> None:
    assert probe.set(silence_timeout=0.5)[0]
    expect_message(probe, "no images yet", "/image_raw has no publisher")
    probe.answer(probe.image(dark()))
    expect_message(probe, "no images on /image_raw for")
    publisher = probe.publishers.pop("image_raw")
    probe.me.destroy_publisher(publisher)
    expect_message(probe, "no images on /image_raw for", "publisher is gone")
    capfd.readouterr()
    probe.answer(probe.image(dark()))
    assert probe.values()["outages"] == "1"
    assert "images are back after" in capfd.readouterr().err
    assert probe.set(silence_timeout=30.0)[0]
    expect_message(probe, "back")


def test_an_image_without_people(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(silence_timeout=30.0)
    probe.answer(probe.image(dark()))
    expect_message(probe, "no face yet")
    probe.answer(probe.image(bright()))
    expect_message(probe, "1 face")
    probe.answer(probe.image(dark()))
    expect_message(probe, "no face for")
    assert probe.report().hardware_id == "front_optical"


def test_a_quality_of_service_that_does_not_fit(
    make_probe: Callable[..., Probe], capfd: pytest.CaptureFixture[str]
) -> None:
    probe = make_probe(image_reliability="reliable", silence_timeout=30.0)
    publisher = probe.me.create_publisher(
        type(probe.image(bright())), "image_raw", qos.images("best_effort")
    )
    expect_message(probe, "QoS mismatch", "reliability", "best_effort")
    assert probe.report().level == b"\x02"
    assert "image_reliability=reliable" in capfd.readouterr().err
    probe.me.destroy_publisher(publisher)
    probe.answer(probe.image(bright()), reliability="reliable")
    expect_message(probe, "1 face")


def test_a_camera_too_fast_for_the_machine(probe: Probe) -> None:
    """Ten images arrive while one is processed: nine are dropped, the newest is next."""
    infer = probe.engine.infer
    started, proceed = threading.Semaphore(0), threading.Semaphore(0)

    def step(crops: object) -> object:
        started.release()
        assert proceed.acquire(timeout=TIMEOUT)
        return infer(crops)

    probe.engine.infer = step
    probe.publish(probe.image(bright()))
    assert started.acquire(timeout=TIMEOUT)

    def overload() -> bool:
        for _ in range(10):
            probe.receive(probe.image(bright()))
        proceed.release()
        assert started.acquire(timeout=TIMEOUT)
        return any("slow" in s.message for report in probe.reports for s in report.status)

    wait_for(overload, "the diagnostics to say so")
    probe.engine.infer = infer
    proceed.release()
    wait_for(lambda: (f := probe.figures()).received == f.dropped + f.processed, "the last image")
    figures = probe.values()
    received, dropped = int(figures["images_received"]), int(figures["images_dropped"])
    processed = int(figures["images_processed"])
    assert received == dropped + processed
    assert dropped == 9 * (processed - 1)
    wait_for(lambda: len(probe.arrays) == processed, "the last result")
    numbers = [round(30 * (h.stamp.sec + 1e-9 * h.stamp.nanosec)) for h in headers(probe)]
    assert set(np.diff(numbers)) == {10}


def headers(probe: Probe) -> list[Header]:
    return [array.header for array in probe.arrays]


def test_the_model_is_named(probe: Probe) -> None:
    entry = probe.report("model")
    assert entry.level == b"\x00"
    values = {pair.key: pair.value for pair in entry.values}
    assert values["state"] == "active"
    assert values["model"] == "fake"
    assert values["engine"] == "fake"
    assert values["detector"] == "fake"
    assert len(values["sha256"]) == 64


def test_images_of_the_other_type_are_named(probe: Probe) -> None:
    # In a context of its own: one participant has one type for a topic.
    context = rclpy.Context()
    rclpy.init(context=context)
    camera = Node("camera", context=context)
    camera.create_publisher(CompressedImage, "image_raw", qos.images("reliable"))
    wait_for(lambda: "CompressedImage" in probe.report().message, "the type to be named")
    report = probe.report()
    assert report.level == ERROR
    assert "set image_transport to compressed" in report.message
    assert probe.values()["publishers"] == "0"
    camera.destroy_node()
    context.try_shutdown()


def test_images_that_are_published_compressed_alone_are_found(probe: Probe) -> None:
    probe.me.create_publisher(CompressedImage, "image_raw/compressed", qos.images("reliable"))
    wait_for(lambda: "/image_raw/compressed" in probe.report().message, "the topic to be named")
    assert "image_transport" in probe.report().message


def test_two_nodes_in_namespaces_have_statuses_of_their_own(
    make_probe: Callable[..., Probe],
) -> None:
    names = [make_probe(autostart=False, node={"namespace": ns}) for ns in ("left", "right")]
    assert [probe.report("model").name for probe in names] == [
        "/left/emotion_node: model",
        "/right/emotion_node: model",
    ]


def test_an_error_of_the_worker_is_an_error_in_diagnostics(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no logits")

    monkeypatch.setattr(probe.engine, "infer", fail)
    probe.offer(probe.image(bright()))
    report = probe.report("node")
    assert report.level == ERROR
    assert report.message == "recognition failed: RuntimeError: no logits"
    assert probe.values()["bad_input.internal_error"] == "1"
    monkeypatch.undo()
    assert probe.answer(probe.image(bright())).faces
