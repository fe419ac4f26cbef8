"""Takes the sound of a video over into another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

#: Codecs that players take in an MP4: these are copied. Sound of another kind is encoded anew.
_COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus")
_ENCODER = "aac"


def _encoded_rate(source: AudioStream) -> int:
    """The encoder's rate that loses least: its next higher one, else its highest."""
    rate = source.codec_context.sample_rate
    known = av.codec.Codec(_ENCODER, "w").audio_rates or [rate]
    return min(known, key=lambda other: (other < rate, abs(other - rate)))


class Sound:
    """The first sound track of a video, or nothing where it has none. A context manager.

    Kept in step with the video's first frame. What cannot be decoded is left out.
    """

    def __init__(self, path: Path) -> None:
        self._input = av.open(str(path))
        self._source: AudioStream | None = next(iter(self._input.streams.audio), None)
        self._target: AudioStream | None = None
        self._is_copied = False
        self._next: tuple[Packet, float] | None = None
        self._output: OutputContainer | None = None
        self._packets: Iterator[tuple[Packet, float]] = iter(())

    def begin(self, output: OutputContainer) -> None:
        """Add the track to an output to which nothing has been written yet."""
        if self._source is None:
            return
        self._output = output
        self._is_copied = self._source.codec.canonical_name in _COPIED
        if self._is_copied:
            self._target = output.add_stream_from_template(self._source)
            self._packets = self._copied(self._source, self._target)
        else:
            self._target = output.add_stream(_ENCODER, rate=_encoded_rate(self._source))
            self._packets = self._encoded(self._source, self._target)

    def up_to(self, seconds: float) -> None:
        """Write what sounds until this time of the output."""
        while True:
            if self._next is None:
                self._next = next(self._packets, None)
            if self._next is None or self._next[1] > seconds:
                return
            assert self._output is not None
            self._output.mux(self._next[0])
            self._next = None

    def end(self) -> None:
        """Write what the encoder holds back."""
        if self._target is not None and not self._is_copied:
            assert self._output is not None
            self._output.mux(self._target.encode(None))

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the video."""
        self._input.close()

    def _copied(self, source: AudioStream, target: AudioStream) -> Iterator[tuple[Packet, float]]:
        for packet, shift in self._demuxed(source):
            packet.pts -= shift
            packet.dts = packet.pts
            packet.stream = target
            yield packet, float(packet.pts * packet.time_base)

    def _encoded(self, source: AudioStream, target: AudioStream) -> Iterator[tuple[Packet, float]]:
        for packet, shift in self._demuxed(source):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in frames:
                frame.pts -= shift
                for encoded in target.encode(frame):
                    yield encoded, float(frame.pts * frame.time_base)

    def _demuxed(self, source: AudioStream) -> Iterator[tuple[Packet, int]]:
        """Packets, and the time of the first picture in their unit; none from before it."""
        video = next(iter(self._input.streams.video), None)
        begin = 0.0
        if video is not None and video.start_time is not None:
            begin = float(video.start_time * video.time_base)
        shift = round(begin / source.time_base)
        try:
            for packet in self._input.demux(source):
                if packet.pts is not None and packet.pts >= shift:
                    yield packet, shift
        except av.error.FFmpegError:
            return  # the file is damaged from here on
