"""Run a source through the real nodes, and record the faces and what a behaviour decides."""

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
from edan_ros.cli._arguments import not_negative, output_folder, positive
from edan_ros.cli._output import expected_images, refuse_to_replace
from edan_ros.cli._pipeline import (
    add_model_arguments,
    add_privacy_argument,
    chosen_parameters,
    privacy_filter,
)
from edan_ros.cli._signals import handler
from edan_ros.core.wording import did_you_mean
from edan_ros.sources import BUILT_IN, Source, SourceError, create_source
from edan_ros.sources.image_files import IMAGE_RATE, ImageFileSource

if TYPE_CHECKING:
    from edan_ros.behaviors.companions import AnyCompanion
    from edan_ros.nodes.tools.session import Session, SessionOptions
    from edan_ros.recording.demo_writer import DemoWriter
    from edan_ros.recording.progress import ImageProgress

BEHAVIORS = ("vehicle", "humanoid", "assistive")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs="*",
        metavar="BEHAVIOR SOURCE",
        help=f"either, both or none: a behaviour ({', '.join(BEHAVIORS)}), whose decisions are "
        "printed and drawn with their reasons; and a source, as --source",
    )
    parser.add_argument(
        "--source",
        default=BUILT_IN,
        help="a video, a folder of images, the number of a webcam, or a bag (default: a built-in "
        "scene)",
    )
    parser.add_argument(
        "--language",
        choices=languages(),
        default="en",
        help="language of the assistive behaviour (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=output_folder,
        default=Path("out"),
        help="folder to write to (default: %(default)s)",
    )
    parser.add_argument(
        "--rate", type=not_negative, default=0.0, help="images per second (default: as recorded)"
    )
    parser.add_argument(
        "--seconds", type=positive, help="length of the source to process (default: all)"
    )
    parser.add_argument(
        "--bag-topic", default="", help="image topic of a bag (default: that with most images)"
    )
    add_model_arguments(parser)
    add_privacy_argument(parser)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from edan_ros.nodes.tools.session import Session, SessionError, reserved_namespace
    from edan_ros.recording.demo_writer import FILES, DemoWriter
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.recording.run_info import RunInfo, write_run_info
    from edan_ros.recording.summary import summary_lines

    console = Console(highlight=False)
    behavior, args.source = behavior_and_source(args.words, args.source)
    source = _open(args)
    refuse_to_replace(source, FILES, args.out)
    log = partial(console.print, markup=False, soft_wrap=True)
    expected = expected_images(source, args.seconds, args.rate)
    progress = ImageProgress(console, expected, "starting the nodes")
    people = privacy_filter(args.privacy, vars(args), video=True)
    record = DemoWriter(args.out, _companion(behavior, args.language), people)
    with handler.deferred() as stopped, reserved_namespace("demo") as namespace:
        log(f"{source.name} -> {args.out}/   topics /{namespace}/image_raw, /{namespace}/faces")
        try:
            with record, Session(_options(args, source, namespace), progress.warn) as session:
                _record(session, record, progress, stopped, args.seconds)
            info = session.recorder.run_info
            settings = {"made by": "edan demo", "source": source.name, "privacy": args.privacy}
            settings |= {**info.settings, "cuts": str(record.summary.cuts)}
            if record.summary.results:
                write_run_info(args.out, RunInfo(info.model, settings))
        except SessionError as error:
            print(f"edan demo: {error}", file=sys.stderr)
            return 1
    unprocessed = session.recorder.pairing.unprocessed
    for line in summary_lines(record.summary, unprocessed, live=source.live):
        log(line)
    log("  ".join(str(path) for path in record.files()))
    return 0 if record.summary.results else 1


def behavior_and_source(words: list[str], source: str) -> tuple[str | None, str]:
    """Return the behaviour, if one is named, and the source.

    Args:
        words: positional arguments, in any order.
        source: used if they name none.

    Raises:
        SourceError: if they name more than one source or behaviour, or misspell a behaviour.
    """
    behavior = next((word for word in words if word in BEHAVIORS), None)
    rest = list(words)
    if behavior is not None:
        rest.remove(behavior)
    if behavior is not None and rest and rest[0] in BEHAVIORS:
        raise SourceError(f"one behaviour at a time, not {', '.join([behavior, *rest])}")
    if len(rest) == 1 and (hint := did_you_mean(rest[0], BEHAVIORS)) and not Path(rest[0]).exists():
        raise SourceError(f"{rest[0]} is neither a behaviour nor a source{hint}")
    if len(rest) > 1:
        raise SourceError(
            f"one source at a time, not {', '.join(rest)}; behaviours are {', '.join(BEHAVIORS)}"
        )
    return behavior, rest[0] if rest else source


def _companion(behavior: str | None, language: str) -> AnyCompanion | None:
    from edan_ros.behaviors.announcer import AnnouncerOptions, AnnouncerSettings
    from edan_ros.behaviors.companions import (
        AssistiveCompanion,
        HumanoidCompanion,
        VehicleCompanion,
    )
    from edan_ros.behaviors.reaction_table import read_rules
    from edan_ros.nodes.common.environment import share_directory

    if behavior == "vehicle":
        return VehicleCompanion()
    if behavior == "humanoid":
        return HumanoidCompanion(read_rules(share_directory() / "config" / "reactions.yaml"))
    if behavior == "assistive":
        options = AnnouncerOptions(announcer=AnnouncerSettings(language=language))
        return AssistiveCompanion(options)
    return None


def _record(
    session: Session,
    record: DemoWriter,
    progress: ImageProgress,
    stopped: Callable[[], bool],
    seconds: float | None,
) -> None:
    """Record all results until the source ends, ``seconds`` of it are done, or a stop."""
    from edan_ros.core.message_fields import decode_image
    from edan_ros.nodes.common.conversions import frame_result

    complete = Event()
    with progress:
        for recorded in session.results(lambda: complete.is_set() or stopped()):
            if complete.is_set():
                continue  # was received before the session stopped listening
            image = None if recorded.image is None else decode_image(recorded.image)
            result = frame_result(recorded.result)
            changes = record.add(recorded.stamp_ns, result, image, recorded.latency)
            progress.advance(changes)
            if seconds is not None and record.summary.recorded_seconds >= seconds:
                complete.set()


def _open(args: argparse.Namespace) -> Source:
    """Return the source, of a webcam after one image. Raises SourceError if it is unusable."""
    source = create_source(args.source, topic=args.bag_topic)
    if source.live:
        with closing(source.frames()) as frames:
            next(frames)
    return source


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
    if isinstance(source, ImageFileSource) and not args.rate:
        # Images of a folder need not show the same people.
        emotion.setdefault("max_gap", 0.5 / IMAGE_RATE)
    files = (args.parameters,) if args.parameters else ()
    return SessionOptions(namespace, camera, emotion, files)
