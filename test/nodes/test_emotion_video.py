"""Cameras that publish H.264 and H.265, from the subscription to the array of faces."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import bright, dark
from probe import Probe, wait_for
from sensor_msgs.msg import CompressedImage

from edan_ros.nodes.camera.play_node import BagPlayOptions, PlayNode
from edan_ros.nodes.emotion.camera_input import IMAGE_TYPES
from edan_ros.sources import SourceError
from edan_ros.sources.video_packets import FFMPEG_PACKET, FOXGLOVE_VIDEO

sys.path.append(str(Path(__file__).parents[1] / "sources"))
from streams import encode
from video_bags import video_bag

TOPIC = "image_raw/foxglove"


@pytest.fixture
def video_probe(
    make_probe: Callable[..., Probe], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Probe]:
    """Makes nodes whose video messages are CompressedImage, which has the fields that are used."""
    monkeypatch.setitem(IMAGE_TYPES, "foxglove", "sensor_msgs/msg/CompressedImage")
    return lambda **options: make_probe(image_transport="foxglove", **options)


def packets(probe: Probe, codec: str, *levels: int) -> list[CompressedImage]:
    """A stream of images, each bright, with a face, or dark."""
    images = [bright() if level else dark() for level in levels]
    return [
        CompressedImage(header=probe.header(), format=codec, data=data)
        for data in encode(codec, images).values()
    ]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_each_packet_has_an_array_with_its_header(
    video_probe: Callable[..., Probe], codec: str
) -> None:
    probe = video_probe()
    for message, faces in zip(packets(probe, codec, 1, 1, 0, 1), (1, 1, 0, 1), strict=True):
        assert len(probe.answer(message, TOPIC).faces) == faces
    assert (probe.arrays[-1].image_width, probe.arrays[-1].image_height) == (320, 240)


def test_a_late_node_waits_for_the_key_frame_and_reports_it(
    video_probe: Callable[..., Probe],
) -> None:
    probe = video_probe()
    _, *rest = packets(probe, "h264", *[1] * 12)
    for message in rest[:9]:
        probe.offer(message, TOPIC)

    def is_reported() -> bool:
        probe.offer(rest[0], TOPIC)  # again, for diagnostics are of the last seconds
        return "waits for a key frame" in probe.report().message

    wait_for(is_reported, "the diagnostics")
    assert not probe.arrays
    assert int(probe.values()["bad_input.key_frame"]) >= 10
    assert len(probe.answer(rest[9], TOPIC).faces) == 1


def test_packets_that_wait_are_all_decoded_and_the_newest_is_used(
    video_probe: Callable[..., Probe],
) -> None:
    probe = video_probe()
    first, second, *later = packets(probe, "h264", *[1] * 8)
    probe.answer(first, TOPIC)
    probe.engine.gate.clear()
    before = probe.engine.runs
    probe.publish(second, TOPIC)
    wait_for(lambda: probe.engine.runs > before, "the engine to run")
    for message in later:
        probe.receive(message, TOPIC)
    probe.engine.gate.set()
    wait_for(lambda: len(probe.arrays) == 3, "the arrays")
    assert probe.arrays[-1].header == later[-1].header
    figures = probe.figures()
    assert (figures.received, figures.processed, figures.dropped) == (8, 3, 5)
    assert not figures.bad


def test_after_a_lost_packet_the_node_goes_on_at_the_key_frame(
    video_probe: Callable[..., Probe],
) -> None:
    probe = video_probe()
    stream = packets(probe, "h264", *[1] * 12)
    for number, message in enumerate(stream):
        if number != 6:
            probe.offer(message, TOPIC)
    wait_for(lambda: len(probe.arrays) == 8, "the arrays")
    stamps = [array.header.stamp for array in probe.arrays]
    assert stamps == [stream[n].header.stamp for n in (*range(6), 10, 11)]
    assert probe.figures().bad == {"key_frame": 3}


def test_messages_that_are_not_installed_are_named(
    make_probe: Callable[..., Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(IMAGE_TYPES, "ffmpeg", "missing_video_msgs/msg/Packet")
    probe = make_probe(image_transport="ffmpeg", autostart=False)
    assert not probe.transition("configure")
    assert probe.state() == "unconfigured"
    assert "missing_video_msgs is not installed" in probe.report("model").message


def test_a_bag_is_not_played_without_its_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ffmpeg_image_transport_msgs.msg", None)
    bag = video_bag(tmp_path / "bag", FFMPEG_PACKET, "h264")
    with pytest.raises(SourceError, match="ffmpeg_image_transport_msgs is not installed"):
        PlayNode(bag, BagPlayOptions())


@pytest.mark.parametrize(
    ("transport", "kind"), [("ffmpeg", FFMPEG_PACKET), ("foxglove", FOXGLOVE_VIDEO)]
)
def test_the_messages_of_the_packages_themselves(
    make_probe: Callable[..., Probe], transport: str, kind: str
) -> None:
    package, _, name = kind.split("/")
    messages = pytest.importorskip(f"{package}.msg", reason=f"{package} is not installed")
    probe = make_probe(image_transport=transport)

    def convert(packet: CompressedImage) -> Any:
        made = getattr(messages, name)(data=packet.data)
        if transport == "ffmpeg":
            made.header, made.encoding = packet.header, "libx264;yuv420p;bgr8;bgr8"
        else:
            made.timestamp, made.frame_id = packet.header.stamp, packet.header.frame_id
            made.format = packet.format
        return made

    stream = packets(probe, "h264", 1, 0, 1)
    for message, count in zip(stream, (1, 2, 3), strict=True):
        probe.publish(convert(message), f"image_raw/{transport}")
        wait_for(lambda count=count: len(probe.arrays) == count, "an array")
        assert probe.arrays[-1].header == message.header
    assert [len(array.faces) for array in probe.arrays] == [1, 0, 1]
