"""Plays a bag's images as its cameras took them, for machines without `ros2 bag play`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sensor_msgs.msg
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMessage

from edan_ros.nodes.common import qos
from edan_ros.nodes.common.reporting import Health
from edan_ros.sources.bag import BagPlayback, Due
from edan_ros.sources.player import Listener, Player, PlayOptions

#: Images that wait for a slow reliable subscriber.
_QUEUE = 5
#: Seconds that the last images are given to arrive.
_FLUSH = Duration(seconds=5)


@dataclass(frozen=True)
class BagPlayOptions:
    """How to play a bag.

    topics: of images, all without any. start: seconds to leave out. speed: 2.0 is twice as fast.
    clock: messages a second on /clock, 0.0 for none. reliability: of qos.RELIABILITIES. wait:
    begin when somebody listens to every image topic.
    """

    topics: tuple[str, ...] = ()
    start: float = 0.0
    speed: float = 1.0
    loop: bool = False
    clock: float = 0.0
    reliability: str = "reliable"
    wait: bool = False


class PlayNode(Node, Listener):
    """Publishes the images of a bag and their calibrations on their topics, unchanged.

    At the end the context is shut down, and so the process ends. /clock shows the time of the
    recording and goes back where the recording begins anew.

    Raises SourceError when the bag cannot be read, or has no such topic.
    """

    def __init__(
        self, path: Path, options: BagPlayOptions, node_name: str = "play_node", **kwargs: Any
    ) -> None:
        self._playback = BagPlayback(
            path,
            options.topics,
            start=options.start,
            speed=options.speed,
            log=lambda line: self.get_logger().warning(line),
        )
        super().__init__(node_name, **kwargs)
        self._options = options
        profile = qos.images(options.reliability, _QUEUE)
        # Not `_publishers`, which is rclpy's own.
        self._outputs = {
            topic: self.create_publisher(_message_type(kind), topic, profile)
            for topic, kind in self._playback.kinds.items()
        }
        self.published = 0
        #: Time of the recording in ns, and when it was that.
        self._shown = (self._playback.begin, time.monotonic())
        self._told = 0
        self._waiting = False
        if options.clock:
            self._clock_output = self.create_publisher(ClockMessage, "/clock", qos.RESULTS)
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self.create_timer(1.0 / options.clock, self._tell_time, clock=steady)
        self.health = Health(self)
        self._player = Player(lambda: self._playback, PlayOptions(loop=options.loop), self)
        self._player.start()

    def destroy_node(self) -> None:
        """Stops publishing, then lets go of the node."""
        self._player.stop()
        super().destroy_node()

    # What the player tells, on its thread.

    def ready(self) -> bool:
        """Whether everybody is there who was to be waited for."""
        if not self._options.wait:
            return True
        missing = [
            t for t in self._playback.images if not self._outputs[t].get_subscription_count()
        ]
        if missing and not self._waiting:
            self.get_logger().info(f"waiting for somebody to listen to {', '.join(missing)}")
        self._waiting = bool(missing)
        return not missing

    def show(self, frame: Due, time_: float, begins: bool) -> None:  # noqa: ARG002
        """Publishes a message that is due."""
        message = frame.message
        if message.time < self._shown[0]:
            self._told = 0  # anew from the beginning
        self._shown = (message.time, time.monotonic())
        if self._options.clock:
            self._tell_time()
        self._outputs[message.topic].publish(message.data)
        self.published += message.topic in self._playback.images

    def lost(self, reason: str) -> None:
        """The bag is gone."""
        self.get_logger().error(reason)

    def ended(self) -> None:
        """The last message is published."""
        self.get_logger().info(f"the bag has ended: {self.published} images published")
        if self._options.reliability == "reliable":
            for output in self._outputs.values():
                output.wait_for_all_acked(_FLUSH)
        self.context.try_shutdown()

    def failed(self, error: Exception) -> None:
        """Report that an error has ended the playback, and end the process with code 1."""
        self.health.record_end("the playback", error)
        self.health.publish()
        self.context.try_shutdown()

    def gone(self) -> bool:
        """Whether the context is down, where nothing can be published."""
        return not self.context.ok()

    def _tell_time(self) -> None:
        """The time of the recording on /clock; between two messages it goes on with the speed."""
        recorded, then = self._shown
        passed = time.monotonic() - then if self.published else 0.0
        now = recorded + round(passed * 1e9 * self._options.speed)
        # A message that came late would let the time go back.
        self._told = max(self._told, now)
        self._clock_output.publish(ClockMessage(clock=Time(nanoseconds=self._told).to_msg()))


def _message_type(kind: str) -> type:
    return getattr(sensor_msgs.msg, kind.rpartition("/")[2])
