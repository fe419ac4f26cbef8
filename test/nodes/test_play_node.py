"""Bags played to the real nodes; what comes back equals what `edan bag` writes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

sys.path.insert(
    0, str(Path(__file__).parents[1] / "sources")
)  # how the tests of sources write bags

from bags import (  # noqa: E402
    SECOND,
    STORE,
    camera_info,
    header,
    write_bag,
    write_humble_bag,
)
from edan_ros.msg import FaceEmotionArray, ModelInfo  # noqa: E402
from probe import wait_for  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.serialization import deserialize_message  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage  # noqa: E402
from sensor_msgs.msg import Image as ImageMessage  # noqa: E402
from spinner import Spinner  # noqa: E402

from edan_ros.cli.main import main  # noqa: E402
from edan_ros.nodes.camera.play_node import BagPlayOptions, PlayNode  # noqa: E402
from edan_ros.nodes.common import qos  # noqa: E402
from edan_ros.nodes.emotion.emotion_node import EmotionNode  # noqa: E402
from edan_ros.sources.bag_reader import BagReader, Message  # noqa: E402

START = 1_700_000_000 * SECOND
FRONT, CABIN = "/front/image_raw", "/cabin/image_raw/compressed"
KINDS = {FRONT: ImageMessage, CABIN: CompressedImage, "/front/camera_info": CameraInfo}


class Room:
    """Nodes on threads of their own, destroyed together, and what they have published."""

    def __init__(self) -> None:
        self.me = Node("listener")
        self._spinners = [Spinner(self.me)]

    def add(self, node: Node) -> Any:
        self._spinners.append(Spinner(node))
        return node

    def play(self, path: Path, options: BagPlayOptions) -> PlayNode:
        """A player in a context of its own, which it shuts down at the end of the bag."""
        context = Context()
        rclpy.init(context=context)
        node = PlayNode(path, options, context=context)
        self._spinners.append(Spinner(node, context=context))
        return node

    def hear(self, kind: type, topic: str, profile: Any = qos.RESULTS) -> list[Any]:
        kept: list[Any] = []
        self.me.create_subscription(kind, topic, kept.append, profile)
        return kept

    def close(self) -> None:
        for spinner in self._spinners:
            spinner.close()


@pytest.fixture
def room(ros: None) -> Iterator[Room]:  # noqa: ARG001
    room = Room()
    yield room
    room.close()


def encoded(image: np.ndarray) -> tuple[int, int, np.ndarray]:
    return image.shape[0], image.shape[1], image.ravel()


def photographs(count: int) -> list[np.ndarray]:
    """A woman who smiles, moved and scaled a little from image to image."""
    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    woman = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)[:300, 80:380]
    moved = []
    for i in range(count):
        matrix = np.array([[1 + 0.004 * i, 0, 20 + 1.5 * i], [0, 1 + 0.004 * i, 10 + 0.5 * i]])
        moved.append(cv2.warpAffine(woman, matrix, (400, 320), borderMode=cv2.BORDER_REPLICATE))
    return moved


@pytest.fixture(scope="module")
def messages() -> list[tuple[str, int, Any]]:
    """Two cameras at 5 Hz, 4 s: raw with calibration, and JPEG."""
    types, messages = STORE.types, []
    for i, pixels in enumerate(photographs(20)):
        front, cabin = START + i * SECOND // 5, START + (2 * i + 1) * SECOND // 10
        info = camera_info(front, focal=400.0)
        info.width, info.height = pixels.shape[1], pixels.shape[0]
        height, width, data = encoded(pixels)
        image = types["sensor_msgs/msg/Image"](
            header(front, "front"), height, width, "bgr8", 0, 3 * width, data
        )
        jpeg = cv2.imencode(".jpg", pixels[:, ::-1])[1].ravel()
        squeezed = types["sensor_msgs/msg/CompressedImage"](header(cabin, "cabin"), "jpeg", jpeg)
        messages.append(("/front/camera_info", front + 1_000_000, info))
        messages.append((FRONT, front + 2_000_000, image))
        messages.append((CABIN, cabin + 3_000_000, squeezed))
    return messages


@pytest.fixture(scope="module")
def bag(messages: list[tuple[str, int, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bag(tmp_path_factory.mktemp("play") / "bag", messages, "mcap", "storage")


@pytest.fixture(scope="module")
def humble_bag(
    messages: list[tuple[str, int, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bag that `ros2 bag` of every distribution reads."""
    return write_humble_bag(tmp_path_factory.mktemp("play") / "humble", messages)


def recorded(path: Path, *topics: str) -> list[Message]:
    with BagReader(path) as reader:
        return list(reader.messages(topics or None))


