"""The node that brings images and results together, as the rest of ROS sees it."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from probe import wait_for
from rcl_interfaces.srv import ListParameters
from rclpy.node import Node
from spinner import Spinner

from edan_ros.nodes.tools.recorder_node import RecorderNode


def test_its_parameters_can_be_listed(ros: None) -> None:  # noqa: ARG001
    node, me = RecorderNode(lambda _: None), Node("me")
    spinners = [Spinner(node), Spinner(me)]
    client = me.create_client(ListParameters, "recorder_node/list_parameters")
    assert client.wait_for_service(30.0)
    future = client.call_async(ListParameters.Request())
    wait_for(future.done, "the names")
    assert "use_sim_time" in future.result().result.names
    for spinner in spinners:
        spinner.close()
