"""Each kind of bad input: one warning, one count, no array, and the next good image as usual."""

from __future__ import annotations

import array
from collections import Counter
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from fakes import bright
from probe import Probe, wait_for
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMessage

from edan_ros.engines import EngineError

Spoil = Callable[[ImageMessage], None]


def _set(**fields: object) -> Spoil:
    def spoil(message: ImageMessage) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return spoil


def _cut(message: ImageMessage) -> None:
    message.data = message.data[:-1]


def _extend(message: ImageMessage) -> None:
    message.data = message.data + array.array("B", [0])


#: What is wrong with a 320x240 bgr8 image -> (how, the reason it is counted under).
REFUSED: dict[str, tuple[Spoil, str]] = {
    "step too small": (_set(step=320 * 3 - 1), "step"),
    "step larger than the data": (_set(step=320 * 3 + 4), "data_length"),
    "data too short": (_cut, "data_length"),
    "data too long": (_extend, "data_length"),
    "no data": (_set(data=array.array("B")), "data_length"),
    "no width": (_set(width=0), "zero_size"),
    "no height": (_set(height=0), "zero_size"),
    "a width beyond all data": (_set(width=2**31), "step"),
    "unknown encoding": (_set(encoding="bgr9"), "encoding"),
    "no encoding": (_set(encoding=""), "encoding"),
    "float encoding": (_set(encoding="32FC3", step=320 * 12), "encoding"),
    "16 bits said, 8 bits sent": (_set(encoding="bgr16"), "step"),
}


def bad_input(probe: Probe) -> dict[str, int]:
    """What /diagnostics counts, by reason."""
    values = probe.values()
    prefix = "bad_input."
    counts = {k.removeprefix(prefix): int(n) for k, n in values.items() if k.startswith(prefix)}
    assert sum(counts.values()) == int(values["bad_input"])
    return counts


def warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if "[WARN]" in line]


def test_invalid_images_are_skipped_and_counted(
    probe: Probe, capfd: pytest.CaptureFixture[str]
) -> None:
    track = probe.answer(probe.image(bright())).faces[0].track_id
    for fault, (spoil, _) in REFUSED.items():
        message = probe.image(bright())
        spoil(message)
        probe.offer(message)
        # The next good image is as if nothing had been: the same person, and no array between.
        assert probe.answer(probe.image(bright())).faces[0].track_id == track, fault
    reasons = Counter(reason for _, reason in REFUSED.values())
    assert bad_input(probe) == reasons
    assert len(warnings(capfd.readouterr().err)) == len(reasons)


def _sixteen_bits(big_endian: bool) -> ImageMessage:
    samples = np.full((240, 320), 40_000, ">u2" if big_endian else "<u2")
    message = ImageMessage(height=240, width=320, encoding="mono16", step=640)
    message.is_bigendian = int(big_endian)
    message.data = array.array("B", samples.tobytes())
    return message


def _padded() -> ImageMessage:
    message = ImageMessage(height=240, width=320, encoding="mono8", step=384)
    message.data = array.array("B", np.full((240, 384), 200, np.uint8).tobytes())
    return message


def _uniform(width: int, height: int, grey: int) -> ImageMessage:
    message = ImageMessage(height=height, width=width, encoding="mono8", step=width)
    message.data = array.array("B", bytes([grey]) * (width * height))
    return message


#: Unusual, but readable: an array is published, and the remark is counted.
ACCEPTED: dict[str, tuple[Callable[[], ImageMessage], str, int]] = {
    "16 bits": (lambda: _sixteen_bits(False), "sixteen_bit", 1),
    "16 bits, big-endian": (lambda: _sixteen_bits(True), "sixteen_bit", 1),
    "rows with padding": (_padded, "padded_rows", 1),
    "1x1": (lambda: _uniform(1, 1, 0), "tiny_image", 0),
    "8000x6000": (lambda: _uniform(8000, 6000, 200), "huge_image", 1),
}


def test_unusual_images_are_used_and_counted(
    probe: Probe, capfd: pytest.CaptureFixture[str]
) -> None:
    probe.answer(probe.image(bright()))
    for kind, (make, _, faces) in ACCEPTED.items():
        message = make()
        message.header = probe.header()
        answer = probe.answer(message)
        assert (answer.image_width, answer.image_height) == (message.width, message.height), kind
        assert len(answer.faces) == faces, kind
        assert probe.answer(probe.image(bright())).faces, kind
    reasons = Counter(reason for _, reason, _ in ACCEPTED.values())
    assert bad_input(probe) == reasons
    assert len(warnings(capfd.readouterr().err)) == len(reasons)


