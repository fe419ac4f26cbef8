"""/diagnostics of a running node: once a second, in every state, with the reason for silence."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from fakes import bright, dark
from probe import Probe, wait_for

from edan_ros.nodes import qos


def says(probe: Probe, *words: str) -> None:
    """Wait until the camera's entry contains the words."""
    wait_for(lambda: all(word in probe.report().message for word in words), f"{words}")


def test_it_reports_once_a_second_with_simulated_time_too(make_probe: Callable[..., Probe]) -> None:
    probe = make_probe(use_sim_time=True)
    start, before = time.monotonic(), len(probe.reports)
    wait_for(lambda: len(probe.reports) >= before + 4, "four reports")
    assert 2.5 < time.monotonic() - start < 4.5
    # The node's clock stands at zero: images are processed, and reports go on.
    assert probe.answer(probe.image(bright())).faces
    assert probe.reports[-1].header.stamp.sec == 0


def test_the_life_of_a_camera(probe: Probe, capfd: pytest.CaptureFixture[str]) -> None:
    assert probe.set(silence_timeout=0.5)[0]
    says(probe, "no images yet", "nobody publishes", "/image_raw")
    probe.answer(probe.image(dark()))
    says(probe, "gone", "still there")
    publisher = probe._publishers.pop("image_raw")
    probe.me.destroy_publisher(publisher)
    says(probe, "gone", "publisher is gone")
    capfd.readouterr()
    probe.answer(probe.image(dark()))
    assert probe.values()["outages"] == "1"
    assert "images again after" in capfd.readouterr().err
    assert probe.set(silence_timeout=30.0)[0]
    says(probe, "back")


def test_nobody_in_the_picture(probe: Probe) -> None:
    probe.answer(probe.image(dark()))
    says(probe, "no face seen yet")
    probe.answer(probe.image(bright()))
    says(probe, "1 face")
    probe.answer(probe.image(dark()))
    says(probe, "no face for")
    assert probe.report().hardware_id == "front_optical"


def test_a_quality_of_service_that_does_not_fit(
    make_probe: Callable[..., Probe], capfd: pytest.CaptureFixture[str]
) -> None:
    probe = make_probe(image_reliability="reliable")
    publisher = probe.me.create_publisher(
        type(probe.image(bright())), "image_raw", qos.images("best_effort")
    )
    says(probe, "QoS mismatch", "reliability", "best_effort")
    assert probe.report().level == b"\x02"
    assert "image_reliability=reliable" in capfd.readouterr().err
    probe.me.destroy_publisher(publisher)
    probe.answer(probe.image(bright()), reliability="reliable")
    says(probe, "1 face")


def test_a_camera_too_fast_for_the_machine(probe: Probe) -> None:
    infer = probe.engine.infer

    def slow(crops: object) -> object:
        time.sleep(0.2)
        return infer(crops)

    probe.engine.infer = slow
    for _ in range(60):
        probe.publish(probe.image(bright()))
        time.sleep(0.02)
    says(probe, "slow")
    figures = probe.values()
    received, dropped = int(figures["images_received"]), int(figures["images_dropped"])
    processed = int(figures["images_processed"])
    assert received == 60
    assert dropped > 40
    assert received - dropped - processed <= 2
    # It never waits for more than the image at work and its own.
    assert float(figures["latency_p99_ms"]) < 600.0


def test_the_model_is_named(probe: Probe) -> None:
    entry = probe.report("model")
    assert entry.level == b"\x00"
    values = {pair.key: pair.value for pair in entry.values}
    assert values["state"] == "active"
    assert values["model"] == "fake"
    assert values["engine"] == "fake"
    assert values["detector"] == "fake"
    assert len(values["sha256"]) == 64
