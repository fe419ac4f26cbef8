"""A spinner ends however soon it is stopped after its start."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import rclpy
import rclpy.executors
from rclpy.context import Context
from rclpy.node import Node
from spinner import Spinner


def test_it_stops_at_any_moment_after_its_start(
    ros: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = rclpy.executors.NumberOfEntities

    def count_slowly(*numbers: int) -> Any:
        """Lengthen the time in which the executor gathers what to wait for."""
        time.sleep(0.001)
        return count(*numbers)

    monkeypatch.setattr(rclpy.executors, "NumberOfEntities", count_slowly)
    before = threading.active_count()
    for _ in range(15):
        node = Node("brief")
        for _ in range(20):
            Spinner(node).stop()
        node.destroy_node()
    assert threading.active_count() == before


def test_it_stops_after_the_end_of_its_context(ros: None) -> None:  # noqa: ARG001
    context = Context()
    rclpy.init(context=context)
    spinner = Spinner(Node("brief", context=context), context=context)
    rclpy.shutdown(context=context)
    spinner.close()
