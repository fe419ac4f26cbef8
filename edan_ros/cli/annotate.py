"""Draw faces and emotions into a video or pictures, and write them down as lines and a table."""

from __future__ import annotations

import argparse
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import make_folder, positive, refuse_to_replace
from edan_ros.cli._pipeline import (
    add_model_arguments,
    add_privacy_argument,
    make_pipeline,
    make_veil,
    settings_of,
)
from edan_ros.core.messages import model_fields
from edan_ros.pipeline.pipeline import Pipeline
from edan_ros.recording.errors import RecordingError
from edan_ros.sources import Frame, Source, create_source
from edan_ros.sources.pictures import PictureSource
from edan_ros.sources.video import VideoSource

if TYPE_CHECKING:
    from edan_ros.core.faces import FrameResult
    from edan_ros.recording.annotations import Annotations
    from edan_ros.recording.progress import ImageProgress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        help="a video, a picture, a folder or glob of pictures, a bag, or the number of a webcam",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("annotated"), help="folder for what is written"
    )
    add_privacy_argument(parser)
    parser.add_argument("--seconds", type=positive, help="end after so much of the source")
    parser.add_argument("--bag-topic", default="", help="topic of the images in a bag")
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    # Imported when this command runs, not when `edan` starts: PyAV.
    from rich.console import Console

    from edan_ros.recording.annotations import Annotations
    from edan_ros.recording.progress import ImageProgress
    from edan_ros.recording.run_info import RunInfo, describe_model, write_run_info

    console = Console(highlight=False)
    say = partial(console.print, markup=False, soft_wrap=True)
    skipped: list[str] = []
    source = create_source(args.source, topic=args.bag_topic, log=skipped.append)
    settings = settings_of(args)
    pipeline, engine = make_pipeline(settings)
    folder = _folder(args, source)
    film = not isinstance(source, PictureSource)
    detector, file = settings.get("detector"), settings.get("detector_model")
    veil = make_veil(args.privacy, detector, file, film=film)
    sound = Path(source.name) if isinstance(source, VideoSource) else None
    say(f"{source.name} -> {folder}/")
    with (
        Annotations(folder, veil, sound) as annotations,
        ImageProgress(console, _expected(source, args.seconds)) as progress,
    ):
        complete = _annotate(source, pipeline, annotations, progress, args.seconds)
    told = {"made by": "edan annotate", "source": source.name, "privacy": args.privacy}
    told |= {name: str(value) for name, value in settings.items()}
    write_run_info(folder, RunInfo(describe_model(SimpleNamespace(**model_fields(engine))), told))
    say(f"{progress.images} images, {progress.rate:.1f}/s")
    if skipped:
        more = f", and {len(skipped) - 1} more" if skipped[1:] else ""
        say(f"left out: {skipped[0]}{more}")
    say("  ".join(str(path) for path in annotations.files()))
    return 0 if complete or source.live else 130


def _annotate(
    source: Source,
    pipeline: Pipeline,
    annotations: Annotations,
    progress: ImageProgress,
    seconds: float | None,
) -> bool:
    """From the first image to the last, or to Ctrl-C. Whether the end was reached."""
    pictures = isinstance(source, PictureSource)
    try:
        with closing(source.frames()) as frames:
            for frame in frames:
                if seconds is not None and frame.time > seconds:
                    break
                result = _result(pipeline, frame, alone=pictures)
                stamp = round(frame.time * 1e9) if frame.stamp_ns is None else frame.stamp_ns
                name = frame.name if pictures else ""
                annotations.add(frame.time, stamp, name, frame.image, result)
                progress.advance()
    except KeyboardInterrupt:
        return False  # what was done until now is kept
    return True


def _result(pipeline: Pipeline, frame: Frame, *, alone: bool) -> FrameResult:
    """The faces; pictures of a folder need not show the same people."""
    if alone:
        return pipeline.analyze(frame.image, frame.camera)
    return pipeline.process(frame.image, frame.time, frame.camera)


def _folder(args: argparse.Namespace, source: Source) -> Path:
    """The folder to write to. Raises RecordingError where the source lies in the way there."""
    from edan_ros.recording.annotations import FILES

    refuse_to_replace(source, FILES, args.out)
    origins = source.paths if isinstance(source, PictureSource) else []
    if any(path.resolve().parent == args.out.resolve() for path in origins):
        raise RecordingError(f"{args.out} holds the pictures: name another folder with --out")
    return make_folder(args.out)


def _expected(source: Source, seconds: float | None) -> int | None:
    if seconds is None:
        return source.length
    expected = int(seconds * source.rate) + 1 if source.rate else None
    if expected is None or source.length is None:
        return expected
    return min(source.length, expected)
