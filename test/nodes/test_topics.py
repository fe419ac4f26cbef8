"""Where a camera's images and calibration are looked for, as remapped."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from rclpy.node import Node

from edan_ros.nodes.common.topics import camera_topics


@pytest.mark.parametrize(
    ("remapped", "compressed", "image", "info"),
    [
        ({}, False, "/image_raw", "/camera_info"),
        ({}, True, "/image_raw/compressed", "/camera_info"),
        ({"image_raw": "/cam/image_raw"}, False, "/cam/image_raw", "/cam/camera_info"),
        ({"image_raw": "/cam/image_raw"}, True, "/cam/image_raw/compressed", "/cam/camera_info"),
        ({"image_raw/compressed": "/cam/jpeg"}, True, "/cam/jpeg", "/cam/camera_info"),
        (
            {"image_raw/compressed": "/cam/x/compressed"},
            True,
            "/cam/x/compressed",
            "/cam/camera_info",
        ),
        ({"image_raw": "/cam/x", "camera_info": "/calibration"}, False, "/cam/x", "/calibration"),
    ],
)
def test_a_remapping_of_the_images_moves_camera_info_too(
    ros: None,  # noqa: ARG001
    remapped: dict[str, str],
    compressed: bool,
    image: str,
    info: str,
) -> None:
    rules = [part for old, new in remapped.items() for part in ("-r", f"{old}:={new}")]
    node = Node("camera", cli_args=["--ros-args", *rules])
    assert camera_topics(node, transport="compressed" if compressed else "raw") == (image, info)
    node.destroy_node()
