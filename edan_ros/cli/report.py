"""Write one HTML page on a recording: people and emotions over time, latency, model, settings."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from edan_ros.cli._pipeline import add_privacy_argument, face_finder
from edan_ros.core.wording import plural
from edan_ros.recording.files import writing
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
    parser.add_argument(
        "--video",
        choices=("beside", "embed"),
        help="add a video with boxes that follows the charts, from the bag or from --source: a "
        "file beside the page, or part of it",
    )
    parser.add_argument(
        "--source",
        help="the video, images or bag that the results were made from (default: as the run has "
        "recorded it)",
    )
    add_privacy_argument(parser, "; if not given, as the run itself")
    parser.set_defaults(privacy=None)


def run(args: argparse.Namespace) -> int:
    from edan_ros.report.inputs import find_recordings

    paths = find_recordings(args.recording)
    if (args.source or args.privacy) and not (args.thumbnails or args.video):
        raise SourceError(
            "--source and --privacy concern images: they need --thumbnails or --video"
        )
    if len(paths) > 1 and (args.out or args.source):
        raise SourceError(
            f"{args.recording} holds {len(paths)} recordings: name one for --out and --source, "
            f"such as {paths[-1].parent}"
        )
    for path in paths:
        _report(args, path, is_alone=len(paths) == 1)
    return 0


def _report(args: argparse.Namespace, path: Path, *, is_alone: bool) -> None:
    """Write the page on one recording, with what was requested for it, and print its files."""
    from edan_ros.report.inputs import frames_of, read_recording
    from edan_ros.report.page import render
    from edan_ros.report.thumbnails import make_thumbnails
    from edan_ros.report.video import earlier_videos, write_videos

    recording = read_recording(path)
    with_video = args.video and (is_alone or not recording.is_still)
    out = args.out or path.with_suffix(".html")
    privacy = args.privacy or recording.privacy
    find_faces = face_finder(privacy) if args.thumbnails or with_video else None
    thumbnails = None
    if args.thumbnails:
        frames = frames_of(recording, args.source)
        thumbnails = make_thumbnails(recording, frames, privacy, find_faces)
        if not thumbnails:
            print(
                "edan report: no thumbnails: the source has no image at a change of label",
                file=sys.stderr,
            )
    with writing(out), ExitStack() as stack:
        out.parent.mkdir(parents=True, exist_ok=True)
        videos = {}
        if with_video:
            folder = Path(stack.enter_context(TemporaryDirectory(dir=out.parent)))
            frames = frames_of(recording, args.source)
            videos = write_videos(recording, frames, folder / out.stem, privacy, find_faces)
        origin = Path(args.source or recording.settings.get("source", ""))
        if any(_is_same(out.parent / video.path.name, origin) for video in videos.values()):
            raise SourceError(f"{origin} would be replaced: name another page with --out")
        page = render(recording, thumbnails, videos, embed=args.video == "embed")
        for video in earlier_videos(out):  # people may be visible that this page hides
            if not _is_same(video, origin):
                video.unlink()
        # Names of files in the recording need not be valid Unicode.
        out.write_text(page, encoding="utf-8", errors="replace")
        files = [out]
        if args.video == "beside":
            files += [video.path.replace(out.parent / video.path.name) for video in videos.values()]
    for note in recording.notes:
        print(f"edan report: {note}", file=sys.stderr)
    images = plural(sum(len(stream.times) for stream in recording.streams), "image")
    if recording.is_still:
        contents = plural(sum(int(stream.faces.sum()) for stream in recording.streams), "face")
    else:
        tracks = [(s, track) for s in recording.streams for track in s.tracks if track.number]
        short = sum(recording.is_short(stream, track) for stream, track in tracks)
        contents = f"{recording.seconds:.1f} s, people: {len(tracks) - short}"
        contents += f", {plural(short, 'short track')}" if short else ""
    sizes = ", ".join(f"{file.name} {file.stat().st_size / 1e6:.1f} MB" for file in files)
    print(f"{out}   {images}, {contents}; {sizes}")


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)
