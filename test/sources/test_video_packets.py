"""Video in packets: every order of loss, damage, size and codec that a topic can deliver."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import GOP, encode, foxglove, moving

from edan_ros.core.images import Image, ImageError
from edan_ros.core.images.still_image import DecodeLimits
from edan_ros.sources.h264 import FrameNumbers, nal_units
from edan_ros.sources.video_packets import ImageDecoder, PacketDecoder, codec_of

CODECS = ("h264", "hevc")
COUNT = 3 * GOP
IMAGES = moving(COUNT)
STREAMS = {codec: encode(codec, IMAGES) for codec in CODECS}


def decode(
    decoder: PacketDecoder[int], codec: str, packets: dict[int, bytes]
) -> tuple[dict[int, Any], list[str]]:
    """Decode packets by number: the frames by the number of their packet, and the faults."""
    frames: dict[int, Any] = {}
    faults = []
    for number, data in packets.items():
        try:
            found = decoder.decode(data, codec, number)
        except ImageError as error:
            faults.append(error.reason)
        else:
            frames |= {each.origin: each.image().pixels for each in found}
    return frames, faults


def difference(image: Image, other: Image) -> float:
    """The mean difference in grey levels; colour has a quarter of the resolution in a video."""
    return float(np.abs(image.gray().astype(float) - other.gray()).mean())


def expected_without(lost: set[int], count: int = COUNT) -> list[int]:
    """The frames that can be decoded: up to a lost one, and from the next key frame on."""
    whole, synced = [], False
    for number in range(count):
        if number in lost:
            synced = False
        elif synced or number % GOP == 0:
            synced = True
            whole.append(number)
    return whole


@pytest.mark.parametrize("codec", CODECS)
def test_every_frame_comes_with_its_own_packet(codec: str) -> None:
    decoder: PacketDecoder[int] = PacketDecoder()
    for number, image in enumerate(IMAGES):
        (frame,) = decoder.decode(STREAMS[codec][number], codec, number)
        assert frame.origin == number
        gray = frame.image(gray=True)
        assert gray.order == "mono"
        assert difference(gray, Image(image)) < 3.0
        assert difference(frame.image(), gray) < 3.0


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=10, deadline=None)
@given(lost=st.sets(st.integers(0, COUNT - 1), max_size=6))
def test_after_lost_packets_frames_are_whole_or_missing(codec: str, lost: set[int]) -> None:
    whole, _ = decode(PacketDecoder(), codec, STREAMS[codec])
    kept = {n: data for n, data in STREAMS[codec].items() if n not in lost}
    found, faults = decode(PacketDecoder(), codec, kept)
    assert list(found) == expected_without(lost)
    for number, pixels in found.items():
        np.testing.assert_array_equal(pixels, whole[number])
    assert set(faults) <= {"key_frame"}
    assert len(found) + len(faults) == len(kept)


@pytest.mark.parametrize("codec", CODECS)
def test_a_stream_that_is_joined_late_waits_for_its_key_frame(codec: str) -> None:
    kept = dict(list(STREAMS[codec].items())[4:])
    found, faults = decode(PacketDecoder(), codec, kept)
    assert list(found) == list(range(GOP, COUNT))
    assert faults == ["key_frame"] * (GOP - 4)


@pytest.mark.parametrize("codec", CODECS)
def test_size_and_codec_change_at_a_key_frame(codec: str) -> None:
    other = CODECS[1 - CODECS.index(codec)]
    decoder: PacketDecoder[int] = PacketDecoder()
    sizes = []
    for name, width, height in ((codec, 96, 64), (codec, 64, 96), (other, 128, 80)):
        found, faults = decode(decoder, name, encode(name, moving(GOP, width, height)))
        assert not faults
        sizes.append({pixels.shape for pixels in found.values()})
        assert len(found) == GOP
    assert sizes == [{(64, 96, 3)}, {(96, 64, 3)}, {(80, 128, 3)}]


@pytest.mark.parametrize("codec", CODECS)
def test_reordered_frames_keep_the_packet_that_they_came_with(codec: str) -> None:
    decoder: PacketDecoder[int] = PacketDecoder()
    packets = encode(codec, IMAGES, reordered=True)
    found, _ = decode(decoder, codec, packets)
    found |= {each.origin: each.image().pixels for each in decoder.flush()}
    assert sorted(found) == list(range(COUNT))
    for number, image in enumerate(IMAGES):
        assert difference(Image(found[number]), Image(image)) < 5.0


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_damaged_packets_do_no_harm_beyond_the_next_key_frame(codec: str, data: Any) -> None:
    packets = dict(STREAMS[codec])
    whole, _ = decode(PacketDecoder(), codec, packets)
    number = data.draw(st.integers(0, GOP - 1))
    at = data.draw(st.integers(0, len(packets[number])))
    tail = data.draw(st.binary(max_size=40))
    packets[number] = packets[number][:at] + tail
    found, _ = decode(PacketDecoder(), codec, packets)
    later = [n for n in found if n >= GOP]
    assert later == list(range(GOP, COUNT))
    for n in later:
        np.testing.assert_array_equal(found[n], whole[n])


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=20, deadline=None)
@given(packets=st.lists(st.binary(max_size=200), max_size=4))
def test_garbage_is_an_image_error_at_most(codec: str, packets: list[bytes]) -> None:
    decoder: PacketDecoder[int] = PacketDecoder()
    prefixed = [b"\0\0\1" + data for data in packets] + packets
    _, faults = decode(decoder, codec, dict(enumerate([STREAMS[codec][0], *prefixed])))
    assert set(faults) <= {"key_frame", "damaged_video"}


@pytest.mark.parametrize("codec", CODECS)
def test_packets_without_a_frame_are_counted_as_missing(codec: str) -> None:
    unit_delimiter = b"\0\0\1" + (b"\x09\xf0" if codec == "h264" else b"\x46\x01\x50")
    decoder: PacketDecoder[int] = PacketDecoder()
    packets = {0: STREAMS[codec][0]} | dict.fromkeys(range(1, 30), unit_delimiter)
    found, faults = decode(decoder, codec, packets)
    assert list(found) == [0]
    assert len(faults) == 29


def test_an_image_above_the_limit_is_refused() -> None:
    decoder: PacketDecoder[int] = PacketDecoder(DecodeLimits(max_image_bytes=1_000_000))
    found, faults = decode(decoder, "h264", encode("h264", moving(1, 640, 480)))
    assert not found
    assert faults == ["damaged_video"]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("h264", "h264"),
        ("libx264", "h264"),
        ("h264_nvenc", "h264"),
        ("hevc;yuv420p;bgr8;bgr8", "hevc"),
        ("H265", "hevc"),
    ],
)
def test_publishers_name_the_codec_in_many_ways(name: str, codec: str) -> None:
    assert codec_of(name) == codec


def test_another_codec_is_named() -> None:
    with pytest.raises(ImageError, match="encoded as 'vp9': publish h264 or hevc"):
        codec_of("vp9")


def test_frame_numbers_wrap_around_without_a_gap() -> None:
    numbers = FrameNumbers()
    packets = encode("h264", moving(40), gop=40)  # frame_num has 4 to 6 bits
    assert not any(numbers.is_frame_missing(nal_units(data)) for data in packets.values())


@settings(max_examples=50, deadline=None)
@given(packets=st.lists(st.binary(max_size=64), max_size=6))
def test_headers_of_any_content_are_read_without_an_error(packets: list[bytes]) -> None:
    numbers = FrameNumbers()
    head = nal_units(STREAMS["h264"][0])
    numbers.is_frame_missing(head)
    for data in packets:
        numbers.is_frame_missing(nal_units(b"\0\0\1\x67" + data + b"\0\0\1\x68" + data))
        numbers.is_frame_missing(nal_units(b"\0\0\1\x41" + data))


def test_a_topic_gives_each_image_with_its_own_origin() -> None:
    decoder: ImageDecoder[str] = ImageDecoder()
    ((origin, image),) = decoder.decode(foxglove(STREAMS["hevc"][0], "h265"), "first", gray=True)
    assert origin == "first"
    assert image.pixels.shape == (64, 96)
    assert decoder.flush() == []
