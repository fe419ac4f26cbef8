"""The emotion node as a process of its own: signals, exit codes, the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from edan_ros.msg import FaceEmotionArray
from lifecycle_msgs.srv import GetState
from probe import TIMEOUT, wait_for
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image as ImageMessage
from spinner import Spinner
from std_msgs.msg import Header

from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import image_message

EXECUTABLE = Path(__file__).parents[2] / "scripts" / "executables" / "emotion_node"


#: Seconds after which a request without an answer is sent again.
PATIENCE = 5.0
Process = subprocess.Popen[str]
Start = Callable[..., Process]


@pytest.fixture
def start(ros: None) -> Iterator[Start]:  # noqa: ARG001
    """Starts the node's executable with arguments; output goes to its ``stderr``."""
    processes: list[Process] = []

    def run(*arguments: str) -> Process:
        command = [sys.executable, str(EXECUTABLE), "--ros-args", *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def me(ros: None) -> Iterator[Node]:  # noqa: ARG001
    """A client of the process."""
    node = Node("me")
    spinner = Spinner(node)
    yield node
    spinner.close()


def state(me: Node, name: str = "emotion_node") -> str:
    """The lifecycle state.

    A busy server drops its answer to a client that it has not discovered: the request is repeated.
    """
    client = me.create_client(GetState, f"{name}/get_state")
    assert client.wait_for_service(TIMEOUT)
    futures: list[tuple[float, Future]] = []

    def answer() -> GetState.Response | None:
        if not futures or time.monotonic() - futures[-1][0] > PATIENCE:
            futures.append((time.monotonic(), client.call_async(GetState.Request())))
        return next((future.result() for _, future in futures if future.done()), None)

    label = wait_for(answer, "the state").current_state.label
    me.destroy_client(client)
    return label


def end(process: Process, with_signal: int) -> str:
    """End the process by a signal, with exit code 0. Returns what it printed."""
    process.send_signal(with_signal)
    _, text = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, text
    assert "Traceback" not in text
    return text


def test_sigterm_ends_the_node_under_another_name(start: Start, me: Node) -> None:
    process = start("-r", "__ns:=/robot", "-r", "__node:=eyes")
    wait_for(lambda: state(me, "/robot/eyes") == "active", "the node to be active")
    wait_for(lambda: me.count_publishers("/robot/faces") == 1, "the topic")
    assert me.count_subscribers("/robot/image_raw") == 1
    assert me.count_publishers("/diagnostics") == 1
    end(process, signal.SIGTERM)


def test_a_signal_ends_the_node_among_images(start: Start, me: Node) -> None:
    process = start("-r", "image_raw:=pictures")
    arrays: list[FaceEmotionArray] = []
    me.create_subscription(FaceEmotionArray, "faces", arrays.append, qos.RESULTS)
    publisher = me.create_publisher(ImageMessage, "pictures", qos.images("best_effort"))
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)

    def publish() -> bool:
        publisher.publish(image_message(pixels, Header(frame_id="camera")))
        time.sleep(0.02)
        return len(arrays) > 5

    wait_for(publish, "arrays")
    process.send_signal(signal.SIGINT)
    wait_for(lambda: (publish(), process.poll() is not None)[1], "the end")
    _, text = process.communicate()
    assert process.returncode == 0, text
    assert "Traceback" not in text


def test_two_signals_are_as_good_as_one(start: Start, me: Node) -> None:
    """A terminal sends SIGINT to `ros2 launch` and the node, and then the launch sends its own."""
    process = start()
    wait_for(lambda: state(me) == "active", "the node to be active")
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    end(process, signal.SIGINT)


def test_a_missing_model_leaves_the_process_alive(start: Start, me: Node) -> None:
    process = start("-p", "model:=/no/such/model.onnx")
    assert state(me) == "unconfigured"
    time.sleep(0.5)
    assert process.poll() is None
    assert state(me) == "unconfigured"
    text = end(process, signal.SIGINT)
    assert text.count("/no/such/model") == 1


@pytest.mark.parametrize(
    ("argument", "word"),
    [
        ("confidence_threshold:=high", "confidence_threshold"),
        ("cameras:=[front, front]", "cameras"),
    ],
)
def test_an_invalid_parameter_gives_one_sentence_and_an_exit_code(
    start: Start, argument: str, word: str
) -> None:
    process = start("-p", argument)
    _, text = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert word in text
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) == 1
