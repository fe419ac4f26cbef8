"""A webcam as a source."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np

from edan_ros.core.images import Image
from edan_ros.sources.base import Frame, SourceError

_DEVICE = re.compile(r"(?:/dev/video)?([0-9]{1,3})")

#: Failed reads in a row after which the camera counts as unplugged.
_MAX_FAILURES = 10


def webcam_index(text: str) -> int | None:
    """Return 2 for "2", "/dev/video2" and a link to it; None for what does not name a webcam.

    Links are those of udev, /dev/v4l/by-id/... or of a rule of the user's own.
    """
    match = _DEVICE.fullmatch(text)
    if match is None and text.startswith("/dev/"):
        match = _DEVICE.fullmatch(os.path.realpath(text))
    return int(match[1]) if match else None


def webcams_present() -> list[str]:
    """Return the video devices of this machine, where that is known (Linux)."""
    return sorted(str(path) for path in Path("/dev").glob("video[0-9]*"))


class WebcamSource:
    """A camera that OpenCV reads, by its number.

    Args:
        index: number of the device.
        width, height: requested size in pixels; 0 leaves it to the camera.
        fps: requested images per second; 0.0 leaves them to the camera.
        name: name of the device as the user wrote it, for messages.
    """

    length = None
    live = True

    def __init__(
        self, index: int, *, width: int = 0, height: int = 0, fps: float = 0.0, name: str = ""
    ) -> None:
        self.name = f"webcam {name or index}"
        self.rate = fps
        self._index = index
        self._settings = {
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: height,
            cv2.CAP_PROP_FPS: fps,
        }

    def frames(self) -> Generator[Frame, None, None]:
        """Yield images as they come. Raises SourceError where there is no camera, or no longer."""
        capture = self._open()
        begin = time.monotonic()
        failures = 0
        try:
            while True:
                good, pixels = capture.read()
                if not good:
                    failures += 1
                    if failures > _MAX_FAILURES:
                        raise SourceError(f"{self.name} delivers no more images: is it unplugged?")
                    continue
                failures = 0
                now = time.time_ns()
                image = Image(np.asarray(pixels, np.uint8))
                yield Frame(image, time.monotonic() - begin, stamp_ns=now)
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        if sys.platform.startswith("linux") and not Path(f"/dev/video{self._index}").exists():
            there = ", ".join(webcams_present()) or "no video device"
            raise SourceError(f"{self.name} does not exist: this machine has {there}")
        capture = cv2.VideoCapture(self._index)
        if not capture.isOpened():
            raise SourceError(
                f"{self.name} cannot be opened: another program uses it, or you are not in the "
                "group 'video'"
            )
        for setting, value in self._settings.items():
            if value:
                capture.set(setting, value)
        # Images wait for one period at most, where the driver allows it.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture
