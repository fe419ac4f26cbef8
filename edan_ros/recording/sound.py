"""Copy the sound of a video into another one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from edan_ros.core.stamps import MAX_STEP_BACK

#: Codecs that players accept in an MP4: these are copied. Others are encoded again.
_COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus")
_ENCODER = "aac"


class SoundSource(Protocol):
    """A video whose sound is copied: a VideoSource."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def start(self) -> float | None:
        """Time of the first frame shown on the clock of the file, seconds; None before it."""
        ...


class Sound:
    """The first sound track of a video that can be decoded, or nothing without any.

    A context manager. The sound stays in step with the video's first frame shown, and with its
    segments where time stamps jump (``core.stamps``). What cannot be decoded is left out.
    """

    def __init__(self, video: SoundSource) -> None:
        self._video = video
        self._input = av.open(f"file:{os.fspath(video.path)}")
        tracks = self._input.streams.audio
        # Of a codec that FFmpeg does not know there is no context.
        known = (track for track in tracks if track.codec_context is not None)
        self._source: AudioStream | None = next(known, None)
        self._target: AudioStream | None = None
        self._is_copied = False
        self._output: OutputContainer | None = None
        self._packets: Iterator[tuple[Packet[AudioStream], float]] = iter(())
        self._next: tuple[Packet[AudioStream], float] | None = None
        #: Source time less output time; and the source times that belong to the segment.
        self._shift = 0.0
        self._from = 0.0
        self._newest = 0.0
        self._awaits_step_back = False
        self._written = -1  # time stamp of the last packet

    def begin(self, output: OutputContainer) -> None:
        """Add the track to an output to which nothing has been written yet."""
        if self._source is None:
            return
        self._output = output
        self._is_copied = self._source.codec.canonical_name in _COPIED
        if self._is_copied:
            self._target = output.add_stream_from_template(self._source)
        else:
            added = output.add_stream(_ENCODER, rate=_encoded_rate(self._source))
            assert isinstance(added, AudioStream)
            self._target = added
        self._packets = self._demux(self._source)

    def up_to(self, seconds: float) -> None:
        """Write what sounds until this time of the output."""
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None:
                return
            packet, time = self._next
            steps_back = time < self._newest - MAX_STEP_BACK
            if self._awaits_step_back:
                self._awaits_step_back = not steps_back
            elif steps_back or time - self._shift > seconds:
                return  # later, or in a segment that the video has not reached yet
            if not self._awaits_step_back and time >= self._from:
                self._write(packet, time - self._shift)
            self._newest = time
            self._next = None

    def jump(self, source: float, output: float) -> None:
        """Go on with what sounds at ``source`` seconds after the first frame, at ``output``."""
        self._awaits_step_back = source < self._newest - MAX_STEP_BACK
        self._shift, self._from = source - output, source
        if self._next is not None and self._next[1] < self._newest - MAX_STEP_BACK:
            self._awaits_step_back = False  # the sound has stepped back already
            self._newest = self._next[1]

    def end(self) -> None:
        """Write what the encoder holds back."""
        if self._target is not None and not self._is_copied:
            assert self._output is not None
            self._output.mux(self._target.encode(None))

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the video."""
        self._input.close()

    def _demux(self, source: AudioStream) -> Iterator[tuple[Packet[AudioStream], float]]:
        """Yield packets and their seconds after the video's first frame; none from before it."""
        start = self._video.start or 0.0
        try:
            for packet in self._input.demux(source):
                if packet.pts is None or packet.time_base is None:
                    continue
                time = float(packet.pts * packet.time_base) - start
                if time >= 0.0 or self._newest > 0.0:
                    yield packet, time
        except av.error.FFmpegError:
            return  # the file is damaged from here on

    def _write(self, packet: Packet[AudioStream], seconds: float) -> None:
        assert self._output is not None
        assert self._target is not None
        if self._is_copied:
            assert packet.time_base is not None
            stamp = round(seconds / packet.time_base)
            if stamp <= self._written:
                return
            packet.pts = packet.dts = self._written = stamp
            packet.stream = self._target
            self._output.mux(packet)
            return
        assert packet.pts is not None
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.pts is not None:
                assert frame.time_base is not None
                # A frame may begin a little after its packet.
                late = float(frame.pts * frame.time_base - packet.pts * packet.time_base)
                stamp = round((seconds + late) / frame.time_base)
                if stamp > self._written:
                    frame.pts = self._written = stamp
                    self._output.mux(self._target.encode(frame))


def _encoded_rate(source: AudioStream) -> int:
    """Return the encoder's rate that loses least: the next higher one, else the highest."""
    rate = source.codec_context.sample_rate
    known = av.codec.Codec(_ENCODER, "w").audio_rates or [rate]
    return min(known, key=lambda other: (other < rate, abs(other - rate)))
