"""The environment for ROS: which Fast DDS profile is chosen, and that it carries large images."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import namedtuple
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
from edan_ros.nodes.common import environment

Usage = namedtuple("Usage", "total used free")
NAMES = tuple(environment.FASTDDS_VARIABLES.values())
IMAGES = 40
PUBLISHER = f"""
import array, time
from edan_ros.nodes.common.environment import prepare
prepare()
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
qos = QoSProfile(depth={IMAGES}, reliability=ReliabilityPolicy.BEST_EFFORT)
publisher = rclpy.create_node("camera").create_publisher(Image, "image", qos)
image = Image(width=1920, height=1080, encoding="bgr8", step=5760)
image.data = array.array("B", bytes(image.step * image.height))
deadline = time.monotonic() + 120
while publisher.get_subscription_count() == 0 and time.monotonic() < deadline:
    time.sleep(0.05)
time.sleep(1)
for _ in range({IMAGES}):
    publisher.publish(image)
    time.sleep(1 / 30)
time.sleep(2)
rclpy.shutdown()
"""


@pytest.fixture(autouse=True)
def no_profile_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        # Set first: what the code under test sets is then taken back at the end.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def give_shared_memory(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: Usage(free, 0, free))


def test_prepare_lets_fast_dds_and_the_package_index_find_what_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    environment.prepare()
    profiles = {os.environ[name] for name in NAMES if name in os.environ}
    assert len(profiles) == 1
    assert Path(profiles.pop()).is_file()
    assert sys.prefix in os.environ["AMENT_PREFIX_PATH"].split(os.pathsep)


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/their/profile.xml")
    assert environment.fastdds_variables() == {}
    environment.prepare()
    assert {os.environ.get(other) for other in NAMES} == {"/their/profile.xml", None}


@pytest.mark.parametrize(
    ("free", "segment"), [(8 * 2**30, 64 * 2**20), (64 * 2**20, 14 * 2**20)], ids=["8 GB", "64 MB"]
)
def test_the_segment_fits_the_shared_memory(
    monkeypatch: pytest.MonkeyPatch, free: int, segment: int
) -> None:
    give_shared_memory(monkeypatch, free)
    (profile,) = set(environment.fastdds_variables().values())
    names = {"dds": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    root = ElementTree.parse(profile).getroot()
    assert int(root.findtext(".//dds:segment_size", "", names)) == segment
    types = [node.text for node in root.iterfind(".//dds:transport_descriptor/dds:type", names)]
    assert types == ["SHM", "UDPv4"]
    # A lost announcement delays the discovery of a restarted node by this; the default is 3 s.
    announcement = root.findtext(".//dds:leaseAnnouncement/dds:sec", "", names)
    lease = root.findtext(".//dds:leaseDuration/dds:sec", "", names)
    assert (announcement, lease) == ("1", "10")


@pytest.mark.usefixtures("ros_domain")
def test_every_large_best_effort_image_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """1920x1080 in colour at 30 Hz between two processes; without the profile few arrive."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    monkeypatch.setenv("AMENT_PREFIX_PATH", os.environ.get("AMENT_PREFIX_PATH", ""))
    environment.prepare()
    context = rclpy.Context()
    rclpy.init(context=context)
    received: list[int] = []
    try:
        node = rclpy.create_node("viewer", context=context)
        # So deep that a busy machine loses none in the queue: what is tested is the transport.
        qos = QoSProfile(depth=IMAGES, reliability=ReliabilityPolicy.BEST_EFFORT)
        node.create_subscription(
            Image, "image", lambda image: received.append(len(image.data)), qos
        )
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        with subprocess.Popen([sys.executable, "-c", PUBLISHER]) as publisher:
            while publisher.poll() is None and len(received) < IMAGES:
                executor.spin_once(timeout_sec=0.1)
            publisher.terminate()
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
    assert received == [1920 * 1080 * 3] * IMAGES
