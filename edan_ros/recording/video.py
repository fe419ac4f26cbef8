"""Write an MP4 that browsers play, with each frame at its own time."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from edan_ros.core.stamps import SegmentClock
from edan_ros.recording.files import writing
from edan_ros.recording.sound import Sound

_TIME_BASE = Fraction(1, 90_000)
#: Seconds for which the last frame may be shown: until then there is sound.
_LAST_FRAME = 0.05
_H264 = "libx264"
_CODECS = (
    (_H264, {"preset": "veryfast", "crf": "21"}),
    ("mpeg4", {"qscale": "3"}),  # where FFmpeg was built without x264
)
#: Options of a preview: about half the size, and a key frame at least every second.
_PREVIEW = {"crf": "27", "g": "30"}


def browsers_play() -> bool:
    """Return whether the videos written here are H.264, which every browser plays."""
    return _H264 in av.codecs_available


class VideoWriter:
    """A context manager that writes frames to an MP4 file, which exists from the first one on.

    Leaving it completes the file, whatever ended the run.

    Args:
        path: the file; its folder must exist.
        max_side: pixels of the longer side above which the video is made smaller.
        sound: is written along with the frames.
        preview: write a smaller file in which players seek quickly.

    Raises RecordingError where the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_side: int = 1280,
        sound: Sound | None = None,
        preview: bool = False,
    ) -> None:
        self._path, self._max_side, self._sound = path, max_side, sound
        self._preview = preview
        self._opened: tuple[OutputContainer, av.VideoStream] | None = None
        self._clock = SegmentClock()
        self._begin = 0.0
        self._earliest = 0  # of the next frame, in ticks

    def write(self, pixels: NDArray[np.uint8], seconds: float) -> None:
        """Append a BGR frame, to be shown at ``seconds`` of any clock; the first is the start.

        Where times jump (``core.stamps``), the next segment follows at once. A frame that is not
        after the one before is moved 1 ms after it. The first frame defines the size; others are
        fitted in.
        """
        with writing(self._path):
            if self._opened is None:
                self._begin = seconds
                self._opened = self._open(*pixels.shape[1::-1])
            container, stream = self._opened
            jumps = len(self._clock.jumps)
            time = self._clock.place(seconds)
            if self._sound is not None and len(self._clock.jumps) > jumps:
                self._sound.jump(seconds - self._begin, time)
            ticks = max(round(time / _TIME_BASE), self._earliest)
            self._earliest = ticks + int(0.001 / _TIME_BASE)
            whole = fitted(pixels, stream.width, stream.height)
            frame = av.VideoFrame.from_ndarray(whole, format="bgr24")
            frame.pts, frame.time_base = ticks, _TIME_BASE
            container.mux(stream.encode(frame))
            if self._sound is not None:
                self._sound.up_to(float(ticks * _TIME_BASE))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        """Write what the encoder holds back, and the index."""
        if self._opened is None:
            return
        container, stream = self._opened
        with writing(self._path), container:
            container.mux(stream.encode())
            if self._sound is not None:
                self._sound.up_to(float(self._earliest * _TIME_BASE) + _LAST_FRAME)
                self._sound.end()

    def _open(self, width: int, height: int) -> tuple[OutputContainer, av.VideoStream]:
        # The prefix keeps a colon in the name from being read as a protocol.
        name = f"file:{os.fspath(self._path)}"
        container = av.open(name, "w", options={"movflags": "faststart"})
        codec, options = next(entry for entry in _CODECS if entry[0] in av.codecs_available)
        options = options | (_PREVIEW if self._preview else {})
        stream = container.add_stream(codec, rate=30, options=options)
        assert isinstance(stream, av.VideoStream)
        scale = min(1.0, self._max_side / max(width, height))
        # The chroma planes of yuv420p have half the size.
        stream.width, stream.height = (
            max(2, 2 * round(scale * side / 2)) for side in (width, height)
        )
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        if self._sound is not None:
            self._sound.begin(container)
        return container, stream


def fitted(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return a BGR image scaled into ``width`` x ``height``, its shape kept, black beside it."""
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
