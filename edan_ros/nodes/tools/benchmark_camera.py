"""The cameras of `edan benchmark`: a process that publishes prepared images and counts them.

    python -m edan_ros.nodes.tools.benchmark_camera '{"resolution": "vga", "faces": 1, ...}'

The argument has the fields of StreamOptions. The process prints COUNTING when it starts to count,
and JSON at the end: begin_ns, the stamp of the first counted image, and published, their number.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass

import rclpy
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from edan_ros.benchmark.synthetic_images import moving_faces
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.conversions import image_message
from edan_ros.nodes.common.environment import prepare

COUNTING = "counting"
#: Bytes of prepared images.
_IMAGE_BYTES = 64 * 2**20
#: Seconds to wait for subscribers.
_SUBSCRIBER_TIMEOUT = 15.0


@dataclass(frozen=True)
class StreamOptions:
    """The images to publish.

    Attributes:
        resolution: name of the image size.
        faces: number of faces in each image.
        topics: one per camera.
        hz: images per second on each topic.
        seconds: duration of the counted part.
        warm_up: seconds before it.
    """

    resolution: str
    faces: int
    topics: list[str]
    hz: float
    seconds: float
    warm_up: float = 2.0


class BenchmarkCamera(Node):
    """Publishes on all topics in turn, evenly distributed over the period."""

    def __init__(self, options: StreamOptions) -> None:
        super().__init__("benchmark_camera")
        self._options = options
        self._cameras = [self._publisher(topic) for topic in options.topics]
        first, *_ = moving_faces(options.resolution, options.faces, 1)
        count = max(4, min(48, _IMAGE_BYTES // first.nbytes))
        images = moving_faces(options.resolution, options.faces, count)
        self._messages = [image_message(image, Header()) for image in images]

    def _publisher(self, topic: str) -> Publisher:
        return self.create_publisher(ImageMessage, topic, qos.images("best_effort"))

    def ready(self) -> bool:
        """Return whether every topic has a subscriber."""
        return all(publisher.get_subscription_count() for publisher in self._cameras)

    def run(self) -> dict[str, int]:
        """Publish, and return the stamp of the first counted image and their number."""
        options, cameras = self._options, len(self._cameras)
        step = 1.0 / (options.hz * cameras)
        start = due = time.monotonic()
        number = published = begin_ns = 0
        while due - start < options.warm_up + options.seconds:
            time.sleep(max(due - time.monotonic(), 0.0))
            # All cameras publish an image before the next one.
            message = self._messages[number // cameras % len(self._messages)]
            stamp_ns = time.time_ns()
            message.header.frame_id = "camera_optical_frame"
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
            self._cameras[number % cameras].publish(message)
            if due - start >= options.warm_up:
                if not published:
                    begin_ns = stamp_ns
                    print(COUNTING, flush=True)
                published += 1
            number += 1
            # A delay of more than one period is not made up for, as by a camera.
            due = max(due + step, time.monotonic() - step)
        return {"begin_ns": begin_ns, "published": published}


def _main() -> None:
    """Wait for the subscribers, publish, and print the result."""
    prepare()
    options = StreamOptions(**json.loads(sys.argv[1]))
    rclpy.init()
    node = BenchmarkCamera(options)
    end = time.monotonic() + _SUBSCRIBER_TIMEOUT
    while not node.ready():
        if time.monotonic() > end:
            sys.exit(f"no subscriber on {', '.join(options.topics)}")
        time.sleep(0.02)
    print(json.dumps(node.run()))
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    _main()
