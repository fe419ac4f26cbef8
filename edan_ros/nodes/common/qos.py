"""Quality of service of every topic."""

from __future__ import annotations

from copy import copy
from typing import Any

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

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
    "overridable",
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


def overridable(profile: QoSProfile) -> dict[str, Any]:
    """Return arguments of create_publisher and create_subscription for a QoS that users may change.

    rclpy declares the parameters qos_overrides.<topic>.<publisher or subscription>.<policy> for
    history, depth and reliability, with the profile's values as defaults.
    """
    options = QoSOverridingOptions.with_default_policies()
    return {"qos_profile": copy(profile), "qos_overriding_options": options}  # rclpy changes it
