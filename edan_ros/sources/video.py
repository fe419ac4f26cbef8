"""Video files as a source, with their own time stamps and turned upright."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images import Image
from edan_ros.sources.base import Frame, OnSkip, SourceError, ignore_skipped

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Degrees counter-clockwise, as FFmpeg gives the display matrix.
_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


class VideoSource:
    """A file that FFmpeg reads: MP4, MOV, MKV, WebM, AVI and so on.

    Frames keep the time that the file gives them, so a variable frame rate is kept; a rotation
    flag (telephones set one) is followed. Damaged frames are left out.

    Raises SourceError when the file is no video, or PyAV is not installed.
    """

    live = False

    def __init__(self, path: Path, on_skip: OnSkip = ignore_skipped) -> None:
        self.name = str(path)
        self._path = path
        self._on_skip = on_skip
        with self._open() as container:
            stream = container.streams.video[0]
            self.rate = float(stream.average_rate or stream.guessed_rate or 0.0)
            self.length = _length(container, stream, self.rate)

    def frames(self) -> Generator[Frame, None, None]:
        """The frames in the order they are shown. Raises SourceError when not one decodes."""
        begin: float | None = None
        last = 0.0
        with self._open() as container:
            for decoded in self._decode(container):
                if begin is None:
                    begin = decoded.time or 0.0
                # A frame without a time, or with an earlier one, follows at the usual distance.
                time = -1.0 if decoded.time is None else decoded.time - begin
                last = time if time >= last else last + 1.0 / (self.rate or 25.0)
                yield Frame(Image(_upright(decoded)), last)
        if begin is None:
            raise SourceError(f"{self.name} holds no frame that can be decoded: it is damaged")

    def _open(self) -> InputContainer:
        av = _import_av()
        try:
            container: InputContainer = av.open(str(self._path))
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(
                f"{self.name} is not a video that FFmpeg can read ({_reason(error)})"
            ) from error
        if not container.streams.video:
            container.close()
            raise SourceError(f"{self.name} holds no video stream")
        return container

    def _decode(self, container: InputContainer) -> Iterator[VideoFrame]:
        av = _import_av()
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                self._on_skip(f"{self.name}: a damaged part is left out ({_reason(error)})")


def _import_av() -> ModuleType:
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise SourceError("reading videos needs PyAV: pip install av") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _length(container: InputContainer, stream: VideoStream, rate: float) -> int | None:
    if stream.frames:
        return stream.frames
    seconds = container.duration / 1e6 if container.duration else 0.0
    return round(seconds * rate) or None


def _upright(frame: VideoFrame) -> NDArray[np.uint8]:
    pixels = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    turn = _TURNS.get(round(frame.rotation / 90.0) * 90 % 360)
    return pixels if turn is None else np.asarray(cv2.rotate(pixels, turn), np.uint8)
