"""Encodes streams of H.264 and H.265 packets with the real encoders, as cameras publish them."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

ENCODERS = {"h264": "libx264", "hevc": "libx265"}
#: Images between two key frames.
GOP = 10


def moving(count: int, width: int = 96, height: int = 64) -> list[NDArray[np.uint8]]:
    """Images of a smooth pattern that moves, so that every frame depends on the one before."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (12, 16, 3), np.uint8)
    wide = cv2.resize(coarse, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    return [
        np.ascontiguousarray(wide[i % height :, 2 * i % width :][:height, :width])
        for i in range(count)
    ]


def encode(
    codec: str, images: list[NDArray[np.uint8]], *, reordered: bool = False, gop: int = GOP
) -> dict[int, bytes]:
    """The packets of a stream in their order, by the number of their image.

    reordered: with B-frames, whose packets come later than those of the images after them.
    """
    context = av.CodecContext.create(ENCODERS[codec], "w")
    context.height, context.width = images[0].shape[:2]
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, 30), 30
    context.gop_size = gop
    quiet = f"log-level=none:keyint={gop}:min-keyint={gop}:pools=none:frame-threads=1"
    context.options = {"preset": "ultrafast", "crf": "18", "x265-params": quiet}
    context.options |= {"bf": "2"} if reordered else {"tune": "zerolatency"}
    packets: dict[int, bytes] = {}
    for number, pixels in enumerate(images):
        frame = av.VideoFrame.from_ndarray(pixels, "bgr24")
        frame.pts = number
        packets |= {packet.pts: bytes(packet) for packet in context.encode(frame)}
    return packets | {packet.pts: bytes(packet) for packet in context.encode(None)}


def foxglove(data: bytes, encoding: str, stamp_ns: int = 0) -> Any:
    """An object with the fields of foxglove_msgs/CompressedVideo."""
    stamp = SimpleNamespace(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return SimpleNamespace(timestamp=stamp, frame_id="camera", data=data, format=encoding)
