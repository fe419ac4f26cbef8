"""Draw faces and emotions into a video or images, and write them as JSON lines and a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import positive
from edan_ros.cli._output import expected_images, make_folder, plural, refuse_to_replace
from edan_ros.cli._pipeline import (
    add_model_arguments,
    add_privacy_argument,
    load_pipeline,
    privacy_filter,
    settings_of,
)
from edan_ros.cli._signals import handler
from edan_ros.core.message_fields import model_fields
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.recording.errors import RecordingError
from edan_ros.sources import Frame, Source, create_source
from edan_ros.sources.image_files import ImageFileSource
from edan_ros.sources.video import VideoSource

if TYPE_CHECKING:
    from edan_ros.core.faces import FrameResult
    from edan_ros.recording.annotations import Annotations
    from edan_ros.recording.progress import ImageProgress

#: Largest number of notes about the source at each end of a long list.
_MAX_NOTES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        help="a video, an image, a folder or glob of images, a bag, or the number of a webcam",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("annotated"),
        help="folder to write to (default: %(default)s)",
    )
    add_privacy_argument(parser)
    parser.add_argument(
        "--seconds", type=positive, help="length of the source to process (default: all)"
    )
    parser.add_argument(
        "--bag-topic", default="", help="image topic of a bag (default: that with most images)"
    )
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from edan_ros.recording.annotations import Annotations
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.recording.run_info import RunInfo, describe_model, write_run_info

    console = Console(highlight=False)
    log = partial(console.print, markup=False, soft_wrap=True)
    faults: list[str] = []
    source = create_source(args.source, topic=args.bag_topic, log=faults.append)
    settings = settings_of(args)
    loaded = load_pipeline(settings)
    folder = _folder(args, source)
    video = not isinstance(source, ImageFileSource)
    people = privacy_filter(args.privacy, settings, video=video)
    sound = source if isinstance(source, VideoSource) else None
    log(f"{source.name} -> {folder}/")
    log(loaded.description)
    with (
        handler.deferred() as stopped,
        Annotations(folder, people, sound) as annotations,
        ImageProgress(console, expected_images(source, args.seconds)) as progress,
    ):
        complete = _annotate(source, loaded.pipeline, annotations, progress, args.seconds, stopped)
    values = {"made by": "edan annotate", "source": source.name, "privacy": args.privacy}
    values |= source.properties if isinstance(source, VideoSource) else {}
    values |= {name: str(value) for name, value in settings.items()}
    model = describe_model(SimpleNamespace(**model_fields(loaded.engine)))
    write_run_info(folder, RunInfo(model, values))
    log(f"{plural(progress.images, 'image')}, {progress.rate:.1f}/s")
    for line in _abridged(faults):
        log(f"note: {line}")
    if not complete:
        log(f"Stopped before the end; the results so far are in {folder}/")
    log("  ".join(str(path) for path in annotations.files()))
    if complete or source.live:
        return 0
    return handler.exit_code if handler.number else 130


def _abridged(lines: Sequence[str]) -> list[str]:
    """Return the first and the last lines: what a bag has lost comes after its damaged images."""
    if len(lines) <= 2 * _MAX_NOTES:
        return list(lines)
    more = f"{len(lines) - 2 * _MAX_NOTES} more images were skipped"
    return [*lines[:_MAX_NOTES], more, *lines[-_MAX_NOTES:]]


def _annotate(
    source: Source,
    pipeline: Pipeline,
    annotations: Annotations,
    progress: ImageProgress,
    seconds: float | None,
    stopped: Callable[[], bool],
) -> bool:
    """Process all images and return whether the end was reached before a stop was requested."""
    alone = isinstance(source, ImageFileSource)
    try:
        with closing(source.frames()) as frames:
            for frame in frames:
                if stopped():
                    return False
                if seconds is not None and frame.time > seconds:
                    break
                result = _process(pipeline, frame, alone=alone)
                stamp = round(frame.time * 1e9) if frame.stamp_ns is None else frame.stamp_ns
                name = frame.name if alone else ""
                annotations.add(frame.time, stamp, name, frame.image, result)
                progress.advance()
    except KeyboardInterrupt:
        return False
    return True


def _process(pipeline: Pipeline, frame: Frame, *, alone: bool) -> FrameResult:
    """Return the faces. alone: images of a folder need not show the same people."""
    if alone:
        return pipeline.analyze(frame.image, frame.camera)
    return pipeline.process(frame.image, frame.time, frame.camera)


def _folder(args: argparse.Namespace, source: Source) -> Path:
    """Return the folder to write to. Raises RecordingError if that would replace the source."""
    from edan_ros.recording.annotations import FILES

    refuse_to_replace(source, FILES, args.out)
    origins = source.paths if isinstance(source, ImageFileSource) else []
    if any(path.resolve().parent == args.out.resolve() for path in origins):
        raise RecordingError(f"{args.out} holds the images: name another folder with --out")
    return make_folder(args.out)
