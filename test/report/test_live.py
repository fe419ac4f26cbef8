"""The page of `edan view`: its responses, access to it, and its display in a browser."""

from __future__ import annotations

import http.client
import json
import math
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("jinja2")

from chromium import launch

from edan_ros.core.boxes import Box
from edan_ros.core.emotions import EMOTIONS, UNKNOWN, UNKNOWN_REASONS
from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.colours import EMOTION_COLOURS
from edan_ros.report.live import MAX_STATUSES, STATUS_TIMEOUT, LiveServer, LiveState
from edan_ros.report.records import Status
from edan_ros.sources import SourceError


def result(label: str = "happy", valence: float = 0.5) -> FrameResult:
    shares = np.full(7, 0.05)
    shares[EMOTIONS.index(label)] = 0.7
    number = EMOTIONS.index(label)
    landmarks = np.zeros((68, 2), np.float32)
    box = Box(0, 0, 9, 9)
    face = Face(3, box, 1.0, landmarks, number, label, 0.7, shares, shares, 1, shares[:3], 0.5, 0.2)
    face.valence = valence
    return FrameResult([face], 640, 480)


@pytest.fixture
def state() -> LiveState:
    return LiveState()


@pytest.fixture
def server(state: LiveState) -> Iterator[LiveServer]:
    with LiveServer(state) as server:
        yield server


def get(server: LiveServer, path: str, host: str | None = None) -> tuple[int, bytes]:
    name = server.address.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(name, timeout=5)
    connection.request("GET", path, headers={"Host": host or name})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_state_holds_the_newest_results(state: LiveState, server: LiveServer) -> None:
    assert not state.watched
    state.add_result("/faces", result("sad"))
    state.add_result("/faces", result("happy", math.nan))
    state.add_status(Status("node: model", "warning", "slow", {"a": "b"}))
    state.set_model({"name": "edan-lite"})
    status, data = get(server, "/state")
    answer = json.loads(data)
    assert status == 200
    (camera,) = answer["cameras"]
    assert (camera["name"], camera["size"], camera["images"]) == ("/faces", [640, 480], 0)
    (face,) = camera["faces"]
    assert (face["track_id"], face["label"], face["valence"]) == (3, "happy", None)
    assert face["probabilities"][1] == 0.7
    assert answer["diagnostics"][0]["message"] == "slow"
    assert answer["model"] == {"name": "edan-lite"}
    assert state.watched, "the page was requested"


def test_diagnostics_of_many_names_stay_few(state: LiveState) -> None:
    state.add_status(Status("first", "ok", "", {}))
    for number in range(3 * MAX_STATUSES):
        state.add_status(Status(f"node {number}", "ok", "", {}))
        state.add_status(Status("repeated", "ok", str(number), {}))
    names = [entry["name"] for entry in state.snapshot()["diagnostics"]]
    assert len(names) == MAX_STATUSES
    assert "repeated" in names
    assert "first" not in names
    assert f"node {3 * MAX_STATUSES - 1}" in names


def test_a_silent_name_is_dropped_from_the_diagnostics() -> None:
    times = iter([0.0, 10.0, STATUS_TIMEOUT, STATUS_TIMEOUT + 5.0])
    state = LiveState(lambda: next(times))
    state.add_status(Status("old", "ok", "", {}))
    state.add_status(Status("new", "ok", "", {}))
    assert [entry["name"] for entry in state.snapshot()["diagnostics"]] == ["new", "old"]
    assert [entry["name"] for entry in state.snapshot()["diagnostics"]] == ["new"]


