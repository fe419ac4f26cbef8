"""Video files as a source, with their own time stamps, upright and with square pixels."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images import Image
from edan_ros.core.stamps import SegmentClock, is_jump
from edan_ros.sources.base import Frame, Log, SourceError, discard

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream
#: Pixels of a side, and the ratio of a pixel's sides, above which an aspect ratio is an error.
_MAX_SIDE, _MAX_ASPECT = 16_384, 8
#: Degrees by which a rotation may differ from a multiple of 90 and still be one.
_RIGHT_ANGLE = 1.0
#: Whether rows and columns are exchanged, then columns and rows reversed: what that does.
_ORIENTATIONS = {
    (False, False, False): "upright",
    (False, True, False): "mirrored",
    (False, False, True): "mirrored, rotated by 180 degrees",
    (False, True, True): "rotated by 180 degrees",
    (True, False, False): "mirrored, rotated by 270 degrees",
    (True, True, False): "rotated by 90 degrees",
    (True, False, True): "rotated by 270 degrees",
    (True, True, True): "mirrored, rotated by 90 degrees",
}


class VideoSource:
    """A file that FFmpeg reads: MP4, MOV, MKV, WebM, AVI and so on.

    Frames keep the time that the file gives them, so a variable frame rate is kept. They are
    shown as FFmpeg's players do: the display matrix (rotation, and mirroring by front cameras) is
    applied, pixels that are not square are resampled, and a cover image is not the video. Damaged
    frames are skipped.

    Raises SourceError where the file is no video, or PyAV is not installed.

    Attributes:
        path: the file.
        start: time of the first frame on the clock of the file, seconds; None before frames().
        orientation: what was done to the stored frames, "upright" where nothing was.
        pixel_aspect: width of a stored pixel over its height.
    """

    live = False

    def __init__(self, path: Path, log: Log = discard) -> None:
        self.name = str(path)
        self.path = path
        self.start: float | None = None
        self.orientation = "upright"
        self._log = log
        with self._open() as container:
            stream = self._stream(container)
            self.rate = float(stream.average_rate or stream.guessed_rate or 0.0)
            self.length = _length(container, stream, self.rate)
            self.pixel_aspect = _pixel_aspect(stream)

    @property
    def properties(self) -> dict[str, str]:
        """Orientation and pixel aspect of the file, as text; the former after frames()."""
        aspect = f"{self.pixel_aspect.numerator}:{self.pixel_aspect.denominator}"
        return {"orientation": self.orientation, "pixel aspect": aspect}

    def frames(self) -> Generator[Frame, None, None]:
        """Yield the frames in the order they are shown. Raises SourceError where none decodes."""
        self.start = None
        last = 0.0
        clock = SegmentClock(on_jump=lambda line: self._log(f"{self.name}: {line}"))
        with self._open() as container:
            for decoded in self._decode(container):
                if self.start is None:
                    self.start = decoded.time or 0.0
                time = -math.inf if decoded.time is None else decoded.time - self.start
                if time < last and (decoded.time is None or not is_jump(time - last)):
                    # Without a time, or a little too early: at the usual distance.
                    time = last + 1.0 / (self.rate or 25.0)
                last = time
                clock.place(time)
                yield Frame(Image(self._shown(decoded)), last)
        if self.start is None:
            raise SourceError(f"{self.name} holds no frame that can be decoded: it is damaged")

    def _open(self) -> InputContainer:
        av = import_av()
        try:
            # The prefix keeps a colon in the name from being read as a protocol.
            container: InputContainer = av.open(f"file:{os.fspath(self.path)}")
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(
                f"{self.name} is not a video that FFmpeg can read ({error_reason(error)})"
            ) from error
        try:
            self._stream(container)
        except SourceError:
            container.close()
            raise
        return container

    def _stream(self, container: InputContainer) -> VideoStream:
        """Return the stream that FFmpeg would choose. Raises SourceError without any."""
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            covers = " but a cover image" if container.streams.video else ""
            raise SourceError(f"{self.name} holds no video stream{covers}")
        best = container.streams.best("video")
        return next((stream for stream in streams if stream is best), streams[0])

    def _decode(self, container: InputContainer) -> Iterator[VideoFrame]:
        av = import_av()
        stream = self._stream(container)
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
                self._log(f"{self.name}: a damaged part is skipped ({error_reason(error)})")

    def _shown(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return the pixels of a frame as a player shows them, (height, width, 3) BGR."""
        pixels = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        square = _with_square_pixels(pixels, self.pixel_aspect)
        matrix = _display_matrix(frame)
        if matrix is None:
            return square
        shown, self.orientation = orient(square, matrix)
        return shown


