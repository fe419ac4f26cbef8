"""Nodes go on when a callback raises, and report it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from probe import wait_for
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from spinner import Spinner
from std_msgs.msg import String
from std_srvs.srv import SetBool

from edan_ros.nodes.common import qos
from edan_ros.nodes.common.reporting import ERROR_HOLD, Health
from edan_ros.nodes.common.running import run_together


class FragileNode(Node):
    """A node each of whose callbacks raises."""

    def __init__(self) -> None:
        super().__init__("fragile", namespace="shelf")
        self.now = 0.0
        self.health = Health(self, clock=lambda: self.now)
        self.create_subscription(String, "text", self._on_text, qos.RESULTS)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self.add_on_set_parameters_callback(self._on_parameters)
        self.declared = False
        self.declare_parameter("size", 1)
        self.declared = True

    def _on_text(self, message: String) -> None:
        raise ValueError(message.data)

    def _on_enable(self, request: Any, _: Any) -> Any:
        raise KeyError(request.data)

    def _on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        if self.declared:
            raise TypeError(parameters[0].name)
        return SetParametersResult(successful=True)


class Bench:
    """A fragile node and its client."""

    def __init__(self) -> None:
        self.fragile, self.me = FragileNode(), Node("me")
        self.reports: list[DiagnosticArray] = []
        self.me.create_subscription(
            DiagnosticArray, "/diagnostics", self.reports.append, qos.RESULTS
        )
        self.text = self.me.create_publisher(String, "shelf/text", qos.RESULTS)
        self.spinners = [Spinner(self.fragile), Spinner(self.me)]

    def call(self, kind: type, service: str, request: Any) -> Any:
        client = self.me.create_client(kind, service)
        assert client.wait_for_service(10.0)
        future = client.call_async(request)
        wait_for(future.done, "an answer")
        return future.result()

    def status(self, message: str) -> DiagnosticStatus:
        """The next status whose message contains this."""
        self.reports.clear()

        def found() -> DiagnosticStatus | None:
            statuses = [status for report in self.reports for status in report.status]
            return next((s for s in statuses if message in s.message), None)

        return wait_for(found, f"a status with '{message}'")

    def close(self) -> None:
        for spinner in self.spinners:
            spinner.close()


@pytest.fixture
def bench(ros: None) -> Iterator[Bench]:  # noqa: ARG001
    bench = Bench()
    yield bench
    bench.close()


def test_a_subscription_that_raises_is_an_error_in_diagnostics(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    wait_for(bench.text.get_subscription_count, "a subscriber")
    for text in ("first", "second"):
        bench.text.publish(String(data=text))
        status = bench.status(f"ValueError: {text}")
        assert status.name == "/shelf/fragile: node"
        assert status.level == DiagnosticStatus.ERROR
    assert bench.fragile.health.errors == 2
    log = capfd.readouterr().err
    assert "Traceback" in log
    assert "ValueError: first" in log


def test_an_error_of_a_callback_is_over_after_a_while(bench: Bench) -> None:
    wait_for(bench.text.get_subscription_count, "a subscriber")
    bench.text.publish(String(data="once"))
    bench.status("once")
    bench.fragile.now += ERROR_HOLD + 1.0
    status = bench.status("no error for 61 s")
    assert status.level == DiagnosticStatus.OK
    assert {value.key: value.value for value in status.values}["errors"] == "1"


def test_a_service_that_raises_answers_with_the_error(bench: Bench) -> None:
    for _ in range(2):
        answer = bench.call(SetBool, "shelf/fragile/enable", SetBool.Request(data=True))
        assert not answer.success
        assert "KeyError" in answer.message


def test_a_parameter_callback_that_raises_leaves_the_node_alive(bench: Bench) -> None:
    request = SetParameters.Request(parameters=[Parameter("size", value=2).to_parameter_msg()])
    bench.call(SetParameters, "shelf/fragile/set_parameters", request)
    assert "size" in bench.status("TypeError").message
    assert bench.fragile.get_parameter("size").value == 1


def test_the_end_of_a_thread_stays_an_error(bench: Bench) -> None:
    bench.fragile.health.record_end("the reader", OSError("no disk"))
    bench.fragile.now += 10 * ERROR_HOLD
    status = bench.status("the reader has ended")
    assert status.level == DiagnosticStatus.ERROR
    assert "no disk" in status.message


def test_statuses_that_cannot_be_made_are_an_error_too(ros: None) -> None:  # noqa: ARG001
    node = Node("broken")

    def statuses() -> list[DiagnosticStatus]:
        raise RuntimeError("no figures")

    health = Health(node, statuses)
    health.publish()
    assert health.last_error == "diagnostics: RuntimeError: no figures"
    node.destroy_node()


@pytest.mark.usefixtures("ros_domain")
def test_a_thread_that_ended_gives_the_process_a_code() -> None:
    def make() -> Node:
        node = Node("doomed")
        node.health = Health(node)
        node.create_timer(0.01, lambda: end(node))
        return node

    def end(node: Node) -> None:
        node.health.record_end("the player", ValueError("bad frame"))
        rclpy.try_shutdown()

    assert run_together([make]) == 1


@pytest.mark.usefixtures("ros_domain")
def test_the_end_of_the_context_is_not_a_failure() -> None:
    def make() -> Node:
        node = Node("done")
        node.create_timer(0.01, rclpy.try_shutdown)
        return node

    assert run_together([make, make]) == 0


class UnspinnableNode(Node):
    """A node that no executor can add."""

    broken = False

    @property
    def services(self) -> Any:
        if self.broken:
            raise RuntimeError("no services")
        return super().services


@pytest.mark.usefixtures("ros_domain")
def test_a_node_that_ends_ends_the_others_with_an_exit_code(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def make() -> Node:
        node = UnspinnableNode("unspinnable")
        node.broken = True
        return node

    assert run_together([lambda: Node("healthy"), make]) == 1
    assert "the node has ended: " in capfd.readouterr().err