def test_messages_are_published_as_recorded(room: Room, bag: Path) -> None:
    profile = qos.images("reliable", 100)
    heard = {topic: room.hear(kind, topic, profile) for topic, kind in KINDS.items()}
    options = BagPlayOptions(wait=True, speed=8.0)
    node = room.play(bag, options)
    wait_for(lambda: not node.context.ok(), "the end of the bag")
    assert node.published == 40
    for topic, kind in KINDS.items():
        wait_for(lambda kept=heard[topic]: len(kept) == 20, "all messages")
        wanted = [deserialize_message(message.data, kind) for message in recorded(bag, topic)]
        assert heard[topic] == wanted


def test_start_rate_loop_and_topics(room: Room, bag: Path) -> None:
    heard = room.hear(ImageMessage, FRONT, qos.images("reliable", 100))
    options = BagPlayOptions((FRONT,), start=3.0, speed=4.0, loop=True, wait=True)
    node = room.play(bag, options)
    wait_for(lambda: len(heard) >= 12, "two rounds and more")
    stamps = [m.header.stamp.sec + 1e-9 * m.header.stamp.nanosec - START / SECOND for m in heard]
    assert stamps[:11] == pytest.approx([3.0, 3.2, 3.4, 3.6, 3.8] * 2 + [3.0])
    assert node.count_publishers(CABIN) == 0


def test_the_clock_is_that_of_the_recording_and_never_goes_back(room: Room, bag: Path) -> None:
    clocks = room.hear(Clock, "/clock", qos.images("reliable", 2000))
    node = room.play(bag, BagPlayOptions(speed=4.0, clock=100.0))
    wait_for(lambda: not node.context.ok(), "the end of the bag")
    times = np.array([c.clock.sec * SECOND + c.clock.nanosec for c in clocks])
    assert (np.diff(times) >= 0).all()
    assert START < times[0] < times[-1] <= START + 5 * SECOND
    assert len(times) > 50


def edan_play(room: Room, path: Path) -> None:
    """As `edan play PATH --wait --clock --rate 0.5`."""
    node = room.play(path, BagPlayOptions(wait=True, clock=40.0, speed=0.5))
    wait_for(lambda: not node.context.ok(), "the end of the bag", timeout=60.0)


def ros2_bag_play(room: Room, path: Path) -> None:  # noqa: ARG001
    """As docs/how-to/bags.md has it."""
    if shutil.which("ros2") is None or subprocess.run(["ros2", "bag", "play", "--help"]).returncode:
        pytest.skip("`ros2 bag` is not installed here")
    # It does not wait for listeners: they have the delay to find it.
    command = ["ros2", "bag", "play", str(path), "--clock", "--rate", "0.5", "--delay", "5"]
    subprocess.run([*command, "--disable-keyboard-controls"], check=True, timeout=240.0)


# Slower than recorded, so that nothing is dropped on a slow machine either.
@pytest.mark.parametrize("play", [edan_play, ros2_bag_play])
def test_offline_results_equal_the_live_nodes(
    room: Room, humble_bag: Path, tmp_path: Path, play: Callable[[Room, Path], None]
) -> None:
    """Labels equal, probabilities within 1e-4, for every image of both cameras."""
    out = tmp_path / "with_faces"
    assert main(["bag", str(humble_bag), "--out", str(out)]) == 0
    live = {}
    for name, transport in (("front", "raw"), ("cabin", "compressed")):
        live[name] = room.hear(FaceEmotionArray, f"/{name}/faces", qos.images("reliable", 100))
        given = {"use_sim_time": True, "image_transport": transport}
        given["image_reliability"] = "reliable"
        room.add(
            EmotionNode(
                f"emotion_{name}",
                namespace=name,
                parameter_overrides=[Parameter(k, value=v) for k, v in given.items()],
            )
        )
    info = room.hear(ModelInfo, "/front/model_info", qos.LATCHED)
    play(room, humble_bag)
    for arrays in live.values():
        wait_for(lambda heard=arrays: len(heard) == 20, "all results")
    for name, arrays in live.items():
        offline = [
            deserialize_message(message.data, FaceEmotionArray)
            for message in recorded(out, f"/{name}/faces")
        ]
        assert len(arrays) == len(offline) == 20
        assert [a.header for a in arrays] == [a.header for a in offline]
        for mine, theirs in zip(offline, arrays, strict=True):
            assert len(mine.faces) == len(theirs.faces) == 1
            one, other = mine.faces[0], theirs.faces[0]
            assert (one.label, one.emotion, one.polarity) == (
                other.label,
                other.emotion,
                other.polarity,
            )
            assert one.roi == other.roi
            assert one.action_units == other.action_units
            for field in ("probabilities", "raw_probabilities", "action_unit_intensities"):
                difference = np.subtract(getattr(one, field), getattr(other, field))
                assert np.abs(difference).max() <= 1e-4
            assert one.head_pose_valid == other.head_pose_valid
        assert any(array.faces[0].label != "unknown" for array in arrays)
    assert all(array.faces[0].head_pose_valid for array in live["front"][2:])
    (model,) = recorded(out, "/model_info")
    ours = deserialize_message(model.data, ModelInfo)
    assert (ours.name, ours.sha256, ours.labels) == (info[0].name, info[0].sha256, info[0].labels)
