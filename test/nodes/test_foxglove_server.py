"""`edan view --foxglove`: a client of Foxglove's protocol receives what the real node publishes."""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import struct
import sys
import threading
from collections.abc import Iterator

import pytest
from fakes import bright
from probe import Probe, wait_for
from spinner import Spinner

pytest.importorskip("foxglove")
pytest.importorskip("jsonschema")
pytest.importorskip("tornado")

import jsonschema
from tornado import websocket

from edan_ros.cli.main import main
from edan_ros.nodes.tools.foxglove_server import FoxgloveServer
from edan_ros.nodes.tools.view_node import ViewNode
from edan_ros.report.live import LiveState
from edan_ros.sources import SourceError


class Client:
    """Subscribes to all channels. messages: topic -> (log time, payload)."""

    def __init__(self, address: str) -> None:
        self.channels: dict[str, dict] = {}
        self.messages: dict[str, tuple[int, bytes]] = {}
        self._thread = threading.Thread(target=asyncio.run, args=[self._receive(address)])
        self._thread.start()

    async def _receive(self, address: str) -> None:
        connection = await websocket.websocket_connect(address, subprotocols=["foxglove.sdk.v1"])
        topics = {}
        while (data := await connection.read_message()) is not None:
            if isinstance(data, bytes):
                kind, number, time = struct.unpack_from("<BIQ", data)
                if kind == 1:
                    self.messages[topics[number]] = time, data[13:]
            elif (message := json.loads(data))["op"] == "advertise":
                found = {channel["id"]: channel for channel in message["channels"]}
                topics |= {number: channel["topic"] for number, channel in found.items()}
                self.channels |= {channel["topic"]: channel for channel in found.values()}
                wanted = [{"id": number, "channelId": number} for number in found]
                await connection.write_message(
                    json.dumps({"op": "subscribe", "subscriptions": wanted})
                )

    def join(self) -> None:
        """Wait for the end of the connection, which the server closes."""
        self._thread.join()


@pytest.fixture
def client(ros: None) -> Iterator[Client]:  # noqa: ARG001
    """A client of a server with a view node."""
    with FoxgloveServer() as server:
        spinner = Spinner(ViewNode(LiveState(), foxglove=server))
        client = Client(server.address)
        yield client
        spinner.close()
    client.join()


def test_faces_annotations_and_images_reach_a_client(probe: Probe, client: Client) -> None:
    wait_for(lambda: probe.node.count_subscribers("faces") > 1, "the view to find the faces")
    topics = {"/faces", "/faces/annotations", "/faces/annotated"}
    answers = {}

    def complete() -> bool:
        answer = probe.answer(probe.image(bright()))
        stamp = answer.header.stamp
        answers[stamp.sec * 1_000_000_000 + stamp.nanosec] = answer
        return client.messages.keys() == topics

    wait_for(complete, "a message of each topic")
    kinds = {topic: channel["schemaName"] for topic, channel in client.channels.items()}
    assert kinds["/faces/annotations"] == "foxglove.ImageAnnotations"
    assert kinds["/faces/annotated"] == "foxglove.CompressedImage"
    assert all(time in answers for time, _ in client.messages.values()), "stamps of the images"

    time, data = client.messages["/faces"]
    content, schema = json.loads(data), client.channels["/faces"]["schema"]
    jsonschema.validate(content, json.loads(schema))
    stamp = answers[time].header.stamp
    assert content["timestamp"] == {"sec": stamp.sec, "nsec": stamp.nanosec}
    (face,), (sent,) = content["faces"], answers[time].faces
    assert (face["track_id"], face["label"]) == (sent.track_id, "happy")
    assert len(face["landmarks"]) == 68

    time, data = client.messages["/faces/annotations"]
    (sent,) = answers[time].faces
    assert f"{sent.track_id} happy {sent.confidence:.2f}".encode() in data
    assert struct.pack("<d", sent.roi.x_offset + sent.roi.width) in data
    assert b"\xff\xd8\xff" in client.messages["/faces/annotated"][1]


def test_a_taken_port_is_named() -> None:
    with FoxgloveServer() as server:
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(SourceError, match=f"no Foxglove server on 127.0.0.1:{port}: "):
            FoxgloveServer(port=port)
    with pytest.raises(SourceError, match="70000"):
        FoxgloveServer(port=70000)


def test_a_missing_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "edan_ros.nodes.tools.foxglove_server")
    monkeypatch.setitem(sys.modules, "foxglove", None)
    assert main(["view", "--port", "0", "--foxglove", "0"]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("pip install 'edan_ros[foxglove]'")


def test_edan_view_starts_the_server_beside_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("jinja2")

    def connect(makers: list, _: object) -> int:
        address = makers[0].keywords["foxglove"].address
        assert address in capsys.readouterr().out
        port = int(address.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
        return 42

    # By its name in sys.modules: tests that import a package anew leave other attributes behind.
    running = importlib.import_module("edan_ros.nodes.common.running")
    monkeypatch.setattr(running, "run_together", connect)
    assert main(["view", "--port", "0", "--foxglove", "0"]) == 42
