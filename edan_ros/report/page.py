"""Render the page: one HTML file with its style, script, chart library and data."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata, resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import numpy as np

from edan_ros.core.wording import plural
from edan_ros.drawing.pages import page_environment, stylesheet
from edan_ros.report.figures import (
    PersonFigures,
    StreamFigures,
    person_figures,
    stream_figures,
    together,
)
from edan_ros.report.packing import joined, page_data
from edan_ros.report.records import LABELS, PersonTrack, Recording, Stream
from edan_ros.report.thumbnails import Thumbnail
from edan_ros.report.video import Video

#: Largest number of people with curves; of the others only figures are shown.
MAX_PEOPLE = 12
#: Recorded names of settings that need other words.
_PLAIN_NAMES = {
    "selection reason": "chosen because",
    "why": "chosen because",  # in recordings of version 0.5 and before
    "sha256": "SHA-256",
    "terms": "terms of use",
    "input size": "size of a face crop, pixels",
}
#: Parts of the script of the page.
_SCRIPTS = ("report_data.js", "report_charts.js", "report_player.js", "report_moments.js")


@dataclass(frozen=True)
class PersonSection:
    """One person in the page."""

    figures: PersonFigures
    key: str
    name: str
    shown: bool
    thumbnails: Sequence[Thumbnail] = ()


@dataclass(frozen=True)
class StillSection:
    """One single image in the page. counts: number of faces of each label, with the label."""

    file: str
    counts: list[tuple[int, str]]
    thumbnails: Sequence[Thumbnail]


@dataclass(frozen=True)
class CameraSection:
    """One camera in the page. short: its short tracks together, with their number in `tracks`."""

    name: str
    figures: StreamFigures
    latency_of: str
    people: list[PersonSection]
    short: PersonFigures | None
    tracks: int
    video: Video | None
    video_address: str
    stills: list[StillSection]


def render(
    recording: Recording,
    thumbnails: Mapping[tuple[int, int], Sequence[Thumbnail]] | None = None,
    videos: Mapping[int, Video] | None = None,
    *,
    embed: bool = False,
) -> str:
    """Return the page as text.

    Args:
        thumbnails: by the numbers of stream and track.
        videos: by the number of the stream.
        embed: whether the page holds the videos, instead of their names.
    """
    videos = videos or {}
    figures = [stream_figures(stream) for stream in recording.streams]
    shown = _shown(recording)
    cameras = [
        _camera(recording, number, numbers, shown[number], thumbnails or {}, videos.get(number))
        for number, numbers in enumerate(figures)
    ]
    people = [person for camera in cameras for person in camera.people]
    rows = sum(len(track.times) for tracks in shown for track in tracks)
    page = _template("report.html").render(
        recording=recording,
        title="/".join(Path(recording.name).parts[-2:]),
        begin=_date(recording.begin_ns * 1e-9),
        cameras=cameras,
        people=people,
        single_images=recording.is_still,
        short_name=lambda camera: _short_name(camera, recording),
        videos=bool(videos),
        embed=embed,
        most_people=MAX_PEOPLE,
        joined=joined(rows),
        data=page_data(recording, figures, shown, videos),
        style=stylesheet() + _text("report.css"),
        script="\n".join(_text(name) for name in _SCRIPTS),
        library=chart_library(),
        version=metadata.version("edan_ros"),
        thumbnails=bool(thumbnails),
    )
    # A file name in it need not be UTF-8.
    return page.encode("utf-8", "replace").decode("utf-8")


def live_page() -> str:
    """Return the page of `edan view` as text."""
    return _template("live.html").render(
        style=stylesheet() + _text("live.css"),
        script=_text("live.js"),
    )


def chart_library() -> str:
    """Return the script of D3."""
    return _text("vendor/d3.min.js")


def clock(seconds: float) -> str:
    """Return a time of the recording as text: 4.2 s, 3:07.5 or 1:02:03."""
    tenths = round(10.0 * seconds)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    minutes, rest = divmod(tenths, 600)
    if minutes < 60:
        return f"{minutes}:{rest / 10:04.1f}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}"


def percent(share: float) -> str:
    """Return a share of 1 in per cent; "< 1 %" for one that would round to 0."""
    return "< 1 %" if 0.0 < share < 0.005 else f"{100.0 * share:.0f} %"


def signed(value: float) -> str:
    """Return a value from -1 to 1 with its sign."""
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "\N{MINUS SIGN}")  # never -0.00


def number(value: int) -> str:
    """Return a count in groups of three digits."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _shown(recording: Recording) -> list[list[PersonTrack]]:
    """Return the tracks of each stream with curves: those in view longest.

    Faces without a track (number 0) are those of many people and have no curve.
    """
    streams = recording.streams
    tracks = [
        (len(track.times), track)
        for stream in streams
        for track in stream.tracks
        if track.number and not recording.is_short(stream, track)
    ]
    longest = sorted(tracks, key=lambda item: -item[0])[:MAX_PEOPLE]
    chosen = {id(track) for _, track in longest}
    return [[track for track in stream.tracks if id(track) in chosen] for stream in streams]


