"""One camera of the emotion node."""

from __future__ import annotations

from dataclasses import replace

from probe import wait_for
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image as ImageMessage

from edan_ros.nodes.common import qos
from edan_ros.nodes.emotion.camera_input import CameraInput, CameraOptions, ReceivedImage


def test_a_camera_is_overloaded_for_a_while_after_a_replaced_image(
    ros: None,  # noqa: ARG001
) -> None:
    """One image that is processed in time does not end the overload."""
    node = LifecycleNode("overload")
    camera = CameraInput(node, "front", CameraOptions("raw", "reliable", rectified=False))
    received: list[ReceivedImage] = []

    def enqueue(_key: str, image: ReceivedImage) -> bool:
        received.append(image)
        return len(received) == 2  # the second image replaces the first one

    camera.subscribe(enqueue)
    publisher = node.create_publisher(ImageMessage, camera.topic, qos.images("reliable"))
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def arrived(count: int) -> bool:
        executor.spin_once(timeout_sec=0.02)
        return len(received) >= count

    wait_for(publisher.get_subscription_count, "the subscription")
    publisher.publish(ImageMessage())
    wait_for(lambda: arrived(1), "the first image")
    assert not camera.is_overloaded(received[0])
    publisher.publish(ImageMessage())
    wait_for(lambda: arrived(2), "the second image")
    second = received[1]
    assert camera.is_overloaded(second)
    assert camera.is_overloaded(replace(second, time=second.time + 0.1))
    assert not camera.is_overloaded(replace(second, time=second.time + 0.3))
    executor.shutdown()
    node.destroy_node()
