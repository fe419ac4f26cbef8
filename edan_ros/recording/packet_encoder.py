"""Encode images as the packets of an H.264 or H.265 topic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Generic, TypeVar

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from edan_ros.recording.files import RecordingError

T = TypeVar("T")

_ENCODERS = {"h264": "libx264", "hevc": "libx265"}
#: Pixel formats that are kept; others become yuv420p.
_FORMATS = ("yuv420p", "yuvj420p", "yuv422p", "yuv444p")
#: About as good as what cameras publish, without frames that are held back; key frames come only
#: where they are requested, so that they stay where they were.
_OPTIONS = {
    "preset": "veryfast",
    "tune": "zerolatency",
    "crf": "20",
    "forced-idr": "1",
    "x264-params": "keyint=infinite:scenecut=0",
    "x265-params": "keyint=-1:scenecut=0:log-level=none:pools=none:frame-threads=1",
}


class PacketEncoder(Generic[T]):
    """Encodes a sequence of frames whose size, format and codec may change on the way.

    Raises RecordingError where FFmpeg lacks the encoder, or cannot encode such a frame.
    """

    def __init__(self) -> None:
        self._context: VideoCodecContext | None = None
        self._kind: tuple[Any, ...] = ()
        self._origins: dict[int, T] = {}
        self._count = 0

    def encode(
        self, pixels: NDArray[np.uint8] | None, frame: av.VideoFrame, codec: str, origin: T
    ) -> list[tuple[T, bytes]]:
        """Encode a frame and return the packets that are complete, each with its origin.

        Args:
            pixels: (height, width, 3) BGR that replace those of the frame; None to keep them.
            frame: the decoded frame, whose key frame, format and colour space are kept.
            codec: "h264" or "hevc".
            origin: comes back with the packet of this frame.
        """
        layout = frame.format.name if frame.format.name in _FORMATS else "yuv420p"
        kind = codec, frame.width, frame.height, layout, frame.colorspace, frame.color_range
        packets: list[tuple[T, bytes]] = []
        try:
            if kind != self._kind:
                packets += self.flush()
                self._context, self._kind = _context(*kind), kind
            assert self._context is not None
            if pixels is None:
                new = frame.reformat(format=layout)
            else:
                new = av.VideoFrame.from_ndarray(pixels, "bgr24").reformat(
                    format=layout,
                    dst_colorspace=frame.colorspace,
                    dst_color_range=frame.color_range,
                )
            new.pts, new.time_base = self._count, Fraction(1, 30)
            new.pict_type = PictureType.I if frame.key_frame else PictureType.NONE
            self._origins[self._count] = origin
            self._count += 1
            return packets + self._named(self._context.encode(new))
        except (av.FFmpegError, ValueError) as error:
            raise RecordingError(
                f"a frame of {frame.width}x{frame.height} cannot be encoded as {codec}: {error}"
            ) from error

    def flush(self) -> list[tuple[T, bytes]]:
        """Return the packets that the encoder has held back, and end the stream."""
        if self._context is None:
            return []
        context, self._context, self._kind = self._context, None, ()
        return self._named(context.encode(None))

    def _named(self, packets: Sequence[Any]) -> list[tuple[T, bytes]]:
        return [(self._origins.pop(p.pts), bytes(p)) for p in packets if p.pts is not None]


def _context(
    codec: str, width: int, height: int, layout: str, colorspace: int, color_range: int
) -> VideoCodecContext:
    context = av.CodecContext.create(_ENCODERS[codec], "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, layout
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.colorspace, context.color_range = colorspace, color_range
    context.thread_count = 1
    others = {"h264": "x265-params", "hevc": "x264-params"}
    context.options = {k: v for k, v in _OPTIONS.items() if k != others[codec]}
    return context
