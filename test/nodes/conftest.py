"""What the tests of nodes share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

# Humble checks the type of every field of a message; later distributions do so when they are asked
# before a message is first imported.
os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"

import rclpy
from probe import Probe


@pytest.fixture
def ros(ros_domain: int) -> Iterator[None]:  # noqa: ARG001
    """ROS in a domain of its own."""
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def make_probe(ros: None) -> Iterator[Callable[..., Probe]]:  # noqa: ARG001
    """Makes emotion nodes, each with a client, and destroys them."""
    probes: list[Probe] = []

    def make(**options: Any) -> Probe:
        probes.append(Probe(**options))
        return probes[-1]

    yield make
    for probe in probes:
        probe.close()


@pytest.fixture
def probe(make_probe: Callable[..., Probe]) -> Probe:
    """An active emotion node with default parameters, and its client."""
    return make_probe()
