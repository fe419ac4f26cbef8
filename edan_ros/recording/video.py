"""Writes an MP4 that browsers play, with each frame at its own time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.recording.sound import Sound

_TIME_BASE = Fraction(1, 90_000)
#: Seconds for which the last frame may be shown: until then there is sound.
_LAST_FRAME = 0.05
_CODECS = (
    ("libx264", {"preset": "veryfast", "crf": "21"}),
    ("mpeg4", {"qscale": "3"}),  # where FFmpeg was built without x264
)


def _codec() -> tuple[str, dict[str, str]]:
    return next(entry for entry in _CODECS if entry[0] in av.codecs_available)


class VideoWriter:
    """A context manager that writes frames to an MP4 file.

    path: the file; its folder must exist. width, height: of the first frames; other sizes are
    fitted in. max_side: pixels of the longer side above which the video is made smaller. sound: is
    written along with the frames.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        *,
        max_side: int = 1280,
        sound: Sound | None = None,
    ) -> None:
        scale = min(1.0, max_side / max(width, height))
        # The chroma planes of yuv420p have half the size.
        self._size = tuple(max(2, 2 * round(scale * side / 2)) for side in (width, height))
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        codec, options = _codec()
        stream = self._container.add_stream(codec, rate=30, options=options)
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TIME_BASE
        self._sound = sound
        if sound is not None:
            sound.begin(self._container)
        self._begin: float | None = None
        self._earliest = 0  # of the next frame, in ticks

    def write(self, pixels: NDArray[np.uint8], seconds: float) -> None:
        """Append a BGR frame, to be shown at ``seconds`` (of any clock; the first is the start).

        A time that is not after that of the frame before is moved a little after it.
        """
        if self._begin is None:
            self._begin = seconds
        at = round((seconds - self._begin) / _TIME_BASE)
        at = max(at, self._earliest)
        self._earliest = at + int(0.001 / _TIME_BASE)
        frame = av.VideoFrame.from_ndarray(fitted(pixels, *self._size), format="bgr24")
        frame.pts, frame.time_base = at, _TIME_BASE
        self._container.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.up_to(float(at * _TIME_BASE))

    def close(self) -> None:
        """Write what the encoder holds back, and the index."""
        self._container.mux(self._stream.encode())
        if self._sound is not None:
            self._sound.up_to(float(self._earliest * _TIME_BASE) + _LAST_FRAME)
            self._sound.end()
        self._container.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def fitted(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A BGR picture in a frame of ``width`` x ``height``: scaled, never stretched, black beside."""
    rows, columns = pixels.shape[:2]
    if (columns, rows) == (width, height):
        return pixels
    scale = min(width / columns, height / rows)
    inner = max(1, round(columns * scale)), max(1, round(rows * scale))
    interpolation = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    frame = np.zeros((height, width, 3), np.uint8)
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    frame[y : y + inner[1], x : x + inner[0]] = cv2.resize(
        pixels, inner, interpolation=interpolation
    )
    return frame
