"""Serve a page with the live results of running nodes to a browser. Without ROS."""

from __future__ import annotations

import json
import math
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from edan_ros.core.faces import FrameResult
from edan_ros.core.images import Image
from edan_ros.report.page import live_page
from edan_ros.report.records import Status
from edan_ros.sources import SourceError

#: Seconds after the last request for which the page counts as open.
_WATCHED = 3.0
#: Seconds over which the rate is averaged.
_RATE_WINDOW = 3.0
#: Largest side and JPEG quality of images: the network of a robot is slow.
_MAX_SIDE, _QUALITY = 960, 80
#: Largest number of diagnostics, and the seconds after which one that was not repeated is dropped.
MAX_STATUSES, STATUS_TIMEOUT = 200, 60.0
_LOOPBACK = {"127.0.0.1", "localhost"}
#: The page may load nothing but its own content, and state and images from this server.
_POLICY = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'none'"
)


@dataclass
class _Camera:
    """number: in the page and its URLs. results, images: numbers received."""

    number: int
    result: FrameResult | None = None
    results: int = 0
    received: float = 0.0
    arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    image: Image | None = None
    images: int = 0


class LiveState:
    """The newest results and diagnostics. Thread-safe: the node writes, the server reads.

    clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}
        self._model: dict[str, str] = {}
        self._statuses: dict[str, tuple[float, Status]] = {}
        self._requested = -math.inf

    @property
    def watched(self) -> bool:
        """Whether the page is open in a browser."""
        return self._clock() - self._requested < _WATCHED

    def add_result(self, topic: str, result: FrameResult) -> None:
        """Add the faces of an image."""
        with self._lock:
            camera = self._camera(topic)
            camera.result, camera.received = result, self._clock()
            camera.results += 1
            camera.arrivals.append(camera.received)

    def add_image(self, topic: str, image: Image) -> None:
        """Add an annotated image of a topic of faces."""
        with self._lock:
            camera = self._camera(topic)
            camera.image = image
            camera.images += 1

    def add_status(self, status: Status) -> None:
        """Add an entry of /diagnostics; it replaces the one of its name.

        Beyond MAX_STATUSES names, the one that was repeated longest ago is dropped.
        """
        with self._lock:
            self._statuses.pop(status.name, None)
            self._statuses[status.name] = self._clock(), status  # at the end: the newest
            if len(self._statuses) > MAX_STATUSES:
                del self._statuses[next(iter(self._statuses))]

    def set_model(self, model: dict[str, str]) -> None:
        """Set names and values of the running model."""
        with self._lock:
            self._model = model

    def snapshot(self) -> dict[str, Any]:
        """Return everything but the images, ready for JSON."""
        now = self._requested = self._clock()
        with self._lock:
            for name, (received, _) in list(self._statuses.items()):
                if now - received > STATUS_TIMEOUT:
                    del self._statuses[name]
            return {
                "model": self._model,
                "cameras": [
                    _camera_state(name, camera, now) for name, camera in self._cameras.items()
                ],
                "diagnostics": [
                    {
                        "name": status.name,
                        "level": status.level,
                        "message": status.message,
                        "values": dict(status.values),
                        "age": now - received,
                    }
                    for received, status in sorted(self._statuses.values(), key=lambda i: i[1].name)
                ],
            }

    def jpeg(self, number: int) -> bytes | None:
        """Return the newest image of a camera as JPEG, None without any."""
        with self._lock:
            found = [c.image for c in self._cameras.values() if c.number == number]
        if not found or found[0] is None:
            return None
        pixels = found[0].bgr()
        scale = _MAX_SIDE / max(pixels.shape[:2])
        if scale < 1.0:
            small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            pixels = np.asarray(small, np.uint8)
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        return data.tobytes()

    def _camera(self, topic: str) -> _Camera:
        return self._cameras.setdefault(topic, _Camera(len(self._cameras)))


class LiveServer:
    """A context manager that serves the page at ``address``.

    Args:
        host: address to listen on; a loopback address serves this machine alone.
        port: 0 for a free one.

    Raises SourceError where it cannot listen there.
    """

    def __init__(self, state: LiveState, host: str = "127.0.0.1", port: int = 0) -> None:
        try:
            self._server = _Server((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceError(
                f"no page on {host}:{port}: {reason}; choose another --port or --host"
            ) from error
        self._server.state = state
        self._server.own_names = _LOOPBACK if host in _LOOPBACK else None
        self._server.page = live_page().encode("utf-8")
        name = socket.gethostname() if host in ("", "0.0.0.0") else host
        self.address = f"http://{name}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    def __enter__(self) -> LiveServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """own_names: host names that a request may have; None for any."""

    daemon_threads = True
    request_queue_size = 128  # connections that wait to be accepted
    state: LiveState
    page: bytes
    own_names: set[str] | None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a connection that the browser closed during the answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0  # seconds for which an idle connection is kept

    def do_GET(self) -> None:
        """Answer with the page, the state, or the image of a camera."""
        path = urlsplit(self.path).path
        if not self._names_this_machine():
            self.send_error(HTTPStatus.FORBIDDEN, "not a name of this machine")
        elif path == "/":
            self._answer("text/html; charset=utf-8", self.server.page)
        elif path == "/state":
            text = json.dumps(self.server.state.snapshot(), allow_nan=False)
            self._answer("application/json", text.encode("utf-8"))
        elif path.startswith("/camera/") and path[8:].isdecimal():
            data = self.server.state.jpeg(int(path[8:]))
            if data is None:
                self.send_error(HTTPStatus.NOT_FOUND, "no image yet")
            else:
                self._answer("image/jpeg", data)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _names_this_machine(self) -> bool:
        """Return whether the request names this machine.

        Another website could resolve its own name to this machine's address (DNS rebinding) and
        read what only this machine may see.
        """
        names = self.server.own_names
        try:
            return names is None or urlsplit(f"//{self.headers['Host']}").hostname in names
        except ValueError:
            return False

    def _answer(self, kind: str, data: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Log nothing: there are ten requests per second."""


def _camera_state(name: str, camera: _Camera, now: float) -> dict[str, Any]:
    recent = [t for t in camera.arrivals if now - t < _RATE_WINDOW]
    result = camera.result
    return {
        "name": name,
        "number": camera.number,
        "results": camera.results,
        "images": camera.images,
        "rate": len(recent) / _RATE_WINDOW,
        "age": None if result is None else now - camera.received,
        "size": None if result is None else [result.width, result.height],
        "faces": [] if result is None else [face.to_dict() for face in result.faces],
    }
