"""Quality of service as users override it, by the parameters that rclpy declares for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fakes import bright
from probe import Probe
from rclpy.qos import ReliabilityPolicy

from edan_ros.nodes.common import qos

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


def test_topics_take_the_overrides_and_keep_them(make_probe: Callable[..., Probe]) -> None:
    overrides = {
        "qos_overrides./image_raw.subscription.reliability": "reliable",
        "qos_overrides./faces.publisher.depth": 3,
    }
    probe = make_probe(**overrides)
    for _ in range(2):
        (images,) = probe.node.get_subscriptions_info_by_topic("/image_raw")
        assert images.qos_profile.reliability == RELIABLE
        (info,) = probe.node.get_subscriptions_info_by_topic("/camera_info")
        assert info.qos_profile.reliability == BEST_EFFORT
        assert probe.node.get_parameter("qos_overrides./faces.publisher.depth").value == 3
        for transition in ("deactivate", "cleanup", "configure", "activate"):
            assert probe.transition(transition)
    assert probe.answer(probe.image(bright())).faces
    assert qos.RESULTS.depth == 10
    assert qos.CAMERA_INFO.reliability == BEST_EFFORT


@pytest.mark.parametrize("topic", ["/faces.publisher", "/faces/annotated.publisher"])
def test_every_overridable_policy_is_a_described_parameter(
    make_probe: Callable[..., Probe], topic: str
) -> None:
    probe = make_probe()
    for policy, value in (("history", "keep_last"), ("reliability", "reliable")):
        name = f"qos_overrides.{topic}.{policy}"
        assert probe.node.get_parameter(name).value == value
        assert policy in probe.node.describe_parameter(name).description
