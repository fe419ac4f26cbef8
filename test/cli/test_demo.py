"""The demo from end to end: processes, topics, files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from edan_ros.msg import FaceEmotionArray  # noqa: E402

from edan_ros.engines import select_model  # noqa: E402

pytestmark = [pytest.mark.usefixtures("ros_domain"), pytest.mark.slow]

#: The demo's main thread is this one's in a script of its own, as Ctrl-C needs it.
EDAN = [sys.executable, "-m", "edan_ros.cli.main"]


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*EDAN, "demo", "--out", str(out), *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    )


def demo(out: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    process = start(out, *arguments)
    output, _ = process.communicate(timeout=250)
    return process.returncode, output


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]


def test_the_built_in_scene(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("matplotlib")
    code, output = demo(tmp_path, "--seconds", "4")
    assert code == 0, output
    records = lines(tmp_path)
    stamps = np.array([record["stamp"] for record in records])
    # Of 25 images a second not one is missing: the stamps are those of the source.
    assert len(records) >= 100
    np.testing.assert_allclose(np.diff(stamps), 0.04, atol=1e-5)
    seconds = stamps - stamps[0]
    assert seconds[-1] == pytest.approx(4.0)
    counts = np.array([len(record["faces"]) for record in records])
    assert not counts[seconds < 0.7].any(), "nobody at first"
    assert (counts[(seconds > 2.2) & (seconds < 3.9)] == 1).mean() > 0.9, "then one person"
    face = records[85]["faces"][0]
    x, y, width, height = face["roi"]
    landmarks = np.array(face["landmarks"])
    assert landmarks.shape == (68, 2)
    # The roi is of whole pixels, and a landmark lies up to half a pixel from the centre of its own.
    assert (np.abs(landmarks.min(axis=0) - (x, y)) <= 0.51).all()
    assert (np.abs(landmarks.max(axis=0) - (x + width - 1, y + height - 1)) <= 0.51).all()
    assert sum(face["probabilities"]) == pytest.approx(1.0, abs=0.001)
    assert all(0 < record["latency_ms"] < 10_000 for record in records)
    assert "appears" in output
    assert "with a face" in output
    with av.open(str(tmp_path / "demo.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, seconds, atol=0.002)
    sheet = cv2.imread(str(tmp_path / "demo.png"))
    assert sheet.shape[1] > 1000
    info = json.loads((tmp_path / "run.json").read_text())
    assert info["model"]["name"] == select_model().name
    assert info["settings"]["smoothing_time"] == "0.4"


def test_images_without_faces(tmp_path: Path) -> None:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((120, 160, 3), 90, np.uint8))
    code, output = demo(tmp_path / "out", "--source", str(tmp_path / "*.png"), "--rate", "10")
    assert code == 0, output
    assert [record["faces"] for record in lines(tmp_path / "out")] == [[]] * 4
    assert "0.0 %" in output


def running_demo(tmp_path: Path, out: Path) -> subprocess.Popen[str]:
    """A demo on 300 images that has written its first images."""
    for number in range(300):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((120, 160, 3), 90, np.uint8))
    process = start(out, "--source", str(tmp_path), "--rate", "20")
    deadline = time.monotonic() + 120.0
    while not (out / "demo.mp4").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)
    return process


def children(pid: int) -> set[int]:
    """Process numbers of the children of a process."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.add(int(status.parent.name))
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def test_a_killed_demo_takes_its_nodes_with_it(tmp_path: Path) -> None:
    process = running_demo(tmp_path, tmp_path / "out")
    nodes = children(process.pid)
    assert len(nodes) == 2
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 60.0
    while alive(nodes):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_a_summary_and_whole_files(
    tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    process = running_demo(tmp_path, out)
    nodes = children(process.pid)
    process.send_signal(number)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert "images" in output
    assert "Traceback" not in output
    records = lines(out)
    assert 1 <= len(records) < 300
    with av.open(str(out / "demo.mp4")) as container:
        frames = len(list(container.decode(video=0)))
    # The image of the very last result may not have come before the end.
    assert len(records) - 1 <= frames <= len(records)
    assert not alive(nodes)


def test_two_demos_at_a_time_do_not_interfere(tmp_path: Path) -> None:
    for number in range(12):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((120, 160, 3), 90, np.uint8))
    arguments = ("--source", str(tmp_path), "--rate", "4")
    processes = [start(tmp_path / f"out{run}", *arguments) for run in range(2)]
    output = [process.communicate(timeout=250)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], output
    assert sorted("/demo_2/faces" in text for text in output) == [False, True]
    assert [len(lines(tmp_path / f"out{run}")) for run in range(2)] == [12, 12]


def test_another_publisher_on_the_topics_is_an_error(tmp_path: Path) -> None:
    rclpy.init()
    other = rclpy.create_node("other")
    other.create_publisher(FaceEmotionArray, "/demo/faces", 1)
    try:
        code, output = demo(tmp_path, "--seconds", "5")
    finally:
        other.destroy_node()
        rclpy.try_shutdown()
    assert code == 1
    assert "other nodes publish below /demo too" in output


def test_a_missing_model_ends_the_demo_with_the_reason(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    code, output = demo(tmp_path, "--source", str(tmp_path / "a.png"), "--model", "nope")
    assert code == 1
    assert "emotion_node did not start" in output
    assert "no model is called 'nope'" in output
    assert "Traceback" not in output
