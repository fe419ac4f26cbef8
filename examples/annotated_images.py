#!/usr/bin/env python3
"""Publish camera images with faces drawn in, with the Python interface instead of the nodes.

    python3 examples/annotated_images.py --ros-args -r image:=/camera/image_raw

`FaceAnalyzer.analyze` and `draw_faces` take `sensor_msgs/Image` as it is, and `fill` writes the
drawing into one. Encodings that edan_ros does not know go through cv_bridge where it is installed.
"""

from __future__ import annotations

import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from edan_ros import FaceAnalyzer, draw_faces


def annotate(analyzer: FaceAnalyzer, message: Image) -> Image:
    """Return the image with its faces drawn in."""
    faces = analyzer.analyze(message)
    return draw_faces(message, faces).fill(Image(header=message.header))


def main() -> None:
    """Annotate every image until Ctrl-C."""
    rclpy.init()
    node = Node("annotated_images")
    analyzer = FaceAnalyzer()
    publisher = node.create_publisher(Image, "image_annotated", 1)
    node.create_subscription(
        Image,
        "image",
        lambda message: publisher.publish(annotate(analyzer, message)),
        qos_profile_sensor_data,
    )
    rclpy.spin(node)


if __name__ == "__main__":
    main()