def orient(
    pixels: NDArray[np.uint8], matrix: NDArray[np.floating]
) -> tuple[NDArray[np.uint8], str]:
    """Apply a display matrix as FFmpeg's autorotation does, and name what was done.

    Args:
        pixels: (height, width, 3) as stored.
        matrix: (3, 3); a stored pixel (x, y) is shown at (x, y, 1) @ matrix.

    Returns:
        The pixels as shown, and for example "rotated by 90 degrees, mirrored".
    """
    (a, b), (c, d) = matrix[:2, :2].tolist()
    if not (a or b) or not (c or d):
        return pixels, "upright"  # not invertible: FFmpeg ignores it
    angle = math.degrees(math.atan2(b / math.hypot(b, d), a / math.hypot(a, c))) % 360.0
    if abs(angle - 90.0 * round(angle / 90.0)) >= _RIGHT_ANGLE:
        height, width = pixels.shape[:2]
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -angle, 1.0)
        shown = cv2.warpAffine(pixels, turn, (width, height))
        return np.asarray(shown, np.uint8), f"rotated by {angle:.0f} degrees"
    is_transposed = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c, b) if is_transposed else (a, d)
    shown = pixels.transpose(1, 0, 2) if is_transposed else pixels
    shown = shown[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
    return np.ascontiguousarray(shown), _ORIENTATIONS[is_transposed, across < 0, down < 0]


def import_av() -> ModuleType:
    """Return PyAV. Raises SourceError where it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise SourceError("reading videos needs PyAV: pip install av") from error


def error_reason(error: Exception) -> str:
    """Return the text of an error of FFmpeg, without its number."""
    return getattr(error, "strerror", None) or str(error)


def _is_cover(stream: VideoStream) -> bool:
    """Return whether a stream is an attached cover image, as MP4 and MP3 files carry."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _length(container: InputContainer, stream: VideoStream, rate: float) -> int | None:
    if stream.frames:
        return stream.frames
    seconds = container.duration / 1e6 if container.duration else 0.0
    return round(seconds * rate) or None


def _pixel_aspect(stream: VideoStream) -> Fraction:
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return aspect if Fraction(1, _MAX_ASPECT) <= aspect <= _MAX_ASPECT else Fraction(1)


def _with_square_pixels(pixels: NDArray[np.uint8], aspect: Fraction) -> NDArray[np.uint8]:
    """Resample pixels that are not square: the shorter side of a pixel is stretched."""
    height, width = pixels.shape[:2]
    shown = round(width * max(aspect, 1)), round(height / min(aspect, 1))
    if shown == (width, height) or max(shown) > _MAX_SIDE:
        return pixels
    return np.asarray(cv2.resize(pixels, shown, interpolation=cv2.INTER_LINEAR), np.uint8)


def _display_matrix(frame: VideoFrame) -> NDArray[np.float64] | None:
    # frame.side_data would keep the frame, and its converter's threads, in a reference cycle.
    data = import_av().sidedata.sidedata.SideDataContainer(frame).get("DISPLAYMATRIX")
    raw = b"" if data is None else bytes(memoryview(cast("bytes", data)))
    return np.frombuffer(raw, np.int32).reshape(3, 3) / 65536.0 if len(raw) == 36 else None