def test_many_browsers_at_once_are_answered(state: LiveState, server: LiveServer) -> None:
    state.add_result("/faces", result())
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    opened = [socket.create_connection((host, int(port)), timeout=5) for _ in range(60)]
    for connection in opened:
        connection.sendall(f"GET /state HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    for connection in opened:
        with connection:
            assert connection.recv(15) == b"HTTP/1.0 200 OK"


def test_probabilities_that_are_not_numbers_are_answered(
    state: LiveState, server: LiveServer
) -> None:
    broken = result()
    broken.faces[0].probabilities = np.full(7, np.nan)
    broken.faces[0].confidence = math.nan
    state.add_result("/faces", broken)
    status, data = get(server, "/state")
    assert status == 200
    assert json.loads(data)["cameras"][0]["faces"][0]["probabilities"] == [None] * 7


def test_images_of_several_cameras(state: LiveState, server: LiveServer) -> None:
    state.add_result("/front/faces", result())
    assert get(server, "/camera/0")[0] == 404
    state.add_image("/front/faces", Image(np.full((480, 640, 3), (200, 0, 0), np.uint8)))
    state.add_image("/cabin/faces", Image(np.full((1200, 1920), 90, np.uint8), "mono"))
    sizes = {}
    for number in (0, 1):
        status, data = get(server, f"/camera/{number}?7")
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert status == 200
        sizes[number] = image.shape[:2]
    assert sizes == {0: (480, 640), 1: (600, 960)}


@pytest.mark.parametrize("path", ["/camera/5", "/camera/x", "/camera/", "/../etc/passwd", "/x"])
def test_other_paths_are_not_found(server: LiveServer, path: str) -> None:
    assert get(server, path)[0] == 404


def test_another_host_name_is_refused(server: LiveServer) -> None:
    assert get(server, "/state", "evil.example")[0] == 403
    assert get(server, "/state", "[")[0] == 403
    assert get(server, "/", "localhost:1234")[0] == 200


def test_a_page_closed_during_the_answer_is_not_an_error(
    state: LiveState, server: LiveServer, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    state.add_image("/faces", Image(rng.integers(0, 255, (900, 900, 3), np.uint8)))
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            # With this, closing resets the connection instead of waiting for what is to come.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(f"GET /camera/0 HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    assert get(server, "/")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_port_in_use_is_reported(server: LiveServer, state: LiveState) -> None:
    port = int(server.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(SourceError, match="choose another --port"):
        LiveServer(state, port=port)
    with pytest.raises(SourceError, match="choose another --port"):
        LiveServer(state, port=99_999)
    with pytest.raises(SourceError, match="no page on"):
        LiveServer(state, host="no.such.host.invalid")


def crowd() -> FrameResult:
    (face,) = result().faces
    return FrameResult([replace(face, track_id=number) for number in range(1, 9)], 640, 480)


@pytest.mark.parametrize("size", [(390, 844), (1400, 900)])
def test_in_a_browser(state: LiveState, server: LiveServer, size: tuple[int, int]) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    state.add_result("/faces", result())
    state.add_image("/faces", Image(np.full((480, 640, 3), 90, np.uint8)))
    evil = "<img src=x onerror=alert(1)>"
    state.add_status(Status("node: camera", "error", evil, {evil: evil}))
    with playwright.sync_playwright() as started:
        browser = launch(started)
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.address)
        page.wait_for_selector(".picture img")
        face = page.locator(".face")
        playwright.expect(face.locator(".label")).to_have_text("happy, 70 %")
        bars = face.locator(".stack").get_attribute("aria-label")
        assert bars == "neutral 5 %, " + "happy 70 %, " + ", ".join(
            f"{label} 5 %" for label in EMOTIONS[2:]
        )
        pixels = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        happy = [*EMOTION_COLOURS["happy"][::-1], 255]

        def has(canvas: str, colour: list[int]) -> bool:
            data = face.locator(canvas).evaluate(pixels)
            return colour in (data[i : i + 4] for i in range(0, len(data), 4))

        deadline = time.monotonic() + 60.0
        while not (has(".crop", [90, 90, 90, 255]) and has(".history", happy)):
            assert time.monotonic() < deadline
            state.add_result("/faces", result())
            state.add_image("/faces", Image(np.full((480, 640, 3), 90, np.uint8)))
        turned = result()
        turned.faces[0].emotion, turned.faces[0].label = UNKNOWN, "unknown"
        turned.faces[0].unknown_reason = UNKNOWN_REASONS.index("turned_away")
        state.add_result("/faces", turned)
        label = page.locator(".face .label")
        playwright.expect(label).to_have_text("unknown (turned away)")
        page.click("summary")
        playwright.expect(page.locator("#diagnostics dd")).to_have_text(evil)
        state.add_result("/faces", FrameResult([], 640, 480))
        playwright.expect(page.locator(".face")).to_have_count(0)
        assert page.locator(".faces p").inner_text() == "No face in view."
        state.add_result("/faces", crowd())
        playwright.expect(face).to_have_count(8)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        last = face.last
        if size[0] > 1000:
            bottom = last.evaluate("e => e.getBoundingClientRect().bottom")
            assert bottom <= size[1], "eight people fit one screen"
        last.scroll_into_view_if_needed()
        box = page.locator(".picture").bounding_box()
        assert box is not None
        assert box["y"] >= -1, "the camera stays in view"
        assert box["y"] + box["height"] <= size[1]
        browser.close()
    assert not complaints
