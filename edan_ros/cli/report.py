"""Write one HTML page on a recording: people and emotions over time, latency, model, settings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edan_ros.cli._output import plural
from edan_ros.cli._pipeline import add_privacy_argument, face_finder
from edan_ros.recording.errors import writing
from edan_ros.sources import SourceError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recording",
        help="a bag with a topic of faces, the faces.jsonl of a run, or the folder of a run",
    )
    parser.add_argument(
        "--out", type=Path, help="file to write (default: beside the recording, as .html)"
    )
    parser.add_argument(
        "--thumbnails",
        action="store_true",
        help="add images of the faces where their label changes, from the bag or from --source",
    )
    parser.add_argument("--source", help="the video, images or bag that the results were made from")
    add_privacy_argument(parser)


def run(args: argparse.Namespace) -> int:
    from edan_ros.report.inputs import find_recording, frames_of, read_recording
    from edan_ros.report.page import render
    from edan_ros.report.thumbnails import make_thumbnails

    path = find_recording(args.recording)
    if (args.source or args.privacy != "none") and not args.thumbnails:
        raise SourceError("--source and --privacy concern images: they need --thumbnails")
    recording = read_recording(path)
    thumbnails = None
    if args.thumbnails:
        frames = frames_of(recording, args.source)
        thumbnails = make_thumbnails(recording, frames, args.privacy, face_finder(args.privacy))
        if not thumbnails:
            print(
                "edan report: no thumbnails: no tracked label changes at an image of the source",
                file=sys.stderr,
            )
    out = args.out or path.with_suffix(".html")
    page = render(recording, thumbnails)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        # Names of files in the recording need not be valid Unicode.
        out.write_text(page, encoding="utf-8", errors="replace")
    for note in recording.notes:
        print(f"edan report: {note}", file=sys.stderr)
    people = sum(bool(track.number) for stream in recording.streams for track in stream.tracks)
    images = plural(sum(len(stream.times) for stream in recording.streams), "image")
    size = out.stat().st_size / 1e6
    print(f"{out}   {images}, {recording.seconds:.1f} s, people: {people}, {size:.1f} MB")
    return 0
