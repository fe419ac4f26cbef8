"""Show what the package does: play a source through the real nodes and record what they see."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from edan_ros.behaviors.catalogue import languages
from edan_ros.behaviors.companions import BEHAVIORS, make_companion
from edan_ros.cli._arguments import not_negative, positive, refuse_to_replace
from edan_ros.cli._pipeline import (
    add_model_arguments,
    add_privacy_argument,
    chosen_parameters,
    make_veil,
)
from edan_ros.cli._signals import handler
from edan_ros.core.message_fields import decode_image
from edan_ros.sources import BUILT_IN, Source, SourceError, create_source
from edan_ros.sources.pictures import PICTURE_RATE, PictureSource

if TYPE_CHECKING:
    from edan_ros.nodes.tools.session import Session, SessionOptions
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.recording.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="*",
        metavar="BEHAVIOR SOURCE",
        help=f"either, both or none: {', '.join(BEHAVIORS)} to let a behaviour decide about the "
        "faces, and show what it decides and why; and a source, as --source",
    )
    parser.add_argument(
        "--source",
        default=BUILT_IN,
        help="a video, a folder of pictures, the number of a webcam, or a bag; by default a scene "
        "that is built in",
    )
    parser.add_argument(
        "--language", choices=languages(), default="en", help="of the assistive behaviour"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is written")
    parser.add_argument(
        "--rate", type=not_negative, default=0.0, help="images a second; 0: as recorded"
    )
    parser.add_argument("--seconds", type=positive, help="end after so much of the source")
    parser.add_argument("--bag-topic", default="", help="topic of the images in a bag")
    add_model_arguments(parser)
    add_privacy_argument(parser)


def run(args: argparse.Namespace) -> int:
    # Imported when this command runs, not when `edan` starts: ROS, and PyAV for the video.
    from rich.console import Console

    from edan_ros.nodes.tools.session import Session, SessionError, reserved_namespace
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.recording.record import FILES, Record
    from edan_ros.recording.run_info import RunInfo, write_run_info
    from edan_ros.recording.summary import summary_lines

    console = Console(highlight=False)
    behavior, args.source = _what(args.what, args.source)
    source = _checked_source(args)
    refuse_to_replace(source, FILES, args.out)
    say = partial(console.print, markup=False, soft_wrap=True)
    progress = ImageProgress(console, _images_expected(source, args), "starting the nodes")
    veil = make_veil(args.privacy, args.detector, args.detector_model, film=True)
    record = Record(args.out, make_companion(behavior, args.language), veil)
    with handler.deferred() as stopped, reserved_namespace("demo") as space:
        say(f"{source.name} -> {args.out}/   topics /{space}/image_raw, /{space}/faces")
        try:
            with record, Session(_options(args, source, space), progress.trouble) as session:
                _follow(session, record, progress, stopped, args.seconds)
            info = session.recorder.run_info
            settings = {"made by": "edan demo", "source": source.name} | info.settings
            write_run_info(args.out, RunInfo(info.model, settings))
        except SessionError as error:
            return _failed(str(error))
    unprocessed = session.recorder.pairing.unprocessed
    lines = summary_lines(record.summary, unprocessed, live=source.live)
    lines.append("  ".join(str(path) for path in record.files()))
    for line in lines:
        say(line)
    return 0 if record.summary.results else 1


def _failed(why: str) -> int:
    print(f"edan demo: {why}", file=sys.stderr)
    return 1


def _what(words: list[str], source: str) -> tuple[str | None, str]:
    """The behaviour, if one is named, and the source. Raises SourceError for a word too many."""
    behavior, *rest = words if words and words[0] in BEHAVIORS else [None, *words]
    if len(rest) > 1:
        raise SourceError(f"one source at a time, not {', '.join(rest)}")
    return behavior, rest[0] if rest else source


def _follow(
    session: Session,
    record: Record,
    progress: ImageProgress,
    stopped: Callable[[], bool],
    seconds: float | None,
) -> None:
    """Writes down every result until the source has ended or it is time to stop."""
    from edan_ros.nodes.common.conversions import frame_result

    with progress:
        complete = Event()
        for recorded in session.results(lambda: complete.is_set() or stopped()):
            image = None if recorded.image is None else decode_image(recorded.image)
            result = frame_result(recorded.result)
            changes = record.add(recorded.stamp_ns, result, image, recorded.latency)
            progress.advance(changes)
            if seconds is not None and record.summary.recorded_seconds >= seconds:
                complete.set()


def _checked_source(args: argparse.Namespace) -> Source:
    """The source, to know that it is there, its length and its kind. Raises SourceError."""
    source = create_source(args.source, topic=args.bag_topic)
    if source.live:
        with closing(source.frames()) as frames:
            next(frames)
    return source


def _images_expected(source: Source, args: argparse.Namespace) -> int | None:
    if args.seconds is None:
        return source.length
    expected = int(args.seconds * (args.rate or source.rate)) + 1
    return expected if source.length is None else min(source.length, expected)


def _options(args: argparse.Namespace, source: Source, namespace: str) -> SessionOptions:
    from edan_ros.nodes.tools.session import SessionOptions

    camera = {
        "source": args.source,
        "bag_topic": args.bag_topic,
        "rate": args.rate,
        "image_reliability": "reliable",
        "wait_for_subscribers": 2,
        # A recording waits for a slow machine and keeps its own time; a webcam can do neither.
        "wait_for_acknowledgement": not source.live,
        "stamps": "now" if source.live else "recorded",
    }
    emotion = {"image_reliability": "reliable", **chosen_parameters(args)}
    if isinstance(source, PictureSource) and not args.rate:
        emotion["max_gap"] = 0.5 / PICTURE_RATE  # pictures of a folder need not be a film
    files = (args.parameters,) if args.parameters else ()
    return SessionOptions(namespace, camera, emotion, files)
