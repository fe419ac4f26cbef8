"""Makes the page: one HTML file with its style, its script, its charts' library and its data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import jinja2

from edan_ros.report.figures import (
    PersonFigures,
    StreamFigures,
    person_figures,
    stream_figures,
)
from edan_ros.report.packing import colour_code, joined, page_data
from edan_ros.report.records import LABELS, Recording, Stream, Track
from edan_ros.report.thumbnails import Thumbnail

#: People whose curves are shown; of the others there are the figures.
MOST_PEOPLE = 12
#: Together they are the page's script.
_SCRIPTS = ("report_data.js", "report_charts.js", "report_moments.js")


@dataclass(frozen=True)
class Person:
    """One person in the page."""

    figures: PersonFigures
    key: str
    name: str
    shown: bool
    thumbnails: Sequence[Thumbnail]


@dataclass(frozen=True)
class Camera:
    """One camera in the page."""

    name: str
    figures: StreamFigures
    latency_of: str
    people: list[Person]


def render(
    recording: Recording, thumbnails: Mapping[tuple[int, int], Sequence[Thumbnail]] | None = None
) -> str:
    """The page as text. thumbnails: by the number of the stream and of the track."""
    figures = [stream_figures(stream) for stream in recording.streams]
    shown = _shown(recording.streams)
    cameras = [
        _camera(recording, number, told, shown[number], thumbnails or {})
        for number, told in enumerate(figures)
    ]
    people = [person for camera in cameras for person in camera.people]
    rows = sum(len(track.times) for tracks in shown for track in tracks)
    return _template("report.html").render(
        recording=recording,
        title="/".join(Path(recording.name).parts[-2:]),
        begin=_date(recording.begin_ns * 1e-9),
        cameras=cameras,
        people=people,
        pictures=bool(people) and not any(person.figures.number for person in people),
        most_people=MOST_PEOPLE,
        joined=joined(rows),
        data=page_data(recording, figures, shown),
        style=_text("report.css"),
        script="\n".join(_text(name) for name in _SCRIPTS),
        library=chart_library(),
        version=metadata.version("edan_ros"),
        thumbnails=bool(thumbnails),
    )


def live_page() -> str:
    """The page of `edan view` as text."""
    return _template("live.html").render(
        style=_text("report.css") + _text("live.css"),
        script=_text("live.js"),
    )


def chart_library() -> str:
    """The script of D3, which mpld3 carries."""
    from mpld3 import urls

    return Path(urls.D3_LOCAL).read_text(encoding="utf-8")


def clock(seconds: float) -> str:
    """A time of the recording: 4.2 s, 3:07.5 or 1:02:03."""
    tenths = round(10.0 * seconds)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    minutes, rest = divmod(tenths, 600)
    if minutes < 60:
        return f"{minutes}:{rest / 10:04.1f}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}"


def percent(share: float) -> str:
    """A share of 1 in per cent; what is there but rounds to nothing is "< 1 %"."""
    return "< 1 %" if 0.0 < share < 0.005 else f"{100.0 * share:.0f} %"


def signed(value: float) -> str:
    """A value from -1 to 1 with its sign, as text."""
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "\N{MINUS SIGN}")  # never -0.00


def number(value: int) -> str:
    """A count, in groups of three digits."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _shown(streams: Sequence[Stream]) -> list[list[Track]]:
    """The tracks of each stream whose curves are shown: those seen longest.

    Faces that were not followed (number 0) are those of many people, and no curve.
    """
    everybody = [(len(t.times), t) for stream in streams for t in stream.tracks if t.number]
    longest = sorted(everybody, key=lambda item: -item[0])[:MOST_PEOPLE]
    chosen = {id(track) for _, track in longest}
    return [[track for track in stream.tracks if id(track) in chosen] for stream in streams]


def _camera(
    recording: Recording,
    number: int,
    told: StreamFigures,
    shown: Sequence[Track],
    thumbnails: Mapping[tuple[int, int], Sequence[Thumbnail]],
) -> Camera:
    stream = recording.streams[number]
    chosen = {track.number for track in shown}
    people = [
        Person(
            person_figures(track, stream.interval),
            f"{number}-{track.number}",
            _name(track, stream if len(recording.streams) > 1 else None),
            track.number in chosen,
            thumbnails.get((number, track.number), ()),
        )
        for track in stream.tracks
    ]
    return Camera(stream.name, told, stream.latency_of, people)


def _name(track: Track, stream: Stream | None) -> str:
    name = f"Person {track.number}" if track.number else "Faces that were not followed"
    return name if stream is None else f"{name}, {stream.name}"


def _date(seconds: float) -> str:
    """Day and time in UTC; "" for stamps that count from some other beginning."""
    try:
        date = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return ""
    return f"{date:%Y-%m-%d %H:%M:%S} UTC" if date.year >= 2000 else ""


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edan_ros.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": clock, "percent": percent, "signed": signed, "number": number}
    environment.globals["labels"] = LABELS
    environment.globals["colours"] = {label: colour_code(label) for label in LABELS}
    return environment.get_template(name)


def _text(name: str) -> str:
    folder: Any = resources.files("edan_ros.report") / "page"
    return str((folder / name).read_text(encoding="utf-8"))
