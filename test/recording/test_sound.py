"""The sound of a video in another one: in step whatever the video begins with."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edan_ros.recording.sound import Sound
from edan_ros.recording.video import VideoWriter
from edan_ros.sources.video import VideoSource

RATE = 16_000
BASE = Fraction(1, 1000)


def film(
    path: Path,
    times_ms: Sequence[int],
    tone_at: float,
    seconds: float,
    *,
    tracks: int = 1,
    gap: tuple[float, float] = (0.0, 0.0),
) -> Path:
    """A video with a tone from ``tone_at`` to ``seconds`` on each of its sound tracks.

    times_ms: of the frames. gap: from its first value on, the sound is shifted by its second.
    """
    samples = np.arange(round(seconds * RATE)) / RATE
    wave = np.where(samples >= tone_at, 12_000 * np.sin(2 * np.pi * 440 * samples), 0.0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0", "g": "50"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = BASE
        sounds = [container.add_stream("aac", rate=RATE, layout="mono") for _ in range(tracks)]
        events: list[tuple[float, int]] = [(t / 1000, -1) for t in times_ms]
        events += [(at / RATE, at) for at in range(0, len(wave), 1024)]
        events = [(t + gap[1] if i >= 0 and t >= gap[0] else t, i) for t, i in events]
        for time, index in sorted(events):
            if index < 0:
                pixels = np.full((48, 64, 3), 90, np.uint8)
                image = av.VideoFrame.from_ndarray(pixels, format="bgr24")
                image.pts, image.time_base = round(time * 1000), BASE
                container.mux(video.encode(image))
                continue
            for sound in sounds:
                part = wave[None, index : index + 1024].astype(np.int16)
                frame = av.AudioFrame.from_ndarray(part, "s16", "mono")
                frame.sample_rate, frame.pts = RATE, round(time * RATE)
                frame.time_base = Fraction(1, RATE)
                container.mux(sound.encode(frame))
        for stream in (video, *sounds):
            container.mux(stream.encode(None))
    return path


def rewritten(path: Path, target: Path) -> tuple[list[float], float]:
    """Times of the frames of the new video, and when its tone begins."""
    source = VideoSource(path)
    with Sound(source) as sound, VideoWriter(target, sound=sound) as writer:
        for frame in source.frames():
            writer.write(frame.image.bgr(), frame.time)
    with av.open(str(target)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    loud: list[float] = []
    with av.open(str(target)) as container:
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray()).max(axis=0)
            loud += [frame.time + int(i) / frame.sample_rate for i in np.flatnonzero(samples > 0.1)]
    return times, loud[0]


def test_a_capture_that_begins_inside_a_group_of_pictures(tmp_path: Path) -> None:
    """The first frame that decodes is shown at 2 s, the sound begins with the capture."""
    whole = film(tmp_path / "a.ts", range(0, 5000, 40), 3.0, 5.0).read_bytes()
    packets = [whole[at : at + 188] for at in range(0, len(whole), 188)]
    cut = tmp_path / "cut.ts"
    cut.write_bytes(b"".join(packets[len(packets) // 5 :]))
    with av.open(str(cut)) as container:
        first_packet = container.streams.video[0].start_time
        first_frame = next(container.decode(video=0)).pts
        assert (first_frame - first_packet) / 90_000 > 0.5
    times, tone = rewritten(cut, tmp_path / "new.mp4")
    assert len(times) == 75
    assert tone == pytest.approx(1.0, abs=0.1)


def test_a_first_sound_track_of_an_unknown_codec_is_passed_over(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", range(0, 2000, 40), 1.0, 2.0, tracks=2)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"A_AAC", b"A_XYZ", 1))
    times, tone = rewritten(path, tmp_path / "new.mp4")
    assert len(times) == 50
    assert tone == pytest.approx(1.0, abs=0.1)


def test_only_unknown_sound_leaves_a_silent_video(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", range(0, 400, 40), 0.0, 0.4)
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    source = VideoSource(path)
    with Sound(source) as sound, VideoWriter(tmp_path / "new.mp4", sound=sound) as writer:
        for frame in source.frames():
            writer.write(frame.image.bgr(), frame.time)
    with av.open(str(tmp_path / "new.mp4")) as container:
        assert not container.streams.audio
        assert len(list(container.decode(video=0))) == 10


def test_sound_stays_in_step_over_a_jump_of_the_time_stamps(tmp_path: Path) -> None:
    """Seven hours are missing after 2 s; the tone begins 1 s after the second segment."""
    times_ms = [*range(0, 2000, 40), *range(25_200_000, 25_203_000, 40)]
    path = film(tmp_path / "a.mkv", times_ms, 3.0, 5.0, gap=(2.0, 25_198.0))
    times, tone = rewritten(path, tmp_path / "new.mp4")
    assert len(times) == 125
    assert times[-1] == pytest.approx(1.96 + 1.0 + 2.96, abs=0.05)
    assert tone == pytest.approx(1.96 + 1.0 + 1.0, abs=0.12)


def test_a_cover_image_does_not_shift_the_sound(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", range(0, 2000, 40), 1.0, 2.0)
    with av.open(str(path)) as plain, av.open(str(tmp_path / "b.mp4"), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.disposition = av.stream.Disposition.attached_pic
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        copies = {s.index: container.add_stream_from_template(s) for s in plain.streams}
        red = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")
        container.mux(cover.encode(red.reformat(format="yuvj420p")))
        container.mux(cover.encode(None))
        for packet in plain.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                container.mux(packet)
    times, tone = rewritten(tmp_path / "b.mp4", tmp_path / "new.mp4")
    assert len(times) == 50
    assert tone == pytest.approx(1.0, abs=0.1)
