"""The video of a report: its images, small, and with people hidden as the privacy mode says."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.drawing.privacy import FaceFinder, PrivacyFilter
from edan_ros.recording.video import VideoWriter, browsers_play
from edan_ros.report.records import Recording, Stream
from edan_ros.report.thumbnails import draw_points, faces_at
from edan_ros.sources.base import Frame, SourceError

#: Seconds up to which a video has this many pixels on its longer side; longer ones have the last.
_SIDES = ((120.0, 960), (1200.0, 640), (float("inf"), 480))


@dataclass(frozen=True)
class Video:
    """A video of one camera. It has no sound.

    path: an MP4 file. begin: time of its first image in seconds of the recording. width, height:
    of the images that the boxes refer to, pixels.
    """

    path: Path
    begin: float
    width: int
    height: int


def write_videos(
    recording: Recording,
    frames: Mapping[int, Iterable[Frame]],
    path: Path,
    privacy: str = "none",
    find_faces: FaceFinder | None = None,
) -> dict[int, Video]:
    """Write a video of each camera and return them by the number of the stream.

    A long recording gets a smaller video.

    Args:
        frames: of each stream, their `time` in seconds of the recording.
        path: of the files, without their endings ``_video.mp4``, ``_video_2.mp4`` and so on.
        privacy: one of PRIVACY_MODES; "landmarks-only" keeps no pixel of the images.
        find_faces: detects faces to blur beside those of the results.

    Raises:
        SourceError: if there are no images, or no browser would play the video.
        RecordingError: if a file cannot be written.
    """
    if recording.is_still:
        raise SourceError("these are single images: --video needs a recording, try --thumbnails")
    if not browsers_play():
        raise SourceError(
            "the video of a report must be H.264, which this FFmpeg cannot encode: install PyAV "
            "with libx264 (pip install av), or leave out --video"
        )
    videos = {}
    for number, images in frames.items():
        file = path.with_name(f"{path.name}_video{f'_{number + 1}' if number else ''}.mp4")
        stream = recording.streams[number]
        videos[number] = _write(stream, images, file, recording.seconds, privacy, find_faces)
    return videos


def earlier_videos(page: Path) -> list[Path]:
    """Return the existing videos that `write_videos` has named for a page that exists."""
    pattern = re.compile(rf"{re.escape(page.stem)}_video(_\d+)?\.mp4")
    return [
        path for path in page.parent.iterdir() if page.exists() and pattern.fullmatch(path.name)
    ]


def _write(
    stream: Stream,
    frames: Iterable[Frame],
    path: Path,
    seconds: float,
    privacy: str,
    find_faces: FaceFinder | None,
) -> Video:
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise SourceError("--video found no image at the times of the results")
    side = next(pixels for limit, pixels in _SIDES if seconds <= limit)
    images = _hidden(stream, itertools.chain([first], frames), privacy, find_faces)
    with VideoWriter(path, max_side=side, preview=True) as writer:
        for time, pixels in images:
            writer.write(pixels, time)
    return Video(path, first.time, first.image.width, first.image.height)


def _hidden(
    stream: Stream, frames: Iterable[Frame], privacy: str, find_faces: FaceFinder | None
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield time and pixels of each image, with people hidden."""
    people = PrivacyFilter[float](privacy, find_faces)
    for frame in frames:
        faces = [face for face, _ in faces_at(stream, frame.time, stream.tolerance)]
        yield from _drawn(stream, people.add(frame.time, frame.image, faces, frame.time), privacy)
    yield from _drawn(stream, people.flush(), privacy)


def _drawn(
    stream: Stream, images: Iterable[tuple[NDArray[np.uint8], float]], privacy: str
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    for pixels, time in images:
        if privacy == "landmarks-only":
            for _, landmarks in faces_at(stream, time, stream.tolerance):
                draw_points(pixels, landmarks, max(pixels.shape) / 500)
        yield time, pixels
