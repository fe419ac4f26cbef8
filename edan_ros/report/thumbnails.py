"""Small images of a face at the moments when its label changed."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection
from edan_ros.drawing.privacy import FaceFinder, anonymize
from edan_ros.report.records import LABELS, PersonTrack, Recording, Stream
from edan_ros.sources.base import Frame

#: Seconds for which a label must hold to be shown.
_MIN_SECONDS = 0.4
#: Largest number of images per person, and in total: those of the labels that held longest.
MAX_PER_PERSON, MAX_TOTAL = 24, 150
_SIZE = 112
_QUALITY = 82
#: Side of the image in parts of the face's: the box of the landmarks ends at the brows.
_MARGIN = 1.7


@dataclass(frozen=True)
class Thumbnail:
    """An image of a face. time: seconds of the recording. uri: of its data. label: its own."""

    time: float
    label: str
    uri: str


@dataclass(frozen=True)
class _Moment:
    stream: int
    track: PersonTrack
    row: int

    @property
    def time(self) -> float:
        """Seconds of the recording."""
        return float(self.track.times[self.row])


def make_thumbnails(
    recording: Recording,
    frames: Mapping[int, Iterable[Frame]],
    privacy: str = "none",
    find_faces: FaceFinder | None = None,
) -> dict[tuple[int, int], list[Thumbnail]]:
    """Return images by stream and track, in the order of time; of single images by 0 and image.

    Args:
        frames: of each stream that has any, their `time` in seconds of the recording.
        privacy: one of PRIVACY_MODES.
        find_faces: detects faces to blur beside those of the results.
    """
    made: dict[tuple[int, int], list[Thumbnail]] = defaultdict(list)
    if recording.is_still:
        return _of_stills(recording.streams[0], frames[0], privacy, find_faces)
    moments = _moments(recording)
    for number, images in frames.items():
        stream = recording.streams[number]
        wanted = sorted((m for m in moments if m.stream == number), key=lambda m: m.time)
        for moment, frame in _pair_by_time(wanted, images, stream.tolerance):
            pixels = _hidden(stream, moment.time, frame, privacy, find_faces)
            made[number, moment.track.number].append(_thumbnail(moment, pixels, privacy))
    return dict(made)


def _of_stills(
    stream: Stream, frames: Iterable[Frame], privacy: str, find_faces: FaceFinder | None
) -> dict[tuple[int, int], list[Thumbnail]]:
    """Return the faces of single images, which are found by their names, of the first images."""
    rows = {file: row for row, file in enumerate(stream.files)}
    made: dict[tuple[int, int], list[Thumbnail]] = {}
    for frame in frames:
        row = rows.get(frame.name)
        if row is None or not stream.faces[row]:
            continue
        if sum(map(len, made.values())) + int(stream.faces[row]) > MAX_TOTAL:
            break
        time = float(stream.times[row])
        pixels = _hidden(stream, time, frame, privacy, find_faces)
        made[0, row] = [
            _thumbnail(_Moment(0, track, face), pixels, privacy)
            for track in stream.tracks
            for face in track.rows_at(time, 0.0)
        ]
    return made


def _hidden(
    stream: Stream, time: float, frame: Frame, privacy: str, find_faces: FaceFinder | None
) -> NDArray[np.uint8]:
    """Return the pixels of a frame with the faces of its time hidden: neighbours, too."""
    faces = [face for face, _ in faces_at(stream, time, 1e-6)]
    return anonymize(frame.image, faces, privacy, find_faces)


def _thumbnail(moment: _Moment, pixels: NDArray[np.uint8], privacy: str) -> Thumbnail:
    uri = _uri_of(moment, pixels, points_only=privacy == "landmarks-only")
    return Thumbnail(moment.time, LABELS[moment.track.labels[moment.row]], uri)


def _moments(recording: Recording) -> list[_Moment]:
    """Return the most confident image of each run of one label, of the longest runs."""
    runs: list[tuple[float, _Moment]] = []
    for number, stream in enumerate(recording.streams):
        for track in (t for t in stream.tracks if t.number):
            candidates = []
            for run in track.runs(stream.interval):
                held = float(track.times[run.stop - 1] - track.times[run.start])
                row = run.start + int(np.argmax(track.probabilities[run].max(axis=1)))
                if held >= _MIN_SECONDS:
                    candidates.append((held, _Moment(number, track, row)))
            runs += sorted(candidates, key=lambda item: -item[0])[:MAX_PER_PERSON]
    return [moment for _, moment in sorted(runs, key=lambda item: -item[0])[:MAX_TOTAL]]


def _pair_by_time(
    wanted: Sequence[_Moment], frames: Iterable[Frame], tolerance: float
) -> Iterable[tuple[_Moment, Frame]]:
    """Yield each moment with the frame of its time; both come in the order of time."""
    left = list(wanted)
    for frame in frames:
        while left and left[0].time < frame.time - tolerance:
            left.pop(0)
        if not left:
            return
        while left and abs(left[0].time - frame.time) <= tolerance:
            yield left.pop(0), frame


def _uri_of(moment: _Moment, pixels: NDArray[np.uint8], *, points_only: bool) -> str:
    """Return the square around the face as a data URI. points_only: draw the landmarks in."""
    track, row = moment.track, moment.row
    x, y, width, height = track.boxes[row].tolist()
    side = _MARGIN * max(width, height)
    # Landmarks end at the brows: the centre of a head lies higher than theirs.
    corner = np.array([x + 0.5 * (width - side), y + 0.45 * height - 0.5 * side])
    size = max(round(side), 1)
    moved = np.array([[1.0, 0.0, -corner[0]], [0.0, 1.0, -corner[1]]])
    square = cv2.warpAffine(pixels, moved, (size, size), flags=cv2.INTER_LINEAR)
    interpolation = cv2.INTER_AREA if size > _SIZE else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(square, (_SIZE, _SIZE), interpolation=interpolation), np.uint8)
    if points_only:
        draw_points(small, (track.landmarks[row] - corner) * (_SIZE / size))
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def faces_at(
    stream: Stream, time: float, tolerance: float
) -> list[tuple[Detection, NDArray[np.float32]]]:
    """Return box and (68, 2) landmarks of the faces within ``tolerance`` seconds of a time."""
    return [
        (Detection(Box(*track.boxes[row].tolist())), track.landmarks[row])
        for track in stream.tracks
        for row in track.rows_at(time, tolerance)
    ]


def draw_points(
    pixels: NDArray[np.uint8], points: NDArray[np.floating], radius: float = 1.25
) -> None:
    """Draw (n, 2) landmarks into a BGR image. radius: pixels."""
    for x, y in np.round(16 * points).astype(int).tolist():
        cv2.circle(pixels, (x, y), round(16 * radius), (235, 235, 235), -1, cv2.LINE_AA, 4)
