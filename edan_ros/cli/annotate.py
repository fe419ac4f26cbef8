"""Draw faces and emotions into a video or images, and write them as JSON lines and a table."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import positive
from edan_ros.cli._output import expected_images, make_folder, plural, refuse_to_replace
from edan_ros.cli._pipeline import (
    LoadedPipeline,
    add_model_arguments,
    add_privacy_argument,
    load_pipeline,
    privacy_filter,
    settings_of,
)
from edan_ros.cli._signals import handler
from edan_ros.core.message_fields import model_fields
from edan_ros.recording.errors import RecordingError
from edan_ros.sources import Frame, Source, create_source
from edan_ros.sources.image_files import ImageFileSource
from edan_ros.sources.video import VideoSource

if TYPE_CHECKING:
    from edan_ros.core.faces import FrameResult
    from edan_ros.recording.annotations import Annotations
    from edan_ros.recording.progress import ImageProgress

#: Largest number of written files whose names are printed.
_MAX_FILES = 5
#: Largest number of notes about the source at each end of a long list.
_MAX_NOTES = 3
#: Seconds for which results are still drawn after a stop was requested.
_DRAWING_AFTER_STOP = 5.0


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
    with handler.deferred() as stopped, Annotations(folder, people, sound) as annotations:
        with ImageProgress(console, expected_images(source, args.seconds)) as progress:
            complete, results = _process(source, loaded, annotations, progress, args, stopped)
        if results:
            with ImageProgress(console, len(results), "drawing") as drawing:
                end = math.inf if complete else time.monotonic() + _DRAWING_AFTER_STOP
                drawn = _draw(
                    source,
                    results,
                    annotations,
                    drawing,
                    lambda: time.monotonic() > end or (end == math.inf and stopped()),
                )
                complete = complete and drawn
    values = {"made by": "edan annotate", "source": source.name, "privacy": args.privacy}
    values |= source.properties if isinstance(source, VideoSource) else {}
    values |= {name: str(value) for name, value in settings.items()}
    fields = model_fields(loaded.engine, loaded.pipeline.config.prior_strength)
    model = describe_model(SimpleNamespace(**fields))
    write_run_info(folder, RunInfo(model, values))
    log(f"{plural(progress.images, 'image')}, {progress.rate:.1f}/s")
    for line in _abridged(list(dict.fromkeys(faults))):  # a recording is read twice
        log(f"note: {line}")
    if not complete:
        log(f"Stopped before the end; the results so far are in {folder}/")
    files = [str(path) for path in annotations.files()]
    if len(files) > _MAX_FILES:
        files[_MAX_FILES - 1 : -1] = ["..."]
    log("  ".join(files))
    if complete or source.live:
        return 0
    return handler.exit_code if handler.number else 130


def _abridged(lines: Sequence[str]) -> list[str]:
    """Return the first and the last lines: what a bag has lost comes after its damaged images."""
    if len(lines) <= 2 * _MAX_NOTES:
        return list(lines)
    more = f"{len(lines) - 2 * _MAX_NOTES} more images were skipped"
    return [*lines[:_MAX_NOTES], more, *lines[-_MAX_NOTES:]]


def _process(
    source: Source,
    loaded: LoadedPipeline,
    annotations: Annotations,
    progress: ImageProgress,
    args: argparse.Namespace,
    stopped: Callable[[], bool],
) -> tuple[bool, list[FrameResult]]:
    """Process the images of a source.

    Images and live cameras are annotated at once. The results of a recording are returned, to be
    drawn in a second pass, because its emotions are smoothed in both directions of time.

    Returns:
        Whether the end was reached before a stop was requested, and the results to draw.
    """
    from edan_ros.offline.two_pass import TwoPassSmoother

    still = isinstance(source, ImageFileSource)
    pipeline, smoother = loaded.pipeline, None
    if not (still or source.live):
        smoother = TwoPassSmoother(pipeline.config, loaded.engine.manifest)
    complete = False
    try:
        with closing(source.frames()) as frames:
            for frame in frames:
                if stopped():
                    break
                if args.seconds is not None and frame.time > args.seconds:
                    complete = True
                    break
                if still:  # the images of a folder need not show the same people
                    result = pipeline.analyze(frame.image, frame.camera)
                else:
                    result = pipeline.process(frame.image, frame.time, frame.camera)
                if smoother is None:
                    _add(annotations, frame, result, frame.name if still else "")
                else:
                    smoother.add(frame.time, result)
                progress.advance()
            else:
                complete = True
    except KeyboardInterrupt:
        complete = False
    return complete, [] if smoother is None else smoother.finish()


def _draw(
    source: Source,
    results: Sequence[FrameResult],
    annotations: Annotations,
    progress: ImageProgress,
    ended: Callable[[], bool],
) -> bool:
    """Draw results into the images of a recording and return whether all of them were drawn."""
    from edan_ros.offline.two_pass import second_pass

    try:
        with closing(second_pass(source.frames(), results)) as pairs:
            for frame, result in pairs:
                if ended():
                    break
                _add(annotations, frame, result, "")
                progress.advance()
    except KeyboardInterrupt:
        return False
    return progress.images == len(results)


def _add(annotations: Annotations, frame: Frame, result: FrameResult, name: str) -> None:
    stamp = round(frame.time * 1e9) if frame.stamp_ns is None else frame.stamp_ns
    annotations.add(frame.time, stamp, name, frame.image, result)


def _folder(args: argparse.Namespace, source: Source) -> Path:
    """Return the folder to write to. Raises RecordingError if that would replace the source."""
    from edan_ros.recording.annotations import FILES

    refuse_to_replace(source, FILES, args.out)
    origins = source.paths if isinstance(source, ImageFileSource) else []
    if any(path.resolve().parent == args.out.resolve() for path in origins):
        raise RecordingError(f"{args.out} holds the images: name another folder with --out")
    return make_folder(args.out)
