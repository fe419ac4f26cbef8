"""Both nodes in one process, started as a user does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from edan_ros.msg import FaceEmotionArray  # noqa: E402
from rclpy.node import Node  # noqa: E402

from edan_ros.cli.main import main  # noqa: E402

EDAN = [sys.executable, "-m", "edan_ros.cli.main", "run"]


@pytest.fixture
def listener(ros_domain: int) -> Iterator[Node]:  # noqa: ARG001
    """A node in the domain that the child processes are in too."""
    rclpy.init()
    node = Node("listener")
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def write_images(folder: Path, count: int) -> str:
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((120, 160, 3), 90, np.uint8))
    return str(folder)


def start(*arguments: str) -> subprocess.Popen[str]:
    without_desktop = {k: v for k, v in os.environ.items() if not k.endswith("DISPLAY")}
    return subprocess.Popen(
        [*EDAN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=without_desktop,
    )


def receive(node: Node, arrays: list[FaceEmotionArray], count: int) -> None:
    deadline = time.monotonic() + 100.0
    while len(arrays) < count:
        assert time.monotonic() < deadline
        rclpy.spin_once(node, timeout_sec=0.1)


def test_faces_are_published_until_ctrl_c(tmp_path: Path, listener: Node) -> None:
    arrays: list[FaceEmotionArray] = []
    listener.create_subscription(FaceEmotionArray, "/car/faces", arrays.append, 10)
    process = start(
        write_images(tmp_path, 3),
        *["--rate", "20", "--loop", "--namespace", "car", "--topic", "cabin/image"],
        *["--view", "--detector", "full_frame", "--ros-args", "-p", "frame_id:=cabin_optical"],
    )
    receive(listener, arrays, 8)
    assert listener.count_publishers("/car/cabin/image") == 1
    assert listener.count_publishers("/car/cabin/camera_info") == 1
    assert listener.count_subscribers("/car/cabin/camera_info") == 1
    assert arrays[0].header.frame_id == "cabin_optical"
    assert (arrays[0].image_width, arrays[0].image_height) == (160, 120)
    assert process.stdout is not None
    address = process.stdout.readline().split()[0]
    deadline = time.monotonic() + 100.0
    cameras: list[dict[str, Any]] = []
    while not cameras:
        assert time.monotonic() < deadline
        with urllib.request.urlopen(f"{address}state", timeout=30) as answer:
            cameras = json.load(answer)["cameras"]
    assert [camera["name"] for camera in cameras] == ["/car/faces"]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert "Traceback" not in output


@pytest.mark.usefixtures("ros_domain")
def test_it_ends_with_the_recording(tmp_path: Path) -> None:
    process = start(write_images(tmp_path, 3), "--rate", "20")
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert "3 images published" in output


@pytest.mark.usefixtures("ros_domain")
def test_an_invalid_parameter_is_one_sentence(tmp_path: Path) -> None:
    process = start(write_images(tmp_path, 1), "--ros-args", "-p", "jpeg_quality:=500")
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "jpeg_quality" in output
    assert "Traceback" not in output


def test_a_model_that_does_not_exist_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "demo", "--model", "edan-light"]) == 1
    assert capsys.readouterr().err.startswith("edan run: no model is called 'edan-light'")


@pytest.mark.usefixtures("ros_domain")
def test_a_failed_start_ends_the_run_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    images = write_images(tmp_path, 1)
    assert main(["run", images, "--detector-model", str(tmp_path / "text.onnx")]) == 1
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("edan run: ")
    assert "text.onnx" in error.splitlines()[-1]