def _jpeg() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def test_invalid_compressed_images_are_skipped_and_counted(
    make_probe: Callable[..., Probe], capfd: pytest.CaptureFixture[str]
) -> None:
    probe = make_probe(image_transport="compressed")
    topic = "image_raw/compressed"
    track = probe.answer(probe.compressed(bright()), topic).faces[0].track_id
    for data in (_jpeg()[: len(_jpeg()) // 2], b"this is not a picture", b""):
        probe.offer(CompressedImage(header=probe.header(), format="jpeg", data=data), topic)
        assert probe.answer(probe.compressed(bright()), topic).faces[0].track_id == track
    assert bad_input(probe) == {"cut_short": 1, "not_an_image": 2}
    assert len(warnings(capfd.readouterr().err)) == 2


def test_images_beyond_the_limit_of_memory_are_skipped_and_counted(
    make_probe: Callable[..., Probe],
) -> None:
    probe = make_probe(image_transport="compressed", max_image_bytes=1_000_000)
    topic = "image_raw/compressed"
    assert probe.answer(probe.compressed(bright()), topic).faces
    _, large = cv2.imencode(".png", np.full((800, 800), 200, np.uint8))
    data = large.tobytes()
    probe.offer(CompressedImage(header=probe.header(), format="png", data=data), topic)
    assert probe.answer(probe.compressed(bright()), topic).faces
    assert bad_input(probe) == {"too_large": 1}


def test_a_stamp_that_goes_back_is_counted_and_the_image_processed(
    probe: Probe, capfd: pytest.CaptureFixture[str]
) -> None:
    probe.answer(probe.image(bright(), 100.0))
    probe.answer(probe.image(bright(), 100.033))
    capfd.readouterr()
    back = probe.answer(probe.image(bright(), 50.0))
    assert back.header.stamp.sec == 50
    assert len(back.faces) == 1
    assert probe.answer(probe.image(bright(), 50.033)).faces
    assert bad_input(probe)["stamp"] == 1
    # On a busy machine there may be warnings of other causes.
    assert sum("stamp" in warning for warning in warnings(capfd.readouterr().err)) == 1


def test_a_pause_of_the_camera_is_not_bad_input(probe: Probe) -> None:
    probe.answer(probe.image(bright(), 100.0))
    assert probe.answer(probe.image(bright(), 160.0)).faces
    assert bad_input(probe) == {}


def test_images_without_stamps_are_tracked(probe: Probe) -> None:
    ids = {probe.answer(probe.image(bright(), 0.0)).faces[0].track_id for _ in range(3)}
    assert len(ids) == 1
    assert bad_input(probe) == {}


@pytest.mark.parametrize(
    ("width", "height", "posed"), [(640, 480, True), (320, 200, False), (0, 0, False)]
)
def test_camera_info_of_another_size_is_counted(
    probe: Probe, width: int, height: int, posed: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = np.array([300.0, 0, 160, 0, 300.0, 120, 0, 0, 1])
    probe.publish(info, "camera_info")

    def noticed() -> bool:
        face = probe.answer(probe.image(bright())).faces[0]
        assert not face.head_pose_valid or posed
        return "camera_info_size" in bad_input(probe)

    wait_for(noticed, "the calibration to be noticed")
    # Of the same shape, it is scaled; of another shape, there is no head pose.
    assert probe.answer(probe.image(bright())).faces[0].head_pose_valid == posed
    (warning,) = warnings(capfd.readouterr().err)
    assert "camera_info" in warning


def test_camera_info_with_an_unknown_distortion_is_counted(probe: Probe) -> None:
    info = CameraInfo(width=320, height=240, distortion_model="barrel")
    info.k = np.array([300.0, 0, 160, 0, 300.0, 120, 0, 0, 1])
    probe.publish(info, "camera_info")

    def noticed() -> bool:
        probe.answer(probe.image(bright()))
        return "camera_info" in bad_input(probe)

    wait_for(noticed, "the calibration to be noticed")
    assert not probe.answer(probe.image(bright())).faces[0].head_pose_valid


def test_warnings_of_one_kind_are_throttled_and_those_of_another_are_not(
    probe: Probe, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        for spoil, _ in (REFUSED["no width"], REFUSED["no encoding"]):
            message = probe.image(bright())
            spoil(message)
            probe.offer(message)
    assert bad_input(probe) == {"zero_size": 5, "encoding": 5}
    assert len(warnings(capfd.readouterr().err)) == 2


def test_an_engine_that_fails_costs_one_image(
    probe: Probe, capfd: pytest.CaptureFixture[str]
) -> None:
    infer = probe.engine.infer

    def fail(_: object) -> None:
        raise EngineError("out of memory")

    probe.engine.infer = fail
    probe.offer(probe.image(bright()))
    assert bad_input(probe) == {"engine_failed": 1}
    probe.engine.infer = infer
    assert probe.answer(probe.image(bright())).faces
    assert any("out of memory" in line for line in warnings(capfd.readouterr().err))
