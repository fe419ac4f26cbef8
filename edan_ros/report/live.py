"""A page that shows what a running node sees, served to a browser: no ROS in here."""

from __future__ import annotations

import json
import math
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import cv2

from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.images import Image
from edan_ros.report.page import live_page
from edan_ros.report.records import Status
from edan_ros.sources import SourceError

#: Seconds after which the last look at the page is over.
_WATCHED = 3.0
#: Results of so many seconds are the rate made of.
_RATE_WINDOW = 3.0
#: Pictures are sent no larger than this, and in this quality: a robot's network is slow.
_LARGEST_SIDE, _QUALITY = 960, 80
_LOOPBACK = {"127.0.0.1", "localhost"}
#: The page may load only what it has in itself, and the state and pictures from where it came.
_POLICY = (
    "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'none'"
)


@dataclass
class _Camera:
    """number: in the page and its addresses. pictures: how many have come."""

    number: int
    result: FrameResult | None = None
    came: float = 0.0
    arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    image: Image | None = None
    pictures: int = 0


class LiveState:
    """The newest of everything. Filled by the node's thread, read by those of the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}
        self._model: dict[str, str] = {}
        self._statuses: dict[str, tuple[float, Status]] = {}
        self._looked = -math.inf

    @property
    def watched(self) -> bool:
        """Whether somebody has the page open."""
        return time.monotonic() - self._looked < _WATCHED

    def add_result(self, topic: str, result: FrameResult) -> None:
        """The faces of one more image."""
        with self._lock:
            camera = self._camera(topic)
            camera.result, camera.came = result, time.monotonic()
            camera.arrivals.append(camera.came)

    def add_picture(self, topic: str, image: Image) -> None:
        """One more picture with the faces of this topic drawn in."""
        with self._lock:
            camera = self._camera(topic)
            camera.image = image
            camera.pictures += 1

    def add_status(self, status: Status) -> None:
        """One entry of /diagnostics."""
        with self._lock:
            self._statuses[status.name] = time.monotonic(), status

    def set_model(self, model: dict[str, str]) -> None:
        """What runs."""
        with self._lock:
            self._model = model

    def snapshot(self) -> dict[str, Any]:
        """All but the pictures, ready for JSON."""
        now = time.monotonic()
        self._looked = now
        with self._lock:
            return {
                "model": self._model,
                "cameras": [_told(name, camera, now) for name, camera in self._cameras.items()],
                "diagnostics": [
                    {
                        "name": status.name,
                        "level": status.level,
                        "message": status.message,
                        "values": dict(status.values),
                        "age": now - came,
                    }
                    for came, status in sorted(self._statuses.values(), key=lambda i: i[1].name)
                ],
            }

    def picture(self, number: int) -> bytes | None:
        """The newest picture of a camera as JPEG; None where there is none yet."""
        with self._lock:
            found = [c.image for c in self._cameras.values() if c.number == number]
        if not found or found[0] is None:
            return None
        pixels = found[0].bgr()
        scale = _LARGEST_SIDE / max(pixels.shape[:2])
        if scale < 1.0:
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        return data.tobytes()

    def _camera(self, topic: str) -> _Camera:
        return self._cameras.setdefault(topic, _Camera(len(self._cameras)))


class LiveServer:
    """A context manager that serves the page.

    host: the address to listen on; one of this machine alone lets nobody else look. port: 0 takes
    a free one.

    Raises SourceError where it cannot listen there.
    """

    def __init__(self, state: LiveState, host: str = "127.0.0.1", port: int = 0) -> None:
        try:
            self._server = _Server((host, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise SourceError(
                f"no page on {host}:{port}: {why}; choose another --port or --host"
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
    """own_names: by which a browser may call this machine; None for any."""

    daemon_threads = True
    state: LiveState
    page: bytes
    own_names: set[str] | None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed while it was answered is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0  # seconds for which a silent connection is kept

    def do_GET(self) -> None:
        """The page, the state, or the picture of a camera."""
        path = urlsplit(self.path).path
        if not self._is_for_us():
            self.send_error(HTTPStatus.FORBIDDEN, "not a name of this machine")
        elif path == "/":
            self._answer("text/html; charset=utf-8", self.server.page)
        elif path == "/state":
            text = json.dumps(self.server.state.snapshot(), allow_nan=False)
            self._answer("application/json", text.encode("utf-8"))
        elif path.startswith("/camera/") and path[8:].isdecimal():
            picture = self.server.state.picture(int(path[8:]))
            if picture is None:
                self.send_error(HTTPStatus.NOT_FOUND, "no picture yet")
            else:
                self._answer("image/jpeg", picture)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _is_for_us(self) -> bool:
        """Whether the page was called by a name of this machine.

        A page of somebody else could give its own name this machine's address, and so read what
        only this machine may see.
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
        """Not one line for each of ten requests a second."""


def _told(name: str, camera: _Camera, now: float) -> dict[str, Any]:
    recent = [t for t in camera.arrivals if now - t < _RATE_WINDOW]
    result = camera.result
    return {
        "name": name,
        "number": camera.number,
        "pictures": camera.pictures,
        "rate": len(recent) / _RATE_WINDOW,
        "age": None if result is None else now - camera.came,
        "size": None if result is None else [result.width, result.height],
        "faces": [] if result is None else [_face(face) for face in result.faces],
    }


def _face(face: Face) -> Mapping[str, Any]:
    return {
        "track": int(face.track_id),
        "label": face.label,
        "confidence": float(face.confidence),
        "probabilities": [float(p) for p in face.probabilities],
        "valence": _finite(face.valence),
        "arousal": _finite(face.arousal),
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
