"""A webcam as a source."""

from __future__ import annotations

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

#: Reads in a row that may fail before the camera counts as gone.
_FAILURES = 10


def webcam_index(text: str) -> int | None:
    """2 for "2" and "/dev/video2"; None for what does not name a webcam."""
    match = _DEVICE.fullmatch(text)
    return int(match[1]) if match else None


def webcams_present() -> list[str]:
    """The video devices of this machine, where it can be told (Linux)."""
    return sorted(str(path) for path in Path("/dev").glob("video[0-9]*"))


class WebcamSource:
    """A camera that OpenCV reads, by its number.

    width, height: pixels to ask the camera for, 0 for its own choice. fps: likewise.
    """

    length = None
    live = True

    def __init__(self, index: int, *, width: int = 0, height: int = 0, fps: float = 0.0) -> None:
        self.name = f"webcam {index}"
        self.rate = fps
        self._index = index
        self._wanted = {
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: height,
            cv2.CAP_PROP_FPS: fps,
        }

    def frames(self) -> Generator[Frame, None, None]:
        """Images as they come. Raises SourceError when there is no camera, or no longer one."""
        capture = self._open()
        begin = time.monotonic()
        failures = 0
        try:
            while True:
                good, pixels = capture.read()
                if not good:
                    failures += 1
                    if failures > _FAILURES:
                        raise SourceError(f"{self.name} gives no images any more: is it unplugged?")
                    continue
                failures = 0
                now = time.time_ns()
                image = Image(np.asarray(pixels, np.uint8))
                yield Frame(image, time.monotonic() - begin, stamp_ns=now)
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        if sys.platform.startswith("linux") and not Path(f"/dev/video{self._index}").exists():
            there = ", ".join(webcams_present()) or "no video device at all"
            raise SourceError(f"{self.name} is not there: this machine has {there}")
        capture = cv2.VideoCapture(self._index)
        if not capture.isOpened():
            raise SourceError(
                f"{self.name} cannot be opened: another program uses it, or you may not "
                "(group 'video')"
            )
        for setting, value in self._wanted.items():
            if value:
                capture.set(setting, value)
        # One image old at most, where the driver allows it.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture
