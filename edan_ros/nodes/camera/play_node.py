"""Plays the images of a bag on their topics, for machines without `ros2 bag play`."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMessage

from edan_ros.core.wording import plural
from edan_ros.nodes.common import qos
from edan_ros.nodes.common.reporting import Health
from edan_ros.nodes.common.topics import MissingMessagesError, find_message_type
from edan_ros.sources.bag import BagPlayback, ScheduledMessage
from edan_ros.sources.base import SourceError
from edan_ros.sources.player import Listener, Player, PlayOptions

#: Images that are kept for a slow reliable subscriber.
_QUEUE_DEPTH = 5
#: Longest time to wait until the last images have arrived.
_FLUSH_TIMEOUT = Duration(seconds=5)


@dataclass(frozen=True)
class BagPlayOptions:
    """Options of the playback.

    Attributes:
        topics: of images; empty for all.
        start: seconds to skip.
        speed: 2.0 is twice as fast as recorded.
        loop: whether to start again at the end.
        clock: messages per second on /clock; 0.0 for none.
        reliability: one of qos.RELIABILITIES.
        wait: whether to start only when every image topic has a subscriber.
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

    At the end it shuts the context down, which ends the process. /clock has the time of the
    recording and jumps back when the recording starts again.

    Raises:
        SourceError: the bag cannot be read, has no such topic, or its messages are not installed.
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
        try:
            types = {kind: find_message_type(kind) for kind in self._playback.kinds.values()}
        except MissingMessagesError as error:
            raise SourceError(f"the images of {path} cannot be published: {error}") from error
        super().__init__(node_name, **kwargs)
        self._options = options
        profile = qos.images(options.reliability, _QUEUE_DEPTH)
        # Not `_publishers`, which is rclpy's own.
        self._outputs = {
            topic: self.create_publisher(types[kind], topic, profile)
            for topic, kind in self._playback.kinds.items()
        }
        self.published = 0
        #: Time of the recording in nanoseconds, and the monotonic time at which it was published.
        self._shown = (self._playback.begin, time.monotonic())
        self._clock_ns = 0
        self._clock_lock = threading.Lock()
        self._waiting = False
        if options.clock:
            self._clock_output = self.create_publisher(ClockMessage, "/clock", qos.RESULTS)
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self.create_timer(1.0 / options.clock, self._publish_clock, clock=steady)
        self.health = Health(self)
        self._player = Player(lambda: self._playback, PlayOptions(loop=options.loop), self)
        self._player.start()

    def destroy_node(self) -> None:
        """Stop the player and destroy the node."""
        self._player.stop()
        super().destroy_node()

    # Methods of Listener, called on the player's thread.

    def ready(self) -> bool:
        """Return whether the required subscribers are present."""
        if not self._options.wait:
            return True
        missing = [
            t for t in self._playback.images if not self._outputs[t].get_subscription_count()
        ]
        if missing and not self._waiting:
            self.get_logger().info(f"waiting for a subscriber on {', '.join(missing)}")
        self._waiting = bool(missing)
        return not missing

    def show(self, frame: ScheduledMessage, time_: float, begins: bool) -> None:  # noqa: ARG002
        """Publish a message that is due."""
        message = frame.message
        if message.time < self._shown[0]:
            self._clock_ns = 0  # the recording starts again
        self._shown = (message.time, time.monotonic())
        if self._options.clock:
            self._publish_clock()
        self._outputs[message.topic].publish(message.data)
        self.published += message.topic in self._playback.images

    def lost(self, reason: str) -> None:
        """Report that the bag is missing."""
        self.get_logger().error(reason)

    def ended(self) -> None:
        """Finish after the last message."""
        self.get_logger().info(f"the bag has ended: {plural(self.published, 'image')} published")
        if self._options.reliability == "reliable":
            for output in self._outputs.values():
                output.wait_for_all_acked(_FLUSH_TIMEOUT)
        self.context.try_shutdown()

    def failed(self, error: Exception) -> None:
        """Report that an error has ended the playback, and end the process with code 1."""
        self.health.record_end("the playback", error)
        self.health.publish()
        self.context.try_shutdown()

    def gone(self) -> bool:
        """Return whether the context is down, so that nothing can be published."""
        return not self.context.ok()

    def _publish_clock(self) -> None:
        """Publish the time of the recording, which advances between two messages, on /clock."""
        recorded, then = self._shown
        passed = time.monotonic() - then if self.published else 0.0
        now = recorded + round(passed * 1e9 * self._options.speed)
        # A late message must not move the time back.
        # The timer's and the player's thread publish; the lock keeps their messages in order.
        with self._clock_lock:
            self._clock_ns = max(self._clock_ns, now)
            stamp = Time(nanoseconds=self._clock_ns).to_msg()
            self._clock_output.publish(ClockMessage(clock=stamp))
