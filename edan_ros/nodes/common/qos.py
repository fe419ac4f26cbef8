"""Quality of service of every topic."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # the older name, on Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

__all__ = [
    "CAMERA_INFO",
    "LATCHED",
    "RELIABILITIES",
    "RESULTS",
    "SubscriptionEventCallbacks",
    "images",
]

#: Values of a parameter for the reliability of images.
RELIABILITIES = ("best_effort", "reliable")

#: Results: none is lost, and a late subscriber waits for the next one.
RESULTS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
)

#: The newest message, which late subscribers get too.
LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

#: Matches every publisher of calibrations.
CAMERA_INFO = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)


def images(reliability: str, depth: int = 1) -> QoSProfile:
    """Return the profile of an image topic.

    Args:
        reliability: one of RELIABILITIES.
        depth: images that the middleware keeps.
    """
    policy = ReliabilityPolicy[reliability.upper()]
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=policy)
