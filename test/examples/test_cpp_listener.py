"""The C++ example: it uses fields that the messages have, builds, and prints what is published."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "cpp_listener"
SOURCE = (EXAMPLE / "src" / "cpp_listener.cpp").read_text()


def fields_of(message: str) -> set[str]:
    """Return the names of the fields in a message's definition."""
    lines = (ROOT / "msg" / f"{message}.msg").read_text().splitlines()
    return {line.split()[1] for line in lines if re.match(r"[A-Za-z]\S* +\w+( |$)", line)}


def test_it_uses_fields_that_the_messages_have() -> None:
    used = {
        "FaceEmotionArray": set(re.findall(r"\barray\.(\w+)", SOURCE)),
        "FaceEmotion": set(re.findall(r"\bface\.(\w+)", SOURCE)),
    }
    for message, names in used.items():
        assert names, message
        assert names <= fields_of(message)


def test_its_manifest_and_its_build_name_the_same_packages() -> None:
    root = ElementTree.parse(EXAMPLE / "package.xml").getroot()
    depends = {e.text for tag in ("buildtool_depend", "depend") for e in root.iter(tag)}
    build = (EXAMPLE / "CMakeLists.txt").read_text()
    assert set(re.findall(r"find_package\((\w+) REQUIRED\)", build)) == depends
    assert root.findtext("name") in re.findall(r"project\((\w+)", build)


def prefixes() -> list[Path]:
    """Return the folders in which ROS packages are installed."""
    named = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return [Path(p) for p in dict.fromkeys([*named, sys.prefix]) if p]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_builds_and_prints_the_faces(tmp_path: Path, ros_domain: int) -> None:  # noqa: ARG001
    rclpy = pytest.importorskip("rclpy")
    if not any((p / "share" / "rclcpp").is_dir() for p in prefixes()):
        pytest.skip("rclcpp is not installed")
    if shutil.which("cmake") is None or shutil.which("c++") is None:
        pytest.skip("no compiler is installed")
    path = os.pathsep.join(map(str, prefixes()))
    environment = os.environ | {"AMENT_PREFIX_PATH": path, "CMAKE_PREFIX_PATH": path}
    python = f"-DPython3_EXECUTABLE={sys.executable}"
    configure = ["cmake", "-S", EXAMPLE, "-B", tmp_path / "build", python, "-DCMAKE_CXX_FLAGS=-O0"]
    for command in (configure, ["cmake", "--build", tmp_path / "build"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    from edan_ros.msg import FaceEmotion, FaceEmotionArray

    from edan_ros.nodes.common import qos

    rclpy.init()
    node = rclpy.create_node("publisher")
    publisher = node.create_publisher(FaceEmotionArray, "faces", qos.RESULTS)
    arguments = ["--ros-args", "-p", "arrays:=1"]
    listener = subprocess.Popen(
        [tmp_path / "build" / "cpp_listener", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        end = time.monotonic() + 60.0
        while not publisher.get_subscription_count() and time.monotonic() < end:
            time.sleep(0.01)
        face = FaceEmotion(track_id=3, label="happy", confidence=0.75, head_pose_valid=True)
        face.head_pose.position.z = 1.5
        face.gaze_valid, face.gaze_yaw = True, -0.25
        publisher.publish(FaceEmotionArray(faces=[face]))
        printed, _ = listener.communicate(timeout=60.0)
    finally:
        listener.kill()
        node.destroy_node()
        rclpy.shutdown()
    assert "1 faces; 3: happy 0.75 at 1.50 m, gaze -0.25 rad to the side" in printed
    assert listener.returncode == 0
