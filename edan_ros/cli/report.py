"""Make one HTML file of a recording: who showed what and when, latency, model and settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros.cli._pipeline import add_privacy_argument, face_finder
from edan_ros.recording.errors import writing
from edan_ros.recording.run_folder import LINES
from edan_ros.sources import Frame, SourceError, create_source
from edan_ros.sources.bag import BAG_ENDINGS, BagSource, is_bag

if TYPE_CHECKING:
    from edan_ros.report.records import Recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recording",
        help="a bag with a topic of faces, or the faces.jsonl of a run, or the run's folder",
    )
    parser.add_argument(
        "--out", type=Path, help="the file to write; by default beside the recording, as .html"
    )
    parser.add_argument(
        "--thumbnails",
        action="store_true",
        help="add pictures of the faces where their label changes, from the bag's images or from "
        "--source",
    )
    parser.add_argument(
        "--source", help="the video, pictures or bag that the results were made from"
    )
    add_privacy_argument(parser)


def run(args: argparse.Namespace) -> int:
    # Imported when this command runs, not when `edan` starts: Jinja, D3 and rosbags.
    from edan_ros.report.page import render
    from edan_ros.report.thumbnails import make_thumbnails

    path = _recording_path(args.recording)
    if (args.source or args.privacy != "none") and not args.thumbnails:
        raise SourceError("--source and --privacy are about pictures: they need --thumbnails")
    recording = _read(path)
    thumbnails = None
    if args.thumbnails:
        frames = _frames(recording, args.source)
        thumbnails = make_thumbnails(recording, frames, args.privacy, face_finder(args.privacy))
        if not thumbnails:
            print("edan report: no picture has the time of a change", file=sys.stderr)
    out = args.out or path.with_suffix(".html")
    page = render(recording, thumbnails)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    for note in recording.notes:
        print(f"edan report: {note}", file=sys.stderr)
    people = sum(bool(track.number) for stream in recording.streams for track in stream.tracks)
    images = sum(len(stream.times) for stream in recording.streams)
    size = out.stat().st_size / 1e6
    print(f"{out}   {images} images, {recording.seconds:.1f} s, people: {people}, {size:.1f} MB")
    return 0


def _recording_path(text: str) -> Path:
    path = Path(text).expanduser()
    try:
        if path.is_dir() and (path / LINES).is_file():
            return path / LINES
        if path.exists():
            return path
    except OSError as error:
        raise SourceError(f"{text} cannot be read: {error.strerror or error}") from error
    raise SourceError(f"there is no {text}: give a bag, a faces.jsonl, or the folder of a run")


def _read(path: Path) -> Recording:
    from edan_ros.report.from_bag import read_bag
    from edan_ros.report.from_lines import read_lines

    if is_bag(path):
        return read_bag(path)
    if path.is_dir():
        raise SourceError(
            f"{path} is neither a bag nor the folder of a run: it has no {LINES}, no "
            f"metadata.yaml and no {', '.join(BAG_ENDINGS)}"
        )
    return read_lines(path)


def _frames(recording: Recording, source: str | None) -> dict[int, Iterable[Frame]]:
    """The pictures of each stream, their times those of the recording."""
    if source is not None:
        opened = create_source(source)
        if opened.live:
            raise SourceError(f"{source} is live: --source must be what was recorded")
        if len(recording.streams) > 1:
            raise SourceError("--source is for one camera; here the bag's own images are taken")
        return {0: _in_step(recording, opened.frames())}
    frames = {}
    for number, stream in enumerate(recording.streams):
        if not stream.image_topic:
            raise SourceError(
                f"{recording.name} holds no images that belong to {stream.name or 'the results'}: "
                "name what they were made from with --source"
            )
        images = BagSource(Path(recording.name), stream.image_topic)
        frames[number] = _in_step(recording, images.frames())
    return frames


def _in_step(recording: Recording, frames: Iterable[Frame]) -> Iterator[Frame]:
    """By their stamps, where they have any; else the first picture is that of the first result."""
    for frame in frames:
        if frame.stamp_ns is None:
            yield frame
        else:
            yield replace(frame, time=(frame.stamp_ns - recording.begin_ns) * 1e-9)
