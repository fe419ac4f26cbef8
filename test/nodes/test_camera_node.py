"""The camera node over real DDS."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from camera_listener import CameraListener, nanoseconds, values, write_pictures  # noqa: E402
from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from probe import TIMEOUT, wait_for  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.exceptions import ParameterException  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from edan_ros.core.message_fields import camera_model  # noqa: E402
from edan_ros.nodes.camera import camera_node  # noqa: E402
from edan_ros.nodes.camera.camera_node import CameraNode  # noqa: E402
from edan_ros.nodes.common.conversions import image_message  # noqa: E402
from edan_ros.nodes.common.processes import NodeProcess, ros_arguments  # noqa: E402

CALIBRATION = """\
{image_width: 64, image_height: 48, distortion_model: plumb_bob,
 camera_matrix: {data: [50.0, 0, 31.5, 0, 51.0, 23.5, 0, 0, 1]},
 distortion_coefficients: {data: [0.1, -0.2, 0, 0, 0]}}
"""


@pytest.fixture
def listen(ros: None) -> Iterator[Callable[..., CameraListener]]:  # noqa: ARG001
    """Makes camera nodes, each with a listener, and takes them down."""
    made: list[CameraListener] = []

    def make(**options: object) -> CameraListener:
        made.append(CameraListener(**options))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


Listen = Callable[..., CameraListener]


def test_every_image_comes_in_order(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 40)
    camera = listen(source=str(source), rate=100.0)
    images = camera.wait_for_images(40)
    assert [image.data[0] for image in images] == list(range(40))
    first = images[0]
    assert (first.width, first.height, first.step, first.encoding) == (64, 48, 192, "bgr8")
    assert len(first.data) == 48 * 192
    assert first.header.frame_id == "camera_optical_frame"
    status = camera.wait_for_status("the recording has ended")
    assert status.level == DiagnosticStatus.OK
    assert values(status)["images_published"] == "40"
    assert len(images) == 40


def test_best_effort_is_the_default(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 3)
    camera = listen(
        source=str(source), rate=50.0, reliability="best_effort", image_reliability="best_effort"
    )
    camera.wait_for_images(1)
    (info,) = camera.node.get_publishers_info_by_topic("/image_raw")
    assert info.qos_profile.reliability.name == "BEST_EFFORT"


def test_stamps_are_current_and_the_rate_is_kept(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 10)
    before = time.time_ns()
    camera = listen(source=str(source), rate=20.0)
    stamps = np.array([nanoseconds(image.header) for image in camera.wait_for_images(10)])
    assert before < stamps[0]
    assert stamps[-1] < time.time_ns()
    # One image may be late on a busy machine, and close to the next one; never two in a row.
    assert (stamps[2:] - stamps[:-2]).min() > 0.02e9, "in a burst"
    assert stamps[-1] - stamps[0] > 0.44e9


def test_recorded_stamps_keep_the_time_of_the_source(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 5)
    camera = listen(source=str(source), rate=100.0, stamps="recorded", frame_id="front")
    images = camera.wait_for_images(5)
    stamps = np.array([nanoseconds(image.header) for image in images])
    np.testing.assert_array_equal(np.diff(stamps), 10_000_000)
    assert {image.header.frame_id for image in images} == {"front"}


def test_a_loop_continues(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 3)
    camera = listen(source=str(source), rate=100.0, loop=True, stamps="recorded")
    images = camera.wait_for_images(8)[:8]
    assert [image.data[0] for image in images] == [0, 1, 2, 0, 1, 2, 0, 1]
    np.testing.assert_array_equal(np.diff([nanoseconds(i.header) for i in images]), 10_000_000)


def test_a_calibration_is_published_with_each_image(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "pictures", 3)
    (tmp_path / "camera.yaml").write_text(CALIBRATION)
    camera = listen(source=str(source), rate=50.0, calibration=str(tmp_path / "camera.yaml"))
    images = camera.wait_for_images(3)
    wait_for(lambda: len(camera.infos) == 3, "camera_info")
    assert [info.header for info in camera.infos] == [image.header for image in images]
    model = camera_model(camera.infos[0])
    np.testing.assert_allclose(model.K, [[50, 0, 31.5], [0, 51, 23.5], [0, 0, 1]])
    np.testing.assert_allclose(model.D, [0.1, -0.2, 0, 0, 0])
    np.testing.assert_allclose(
        np.reshape(camera.infos[0].p, (3, 4)), [[50, 0, 31.5, 0], [0, 51, 23.5, 0], [0, 0, 1, 0]]
    )


def test_a_field_of_view_replaces_a_calibration(listen: Listen, tmp_path: Path) -> None:
    camera = listen(source=str(write_pictures(tmp_path, 1)), field_of_view=90.0)
    camera.wait_for_images(1)
    wait_for(lambda: camera.infos, "camera_info")
    assert camera_model(camera.infos[0]).K[0, 0] == pytest.approx(32.0)


def test_a_calibration_of_another_size_is_held_back(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "pictures", 2, width=32)
    (tmp_path / "camera.yaml").write_text(CALIBRATION)
    camera = listen(source=str(source), rate=50.0, calibration=str(tmp_path / "camera.yaml"))
    camera.wait_for_images(2)
    camera.wait_for_status("the recording has ended")
    assert camera.infos == []


def test_compressed_images_hold_the_same_pixels(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 2)
    camera = listen(source=str(source), rate=10.0, compressed=True, jpeg_quality=95)
    images = camera.wait_for_images(2)
    wait_for(lambda: len(camera.compressed) == 2, "compressed images")
    message = camera.compressed[1]
    assert message.header == images[1].header
    pixels = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (48, 64, 3)
    assert abs(int(pixels.mean()) - 1) <= 1


def test_a_missing_source_is_reported_and_retried(listen: Listen, tmp_path: Path) -> None:
    camera = listen(source=str(tmp_path / "later"), rate=50.0, retry=0.05)
    status = camera.wait_for_status("no images: there is no")
    assert status.level == DiagnosticStatus.ERROR
    assert values(status)["outages"] == "1"
    (tmp_path / "made").mkdir()
    write_pictures(tmp_path / "made", 3).rename(tmp_path / "later")
    camera.wait_for_images(3)
    assert camera.wait_for_status("the recording has ended").level == DiagnosticStatus.OK


class BrokenSource:
    """A source whose decoder raises an unexpected error."""

    rate, live = 10.0, False

    def frames(self) -> Iterator[object]:
        raise RuntimeError("bad frame")
        yield


def test_a_frame_that_cannot_be_published_is_skipped_and_reported(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def convert(pixels: np.ndarray, *rest: object) -> object:
        if pixels[0, 0, 0] == 2:
            raise OverflowError("stamp out of range")
        return image_message(pixels, *rest)

    monkeypatch.setattr(camera_node, "image_message", convert)
    camera = listen(source=str(write_pictures(tmp_path, 5)), rate=50.0)
    images = camera.wait_for_images(4)
    assert [image.data[0] for image in images] == [0, 1, 3, 4]
    status = camera.wait_for_status("a frame was skipped: OverflowError")
    assert status.level == DiagnosticStatus.ERROR
    assert not camera.node.health.ended


def test_the_end_of_the_player_stays_an_error_in_diagnostics(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(camera_node, "create_source", lambda *_, **__: BrokenSource())
    camera = listen(source="any", wait_for_subscribers=0)
    status = camera.wait_for_status("the player has ended: RuntimeError: bad frame")
    assert status.name == "/camera_node: node"
    assert status.level == DiagnosticStatus.ERROR
    source = next(s for report in camera.reports for s in report.status if "bad frame" in s.message)
    assert source.name == "/camera_node: source"
    assert "Traceback" in capfd.readouterr().err
    assert camera.node.health.ended


def test_a_number_is_a_webcam(listen: Listen) -> None:
    # What `ros2 run edan_ros camera_node --ros-args -p source:=987` gives.
    camera = listen(source=987)
    assert "webcam 987 does not exist" in camera.wait_for_status("no images").message


def test_unreadable_images_are_counted(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 3)
    (source / "1.png").write_bytes(b"broken")
    camera = listen(source=str(source), rate=50.0)
    status = camera.wait_for_status("the recording has ended")
    assert values(status)["frames_left_out"] == "1"
    assert [image.data[0] for image in camera.images] == [0, 2]


def levels(camera: CameraListener) -> set[int]:
    """Of the received images; the first is published again until it is acknowledged."""
    return {image.data[0] for image in camera.images}


def test_waiting_for_acknowledgements(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 4)
    camera = listen(
        source=str(source),
        rate=100.0,
        wait_for_acknowledgement=True,
        acknowledgement_timeout=TIMEOUT,
    )
    for number in range(4):
        wait_for(lambda n=number: n in levels(camera), f"image {number}")
        time.sleep(0.15)
        assert levels(camera) == set(range(number + 1)), "the next image waits"
        camera.acknowledge(camera.images[-1])
    status = camera.wait_for_status("the recording has ended")
    assert values(status)["not_acknowledged"] == "0"
    assert float(values(status)["behind_the_recording_s"]) > 0.2


def test_it_continues_without_acknowledgement_after_the_timeout(
    listen: Listen, tmp_path: Path
) -> None:
    source = write_pictures(tmp_path, 3)
    camera = listen(
        source=str(source),
        rate=100.0,
        wait_for_acknowledgement=True,
        acknowledgement_timeout=0.1,
    )
    camera.wait_for_images(3)
    status = camera.wait_for_status("the recording has ended")
    assert values(status)["not_acknowledged"] == "3"


def test_the_first_image_is_sent_until_it_is_acknowledged(listen: Listen, tmp_path: Path) -> None:
    source = write_pictures(tmp_path, 2)
    camera = listen(
        source=str(source),
        rate=100.0,
        wait_for_acknowledgement=True,
        acknowledgement_timeout=TIMEOUT,
    )
    again = camera.wait_for_images(3)
    assert {nanoseconds(image.header) for image in again} == {nanoseconds(again[0].header)}
    camera.acknowledge(again[0])
    wait_for(lambda: camera.images[-1].data[0] == 1, "the second image")
    time.sleep(1.2)
    assert sum(image.data[0] == 1 for image in camera.images) == 1, "it is sent once"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"source": ""}, "source is '': name a webcam"),
        ({"source": 1.5}, "source is '1.5': name a webcam"),
        ({"source": True}, "source is 'True': name a webcam"),
        ({"rate": -1.0}, "rate out of range"),
        ({"stamps": "never"}, "must be one of now, recorded"),
        ({"at_end": "explode"}, "must be one of exit, stay"),
        ({"calibration": "a.yaml", "field_of_view": 60.0}, "not both"),
        ({"calibration": "none.yaml"}, r"calibration none\.yaml cannot be read"),
    ],
)
def test_bad_parameters_are_refused(
    listen: Listen, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterException, match=message):
        listen(**parameters)


def start(troubles: list[str], **parameters: object) -> NodeProcess:
    return NodeProcess("camera_node", ros_arguments(parameters), troubles.append)


@pytest.mark.usefixtures("ros_domain")
def test_the_process_ends_with_the_recording(tmp_path: Path) -> None:
    # A name that YAML, a shell and ROS would all like to read differently.
    source = write_pictures(tmp_path / "a: 'b' \"ü\" #", 3)
    troubles: list[str] = []
    camera = start(troubles, source=str(source), rate=50.0)
    assert wait_for(lambda: camera.exit_code() is not None, "the end")
    assert camera.exit_code() == 0
    wait_for(lambda: any("3 images published" in line for line in camera.tail), "its last line")
    assert troubles == []


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    troubles: list[str] = []
    camera = start(troubles, source=str(tmp_path / "none"), retry=600.0)
    wait_for(lambda: troubles, "the first error")
    camera.send(number)
    wait_for(lambda: camera.exit_code() is not None, "the end")
    assert camera.exit_code() == 0
    assert len(troubles) == 1, troubles


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize("awaited", [0, 1])
def test_the_context_may_go_down_while_it_publishes_or_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, awaited: int
) -> None:
    """As on Ctrl-C, when the player's thread is in the middle of something."""
    raised: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(str(args.exc_value)))
    context = Context()
    rclpy.init(context=context)
    given = {"source": str(write_pictures(tmp_path, 2)), "rate": 500.0, "loop": True}
    given["wait_for_subscribers"] = awaited
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    before = set(threading.enumerate())
    node = CameraNode(context=context, parameter_overrides=overrides)
    (player,) = (t for t in set(threading.enumerate()) - before if t.name == "player")
    time.sleep(0.2)
    assert player.is_alive()
    context.try_shutdown()
    player.join(TIMEOUT)  # it fails without a request to stop
    assert not player.is_alive()
    node.destroy_node()
    assert raised == []
