"""The cameras of `edan benchmark`: a process that publishes images it has ready, and counts them.

    python -m edan_ros.nodes.tools.benchmark_camera '{"resolution": "vga", "faces": 1, ...}'

The fields are those of CameraOptions. It prints COUNTING when images begin to count, and at the
end JSON: begin_ns, the stamp of the first that counted, and published, how many did.
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
#: Bytes of images held ready.
_READY = 64 * 2**20
#: Seconds that subscribers are waited for.
_PATIENCE = 15.0


@dataclass(frozen=True)
class CameraOptions:
    """What is published.

    topics: one a camera. hz: images a second on each. warm_up: seconds that do not count, before
    the ``seconds`` that do.
    """

    resolution: str
    faces: int
    topics: list[str]
    hz: float
    seconds: float
    warm_up: float = 2.0


class BenchmarkCamera(Node):
    """Publishes on all topics in turn, evenly spread over the period."""

    def __init__(self, options: CameraOptions) -> None:
        super().__init__("benchmark_camera")
        self._options = options
        self._cameras = [self._publisher(topic) for topic in options.topics]
        first, *_ = moving_faces(options.resolution, options.faces, 1)
        count = max(4, min(48, _READY // first.nbytes))
        images = moving_faces(options.resolution, options.faces, count)
        self._messages = [image_message(image, Header()) for image in images]

    def _publisher(self, topic: str) -> Publisher:
        return self.create_publisher(ImageMessage, topic, qos.images("best_effort"))

    def ready(self) -> bool:
        """Whether every topic has a subscriber."""
        return all(publisher.get_subscription_count() for publisher in self._cameras)

    def run(self) -> dict[str, int]:
        """Publish; the stamp from which images count, and their number."""
        options, cameras = self._options, len(self._cameras)
        step = 1.0 / (options.hz * cameras)
        start = due = time.monotonic()
        number = published = begin_ns = 0
        while due - start < options.warm_up + options.seconds:
            time.sleep(max(due - time.monotonic(), 0.0))
            # The pictures move on once all cameras have shown one.
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
            # Later than a whole period is not caught up with: a camera skips too.
            due = max(due + step, time.monotonic() - step)
        return {"begin_ns": begin_ns, "published": published}


def _main() -> None:
    """Wait for the subscribers, publish, print what was published."""
    prepare()
    options = CameraOptions(**json.loads(sys.argv[1]))
    rclpy.init()
    node = BenchmarkCamera(options)
    end = time.monotonic() + _PATIENCE
    while not node.ready():
        if time.monotonic() > end:
            sys.exit(f"nobody subscribed to {', '.join(options.topics)}")
        time.sleep(0.02)
    print(json.dumps(node.run()))
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    _main()
