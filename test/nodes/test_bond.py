"""The heartbeat for a lifecycle manager: its messages, and the node that sends them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from probe import Probe, wait_for
from std_msgs.msg import Header

from edan_ros.nodes.common.bond import Bond
from edan_ros.nodes.common.topics import MissingMessagesError


class Status(SimpleNamespace):
    """A bond/Status, whose package may not be installed."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(header=Header(), **fields)


class Recorder:
    """A stand-in for a node, which keeps the published messages."""

    def __init__(self) -> None:
        self.published: list[Any] = []
        self.beat: Callable[[], None] | None = None
        self.context = SimpleNamespace(ok=lambda: True)

    def create_publisher(self, kind: type, topic: str, profile: Any) -> SimpleNamespace:  # noqa: ARG002
        assert topic == "bond"
        return SimpleNamespace(publish=self.published.append)

    def create_timer(self, period: float, callback: Callable[[], None], clock: Any) -> str:  # noqa: ARG002
        assert period == 0.25
        self.beat = callback
        return "timer"

    def destroy_timer(self, timer: str) -> None:
        assert timer == "timer"
        self.beat = None

    def get_name(self) -> str:
        return "emotion_node"

    def get_clock(self) -> SimpleNamespace:
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: Header().stamp))


def test_heartbeats_of_an_instance_end_with_an_inactive_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    constants = SimpleNamespace(DEFAULT_HEARTBEAT_TIMEOUT=4.0)
    module = SimpleNamespace(Status=Status, Constants=constants)
    monkeypatch.setitem(sys.modules, "bond", module)
    monkeypatch.setitem(sys.modules, "bond.msg", module)
    node: Any = Recorder()
    bond = Bond(node, 0.25)
    bond.stop()
    assert node.published == [], "nothing was started"
    for _ in range(2):
        bond.start()
        node.beat()
        bond.stop()
    assert node.beat is None
    assert [m.active for m in node.published] == [True, True, False] * 2
    assert {m.id for m in node.published} == {"emotion_node"}
    instances = [m.instance_id for m in node.published]
    assert len(set(instances[:3])) == len(set(instances[3:])) == 1
    assert instances[0] != instances[3]
    assert {(m.heartbeat_period, m.heartbeat_timeout) for m in node.published} == {(0.25, 4.0)}


def test_without_the_package_there_is_no_bond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bond.msg", None)
    with pytest.raises(MissingMessagesError, match="bond is not installed"):
        Bond(Recorder(), 0.25)  # type: ignore[arg-type]


def test_the_node_keeps_its_bond_while_it_is_active(make_probe: Callable[..., Probe]) -> None:
    messages = pytest.importorskip("bond.msg", reason="bond is not installed")
    probe = make_probe(autostart=False)
    kept: list[Any] = []
    probe.listen(messages.Status, "bond", kept)
    for _ in range(2):
        kept.clear()
        for transition in ("configure", "activate"):
            assert probe.transition(transition)
        wait_for(lambda: len(kept) >= 2, "heartbeats")
        assert all(status.active and status.id == "emotion_node" for status in kept)
        assert probe.transition("deactivate")
        wait_for(lambda: not kept[-1].active, "the end of the bond")
        assert probe.transition("cleanup")
