"""Decode video that comes in single packets: topics of H.264 and H.265, live and in bags."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from edan_ros.core.images import Image, ImageError
from edan_ros.core.images.sixteen_bit import SixteenBitScaler
from edan_ros.core.images.still_image import DEFAULT_LIMITS, DecodeLimits
from edan_ros.core.message_fields import decode_image
from edan_ros.sources import h264
from edan_ros.sources.video import error_reason, import_av

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.codeccontext import VideoCodecContext

T = TypeVar("T")

FFMPEG_PACKET = "ffmpeg_image_transport_msgs/msg/FFMPEGPacket"
FOXGLOVE_VIDEO = "foxglove_msgs/msg/CompressedVideo"
#: Message type of a video topic -> its fields, for bags that hold no definitions.
VIDEO_DEFINITIONS = {
    FFMPEG_PACKET: "std_msgs/Header header\nint32 width\nint32 height\nstring encoding\n"
    "uint64 pts\nuint8 flags\nbool is_bigendian\nuint8[] data\n",
    FOXGLOVE_VIDEO: "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\n"
    "string format\n",
}
#: Reason of an ImageError while packets cannot be decoded before the next key frame.
KEY_FRAME = "key_frame"

#: Codec -> parts of the names that publishers give it, and types of the NAL units of its parameter
#: sets, of that of a sequence, and of its key frames.
_NAMES = {"h264": ("264", "avc"), "hevc": ("265", "hevc")}
_PARAMETER_SETS = {"h264": (h264.SPS, h264.PPS), "hevc": (32, 33, 34)}
_SEQUENCE = {"h264": h264.SPS, "hevc": 33}
_KEY_FRAMES = {"h264": frozenset({h264.IDR_SLICE}), "hevc": frozenset(range(16, 22))}
#: Most frames that a decoder holds back (H.264, A.3.1; H.265, A.4.1).
_MAX_DELAY = 16
#: Memory of a decoded frame and its conversion, for DecodeLimits.
_BYTES_PER_PIXEL = 6


@dataclass(frozen=True)
class DecodedFrame(Generic[T]):
    """A frame, not yet converted to pixels, and what came with its packet."""

    origin: T
    frame: VideoFrame

    def image(self, *, gray: bool = False) -> Image:
        """Return the pixels in colour or, which is faster, in grey."""
        pixels = self.frame.to_ndarray(format="gray" if gray else "bgr24")
        return Image(np.asarray(pixels, np.uint8), "mono" if gray else "bgr")


class PacketDecoder(Generic[T]):
    """Decodes the packets of one stream in their order.

    Frames that depend on a missing or damaged one are left out until the next key frame: in H.265
    by FFmpeg, from version 8 on, in H.264 here. The size and the codec may change at a key frame.
    A stream without B-frames is decoded without delay.

    Args:
        limits: the most that decoding a frame may take.

    Raises SourceError where PyAV is not installed.
    """

    def __init__(self, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._av = import_av()
        self._max_pixels = limits.max_image_bytes // _BYTES_PER_PIXEL
        self._numbers = h264.FrameNumbers()
        self._count = 0
        self._codec = ""
        self._parameter_sets = b""
        self._context: VideoCodecContext | None = None
        #: Number of a packet -> its origin, until its frame comes.
        self._pending: dict[int, T] = {}
        #: Packets that were pending when a frame came: the delay by B-frames. None before the first
        #: frame since the last restart.
        self._delay: int | None = None

    def decode(self, data: bytes, encoding: str, origin: T) -> list[DecodedFrame[T]]:
        """Decode a packet and return the frames that are complete, usually one.

        Args:
            data: the packet, in Annex B format.
            encoding: name of the codec, as ``codec_of`` takes it.
            origin: comes back with the frame of this packet.

        Raises:
            ImageError: no frame comes of the packet: ``encoding``, ``damaged_video``, or
                ``key_frame`` until one comes. The next packet can be given all the same.
        """
        codec = codec_of(encoding)
        units = [unit for unit in h264.nal_units(data) if unit]
        if not units:
            raise ImageError("damaged_video", f"a packet of {len(data)} bytes has no start code")
        kinds = [unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63 for unit in units]
        frames: list[DecodedFrame[T]] = []
        if codec != self._codec:
            if _SEQUENCE[codec] not in kinds:
                raise _key_frame_error()
            frames += self._restart(codec)
        if _SEQUENCE[codec] in kinds:
            self._parameter_sets = b"".join(
                b"\0\0\0\1" + unit
                for unit, kind in zip(units, kinds, strict=True)
                if kind in _PARAMETER_SETS[codec]
            )
        if codec == "h264" and self._numbers.is_frame_missing(units):
            frames += self._restart(codec)
        packet = self._av.Packet(data)
        packet.pts = packet.dts = self._count
        self._pending[self._count] = origin
        self._count += 1
        try:
            found, is_damaged = self._collect(packet)
        except self._av.error.FFmpegError as error:
            self._restart(codec)
            reason = f"a packet of {len(data)} bytes is no {codec} ({error_reason(error)})"
            raise ImageError("damaged_video", reason) from error
        frames += found
        if is_damaged:
            self._restart(codec)
            if not frames:
                raise ImageError("damaged_video", "a frame of the video is incomplete")
        elif not frames and self._is_lost(kinds):
            del self._pending[self._count - 1]
            raise _key_frame_error()
        return frames

    def flush(self) -> list[DecodedFrame[T]]:
        """Return the frames that the decoder has held back, and reset it for a new stream."""
        return self._restart(self._codec) if self._codec else []

    def _is_lost(self, kinds: list[int]) -> bool:
        """Return whether the newest packet gave no frame for another reason than reordering."""
        if self._delay is None and len(self._pending) == 1:
            return _KEY_FRAMES[self._codec].isdisjoint(kinds)
        return len(self._pending) > (_MAX_DELAY if self._delay is None else self._delay)

    def _restart(self, codec: str) -> list[DecodedFrame[T]]:
        """Start a decoder without references, which waits for a key frame; drain the last one.

        ``flush_buffers`` would do, but leaves traces of damaged frames in those after them.
        """
        frames: list[DecodedFrame[T]] = []
        if self._context is not None:
            with suppress(self._av.error.FFmpegError):
                frames, _ = self._collect(None)
        context: VideoCodecContext = self._av.CodecContext.create(codec, "r")
        context.thread_count = 1  # each thread more would delay the frames
        context.options = {"flags": "low_delay", "max_pixels": str(self._max_pixels)}
        if codec == self._codec and self._parameter_sets:
            context.extradata = self._parameter_sets
        else:
            self._numbers = h264.FrameNumbers()
        self._numbers.reset()
        self._codec, self._context = codec, context
        self._pending.clear()
        self._delay = None
        return frames

    def _collect(self, packet: Any) -> tuple[list[DecodedFrame[T]], bool]:
        """Return the frames of a packet, and whether one is left out because it is damaged."""
        frames, is_damaged = [], False
        assert self._context is not None
        for frame in self._context.decode(packet):
            if frame.is_corrupt:
                is_damaged = True
            elif frame.pts is not None and frame.pts in self._pending:
                frames.append(DecodedFrame(self._pending.pop(frame.pts), frame))
        if frames:
            self._delay = max(len(self._pending), self._delay or 0)
        return frames, is_damaged


class ImageDecoder(Generic[T]):
    """Decodes the messages of one image topic of a bag, still images and video alike."""

    def __init__(self) -> None:
        self._scaler = SixteenBitScaler()
        self._video: PacketDecoder[T] | None = None

    def decode(
        self, message: Any, origin: T, *, reduction: int = 1, gray: bool = False
    ) -> list[tuple[T, Image]]:
        """Return the images that are complete with a message, each with the ``origin`` of its own.

        reduction and gray are those of ``decode_image``. Raises ImageError.
        """
        if not is_video(message):
            image = decode_image(message, reduction=reduction, gray=gray, scaler=self._scaler)
            return [(origin, image)]
        if self._video is None:
            self._video = PacketDecoder()
        found = self._video.decode(bytes(message.data), encoding_of(message), origin)
        return [(each.origin, each.image(gray=gray)) for each in found]

    def flush(self, *, gray: bool = False) -> list[tuple[T, Image]]:
        """Return the images that a video has held back until its end."""
        found = [] if self._video is None else self._video.flush()
        return [(each.origin, each.image(gray=gray)) for each in found]


def is_video(message: Any) -> bool:
    """Return whether a message is an FFMPEGPacket or a CompressedVideo."""
    return hasattr(message, "pts") or hasattr(message, "timestamp")


def encoding_of(message: Any) -> str:
    """Return the name of the codec in a video message."""
    return str(message.encoding if hasattr(message, "pts") else message.format)


def codec_of(encoding: str) -> str:
    """Return "h264" or "hevc" for the name of a codec or encoder.

    Names are "h264", "libx265", "hevc_nvenc" and so on; what follows a semicolon, pixel formats
    by newer versions of ffmpeg_image_transport, does not matter. Raises ImageError.
    """
    name = encoding.partition(";")[0].lower()
    for codec, parts in _NAMES.items():
        if any(part in name for part in parts):
            return codec
    raise ImageError("encoding", f"the video is encoded as '{encoding}': publish h264 or hevc")


def _key_frame_error() -> ImageError:
    return ImageError(KEY_FRAME, "the video cannot be decoded before its next key frame")
