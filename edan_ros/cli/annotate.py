"""Draw faces and emotions into images and videos, and write them as JSON lines and tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edan_ros.cli._arguments import output_folder, positive
from edan_ros.cli._output import expected_images
from edan_ros.cli._pipeline import (
    add_model_arguments,
    add_privacy_argument,
    load_pipeline,
    privacy_filter,
    settings_of,
)
from edan_ros.cli._signals import handler
from edan_ros.core.wording import plural, printable
from edan_ros.offline.loading import LoadedPipeline
from edan_ros.pipeline.config import MOST_FACES
from edan_ros.recording.files import RecordingError
from edan_ros.recording.run_info import RunInfo, read_run_info, write_run_info
from edan_ros.sources import Source, SourceError, create_source
from edan_ros.sources.image_files import read_image
from edan_ros.sources.inputs import Input, find_inputs, may_be_single, single_image
from edan_ros.sources.video import VideoSource
from edan_ros.sources.webcam import webcam_index

if TYPE_CHECKING:
    from rich.console import Console

    from edan_ros.core.images import Image
    from edan_ros.recording.annotations import Annotations

#: Largest number of written files whose names are printed.
_MAX_FILES = 5
#: Largest number of notes about a source at each end of a long list.
_MAX_NOTES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="images, videos, folders, globs, bags and numbers of webcams, any number of each",
    )
    parser.add_argument(
        "-r", "--recursive", action="store_true", help="look into folders inside folders, too"
    )
    parser.add_argument(
        "--out",
        type=output_folder,
        default=Path("annotated"),
        help="folder to write to (default: %(default)s)",
    )
    parser.add_argument(
        "--landmarks", action="store_true", help="write the 68 landmarks into the tables, too"
    )
    parser.add_argument(
        "--parquet", action="store_true", help="write the table as Parquet, too (needs pyarrow)"
    )
    add_privacy_argument(parser)
    parser.add_argument(
        "--seconds", type=positive, help="length of each recording to process (default: all)"
    )
    parser.add_argument(
        "--bag-topic", default="", help="image topic of a bag (default: that with most images)"
    )
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    if args.parquet:
        import_module("pyarrow.parquet")  # a missing module is reported before the work
    earlier = args.out if read_run_info(args.out).settings else None
    inputs, notes = find_inputs(args.sources, recursive=args.recursive, leave_out=earlier)
    plan = _plan(inputs, args.out)
    settings = settings_of(args)
    if len(inputs) == 1 and not plan.images:
        create_source(inputs[0].text, topic=args.bag_topic)  # raises before models are loaded
    run = _Run(args, plan, settings, load_pipeline(settings), Console(highlight=False))
    run.log(f"{printable(', '.join(args.sources))} -> {args.out}/")
    run.log(run.loaded.description)
    with handler.deferred() as stopped:
        run.annotate(stopped)
    for note in notes:
        run.log(f"note: {note}")
    return run.finish()


@dataclass
class _Plan:
    """Where results go. images: input -> file in the folder. folders: recording -> its folder."""

    images: dict[Input, str] = field(default_factory=dict)
    folders: dict[Input, Path] = field(default_factory=dict)

    def files(self, out: Path) -> list[str]:
        """Return what may be written besides the files of fixed names, relative to ``out``."""
        from edan_ros.recording.annotations import FILES

        inside = [folder.relative_to(out) for folder in self.folders.values() if folder != out]
        return [*self.images.values(), *(str(folder / name) for folder in inside for name in FILES)]


def _plan(inputs: Sequence[Input], out: Path) -> _Plan:
    """Return where results go: of several recordings each into a folder of its own, cameras last.

    Raises RecordingError if a result would replace an input.
    """
    from edan_ros.recording.annotations import FILES
    from edan_ros.recording.files import Stems

    plan, stems, folders = _Plan(), Stems(), Stems()
    recordings = []
    for item in inputs:
        if item.is_image or (may_be_single(item) and _only_frame(item) is not None):
            plan.images[item] = f"{stems.new(item.name)}.jpg"
        else:
            recordings.append(item)
    for item in sorted(recordings, key=lambda item: webcam_index(item.text) is not None):
        name = folders.new(item.name if item.path else f"camera_{Path(item.text).name}")
        plan.folders[item] = out if len(inputs) == 1 else out / name
    for item in inputs:
        if item.path is None:
            continue
        path = item.path.resolve()
        if item in plan.images and path.parent == out.resolve():
            raise RecordingError(f"{out} holds the images: name another folder with --out")
        folder = plan.folders.get(item, out)
        written = [folder, *(folder / name for name in FILES)]
        if item in plan.folders and any(path == other.resolve() for other in written):
            raise RecordingError(f"{item.path} would be replaced: name another folder with --out")
    return plan


def _only_frame(item: Input) -> Image | None:
    try:
        frame = single_image(create_source(item.text))
    except SourceError:
        return None  # reported when it is processed
    return None if frame is None else frame.image


@dataclass
class _Run:
    """One run of the command.

    Attributes:
        failed: whether an input that the user named could not be read.
        complete: whether no stop was requested.
        main: what writes to the folder itself, None where that is the only recording.
        has_begun: whether the folder was cleared.
        images, faces: number of single images, and of the faces in them.
        written: the files.
    """

    args: argparse.Namespace
    plan: _Plan
    settings: dict[str, Any]
    loaded: LoadedPipeline
    console: Console
    failed: bool = False
    complete: bool = True
    images: int = 0
    faces: int = 0
    written: list[Path] = field(default_factory=list)
    main: Annotations | None = None
    has_begun: bool = False

    def __post_init__(self) -> None:
        self.log = partial(self.console.print, markup=False, soft_wrap=True)

    def annotate(self, stopped: Callable[[], bool]) -> None:
        """Annotate all inputs until a stop is requested."""
        if len(self.plan.folders) == 1 and not self.plan.images:
            self._each_recording(stopped)
            return
        with self._annotations(self.args.out, None) as self.main:
            self._images(self.main, stopped)
            self._each_recording(stopped)
        self.written = [*self.main.files(), *self.written]

    def _begin(self) -> None:
        """Remove what an earlier run left in the folder, and list what this one writes, once."""
        if self.main is not None and not self.has_begun:
            self.has_begun = True
            self.main.clear()
            self._write_run_info(self.args.out, self.plan.files(self.args.out))

    def finish(self) -> int:
        """Print what was written and return the exit code."""
        if not self.written:
            print("edan annotate: nothing could be read, and nothing is written", file=sys.stderr)
            return 1
        if self.plan.images:
            self.log(f"{plural(self.images, 'image')}, {plural(self.faces, 'face')} in all")
        if not self.complete:
            self.log(f"Stopped before the end; the results so far are in {self.args.out}/")
        files = [str(path) for path in self.written]
        if len(files) > _MAX_FILES:
            files[_MAX_FILES - 1 : -1] = ["..."]
        self.log("  ".join(files))
        if not self.complete:
            return handler.exit_code if handler.number else 130
        return int(self.failed)

    def _images(self, annotations: Annotations, stopped: Callable[[], bool]) -> None:
        from edan_ros.recording.summary import describe_image

        limit = self.settings.get("max_faces", MOST_FACES)
        for item, file in self.plan.images.items():
            if stopped():
                self.complete = False
                return
            try:
                image = _only_frame(item) if not item.is_image else None
                image = read_image(Path(item.text)) if image is None else image
            except SourceError as error:
                self._report(item, error)
                continue
            self._begin()
            result = self.loaded.pipeline.analyze(image, max_faces=limit)
            annotations.add_file(item.name, file, image, result)
            self.images += 1
            self.faces += len(result.faces)
            self.log(f"{printable(item.name)}: {describe_image(result)}")

    def _each_recording(self, stopped: Callable[[], bool]) -> None:
        for item, folder in self.plan.folders.items():
            if stopped():
                self.complete = False
                return
            notes: list[str] = []
            try:
                source = create_source(item.text, topic=self.args.bag_topic, log=notes.append)
                self._recording(item, source, folder, stopped)
            except SourceError as error:
                self._report(item, error)
            for line in _abridged(list(dict.fromkeys(notes))):  # a recording is read twice
                self.log(f"note: {line}")

    def _recording(
        self, item: Input, source: Source, folder: Path, stopped: Callable[[], bool]
    ) -> None:
        from edan_ros.offline.annotation import RecordingRun
        from edan_ros.recording.progress import ImageProgress

        title = printable(item.name)
        progress = ImageProgress(self.console, expected_images(source, self.args.seconds), title)
        run = RecordingRun(
            source,
            self.loaded.new_pipeline(),
            self.loaded.engine.manifest,
            stopped,
            progress.advance,
            self.args.seconds,
        )
        opened: list[Annotations] = []
        with ExitStack() as stack:

            def annotations() -> Annotations:
                if not opened:
                    self._begin()
                    opened.append(stack.enter_context(self._annotations(folder, source)))
                return opened[0]

            if self.main is None:
                annotations()  # raises before the work where the folder cannot be written
            with progress:
                if source.live:
                    run.follow(annotations)
                results = [] if source.live else run.process()
            if results:
                with ImageProgress(self.console, len(results), "drawing") as drawing:
                    run.on_image = drawing.advance
                    run.draw(annotations(), results)
        if not run.summary.results:
            self.complete = self.complete and run.complete
            return
        details = dict(source.properties) if isinstance(source, VideoSource) else {}
        details["cuts"] = str(run.summary.cuts)
        self._write_run_info(folder, [], {"source": source.name, **details})
        self.log(f"{title}: {run.summary.line()}, processed at {progress.rate:.1f}/s")
        self.complete = self.complete and run.complete
        self.written += opened[0].files()

    def _annotations(self, folder: Path, source: Source | None) -> Annotations:
        """Return the writer of a folder. source: the recording; None for single images."""
        from edan_ros.recording.annotations import Annotations

        people = privacy_filter(self.args.privacy, self.settings, video=source is not None)
        sound = source if isinstance(source, VideoSource) else None
        tables = {"landmarks": self.args.landmarks, "parquet": self.args.parquet}
        return Annotations(folder, people, sound, **tables)

    def _write_run_info(
        self, folder: Path, files: Sequence[str], details: dict[str, str] | None = None
    ) -> None:
        values = {"made by": "edan annotate", "source": ", ".join(self.args.sources)}
        values |= {"privacy": self.args.privacy, **(details or {})}
        values |= {name: str(value) for name, value in self.settings.items()}
        write_run_info(folder, RunInfo(self.loaded.describe_model(), values, files))

    def _report(self, item: Input, error: SourceError) -> None:
        """Report an input that cannot be read; raise the error where it is the only one."""
        if len(self.plan.images) + len(self.plan.folders) == 1:
            raise error
        if item.is_named:
            self.failed = True
            print(f"edan annotate: {error}", file=sys.stderr)
        else:
            self.log(str(error))


def _abridged(lines: Sequence[str]) -> list[str]:
    """Return the first and the last lines: what a bag has lost comes after its damaged images."""
    if len(lines) <= 2 * _MAX_NOTES:
        return list(lines)
    more = f"{len(lines) - 2 * _MAX_NOTES} more notes like these"
    return [*lines[:_MAX_NOTES], more, *lines[-_MAX_NOTES:]]