def _camera(
    recording: Recording,
    number: int,
    figures: StreamFigures,
    shown: Sequence[PersonTrack],
    thumbnails: Mapping[tuple[int, int], Sequence[Thumbnail]],
    video: Video | None,
) -> CameraSection:
    stream = recording.streams[number]
    chosen = {track.number for track in shown}
    people, short = [], []
    for track in stream.tracks:
        numbers = person_figures(track, stream.interval)
        if recording.is_short(stream, track):
            short.append(numbers)
            continue
        people.append(
            PersonSection(
                numbers,
                f"{number}-{track.number}",
                _name(track, stream if len(recording.streams) > 1 else None),
                track.number in chosen,
                thumbnails.get((number, track.number), ()),
            )
        )
    return CameraSection(
        stream.name,
        figures,
        stream.latency_of,
        people,
        together(short) if short else None,
        len(short),
        video,
        "" if video is None else quote(os.fsencode(video.path.name)),
        _stills(stream, thumbnails),
    )


def _stills(
    stream: Stream, thumbnails: Mapping[tuple[int, int], Sequence[Thumbnail]]
) -> list[StillSection]:
    found = []
    for row, file in enumerate(stream.files):
        labels = [t.labels[t.times == stream.times[row]] for t in stream.tracks]
        counts = np.bincount(np.concatenate(labels), minlength=len(LABELS)) if labels else ()
        named = [(int(n), LABELS[i]) for i, n in enumerate(counts) if n]
        found.append(StillSection(file, named, thumbnails.get((0, row), ())))
    return found


def _name(track: PersonTrack, stream: Stream | None) -> str:
    name = f"Person {track.number}" if track.number else "Faces without a track"
    return name if stream is None else f"{name}, {stream.name}"


def _short_name(camera: CameraSection, recording: Recording) -> str:
    number, limit = camera.tracks, recording.short_limit
    name = f"{plural(number, 'track')} shorter than {limit:.2g} s"
    return f"{name}, {camera.name}" if len(recording.streams) > 1 else name


def _date(seconds: float) -> str:
    """Return day and time in UTC; "" for stamps of another epoch."""
    try:
        date = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return ""
    return f"{date:%Y-%m-%d %H:%M:%S} UTC" if date.year >= 2000 else ""


def _template(name: str) -> jinja2.Template:
    environment = page_environment("edan_ros.report", "page")
    environment.filters |= {"clock": clock, "percent": percent, "signed": signed, "number": number}
    environment.filters |= {"base64": _base64, "setting": _setting_name, "plural": plural}
    environment.globals["labels"] = LABELS
    return environment.get_template(name)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _setting_name(name: str) -> str:
    """Return the name of a recorded setting in plain words."""
    return _PLAIN_NAMES.get(name, name.replace("_", " "))


def _text(name: str) -> str:
    folder: Any = resources.files("edan_ros.report") / "page"
    return str((folder / name).read_text(encoding="utf-8"))
