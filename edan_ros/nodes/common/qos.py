"""The quality of service of every topic, and the events that tell when two sides do not fit."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble has them under the older name
    from rclpy.qos_event import SubscriptionEventCallbacks

__all__ = [
    "CAMERA_INFO",
    "LATCHED",
    "RELIABILITIES",
    "RESULTS",
    "SubscriptionEventCallbacks",
    "images",
]

#: Values of a parameter that chooses the reliability of images.
RELIABILITIES = ("best_effort", "reliable")

#: What is computed from images: nothing is lost, and a late subscriber waits for the next.
RESULTS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
)

#: One message that a late subscriber gets too.
LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

#: Fits every publisher of calibrations.
CAMERA_INFO = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)


def images(reliability: str, depth: int = 1) -> QoSProfile:
    """The profile of an image topic.

    reliability: one of RELIABILITIES. depth: images that wait in the middleware.
    """
    policy = ReliabilityPolicy[reliability.upper()]
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=policy)
