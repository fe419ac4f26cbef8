"""Show which parts of each face led to its emotion, or, with --mean, over a whole data set."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edan_ros.cli._arguments import integer_from, output_folder, positive
from edan_ros.cli._output import progress
from edan_ros.cli._pipeline import (
    add_model_arguments,
    add_privacy_argument,
    face_finder,
    load_pipeline,
    settings_of,
)
from edan_ros.cli._signals import handler
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.wording import plural, printable
from edan_ros.datasets import DataError
from edan_ros.engines.select import FP32_MODEL
from edan_ros.offline.loading import load_engine
from edan_ros.recording.files import writing
from edan_ros.sources import create_source
from edan_ros.sources.image_files import ImageFileSource

if TYPE_CHECKING:
    from edan_ros.core.faces import Face, FrameResult
    from edan_ros.engines import Engine
    from edan_ros.explain.explanation import Explanation
    from edan_ros.pipeline.pipeline import Pipeline
    from edan_ros.sources import Frame, Source

LINES = "explanations.jsonl"
#: Faces of a data set after which the time is estimated.
_TIMED = 5
#: Name of both methods together, and of all emotions.
BOTH, ALL = "both", "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "source", nargs="?", help="an image, a folder or glob of images, a video, or a bag"
    )
    what.add_argument(
        "--mean",
        metavar="DATA",
        help="a data set: LAYOUT=PATH as for `edan evaluate`, or a folder with one folder of "
        "images per emotion",
    )
    parser.add_argument(
        "--method",
        choices=("gradcam", "occlusion", BOTH),
        help="gradcam: the map that the model computes for every face (HiResCAM); occlusion: the "
        "probability lost when a part is covered (default: both)",
    )
    parser.add_argument(
        "--emotion",
        nargs="+",
        choices=(*EMOTIONS, ALL),
        metavar="EMOTION",
        help=f"emotions to explain: {', '.join(EMOTIONS)}, {ALL} (default: the recognised one)",
    )
    parser.add_argument(
        "--every",
        type=positive,
        default=1.0,
        help="seconds of a video between two sheets (default: %(default)s)",
    )
    parser.add_argument(
        "--count",
        type=integer_from(1),
        default=50,
        help="with --mean: most faces per emotion (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=output_folder,
        default=Path("out/explain"),
        help="folder to write to (default: %(default)s)",
    )
    parser.add_argument(
        "--bag-topic", default="", help="image topic of a bag (default: that with most images)"
    )
    add_privacy_argument(parser, "; --mean shows nobody")
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    return _explain_source(args) if args.mean is None else _explain_dataset(args)


def _explain_source(args: argparse.Namespace) -> int:
    from edan_ros.drawing.privacy import anonymize
    from edan_ros.explain.explanation import explanation_record
    from edan_ros.explain.sheet import LEGEND, draw_sheet
    from edan_ros.recording.files import Stems, locked_folder, write_image

    warn = partial(print, "edan explain:", file=sys.stderr)
    source = create_source(args.source, topic=args.bag_topic, log=warn)
    settings = settings_of(args)
    loaded = load_pipeline(settings)
    find = face_finder(args.privacy, settings.get("detector"), settings.get("detector_model"))
    print(loaded.description)
    points_only = args.privacy == "landmarks-only"
    faces, images, stems = 0, 0, Stems()
    with (
        locked_folder(args.out),
        handler.deferred() as stopped,
        ExitStack() as stack,
    ):
        lines: TextIO | None = None
        for frame, result in _results(source, loaded.pipeline, args.every, stopped):
            images += 1
            shown = anonymize(frame.image, result.faces, args.privacy, find)
            stem = stems.new(frame.name) if frame.name else f"{frame.time:08.2f}s"
            for number, face in enumerate(result.faces, 1):
                name = f"{stem}_" + (f"face{number}" if frame.name else f"track{face.track_id}")
                strength = loaded.pipeline.config.prior_strength
                rows = _explain(args, loaded.engine, frame, face, strength)
                sheet = draw_sheet(shown, rows, title=printable(name), outlines=points_only)
                if lines is None:
                    _remove_earlier(args.out)
                    lines = (args.out / LINES).open("w", encoding="utf-8", buffering=1)
                    stack.enter_context(lines)
                for explanation in (one for row in rows for one in row):
                    line = {
                        "image": name,
                        "time": round(frame.time, 3),
                        **explanation_record(explanation),
                    }
                    lines.write(json.dumps(line) + "\n")
                write_image(args.out / f"{name}.png", sheet)
                _print(name, rows)
                faces += 1
    if faces:
        print("\nUp to N points: " + "\n".join(LEGEND))
    where = f": {args.out}/" if faces else ""
    print(f"{plural(faces, 'face')} in {plural(images, 'image')} explained{where}")
    if handler.number:
        return handler.exit_code
    return 0 if faces else 1


def _remove_earlier(folder: Path) -> None:
    """Remove the lines of an earlier run and the sheets they name: people may be visible there."""
    lines = folder / LINES
    with writing(folder), suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        for name in {json.loads(line)["image"] for line in lines.read_text("utf-8").splitlines()}:
            if (sheet := folder / f"{name}.png").parent == folder:
                sheet.unlink(missing_ok=True)


def _results(
    source: Source, pipeline: Pipeline, every: float, stopped: Callable[[], bool]
) -> Iterator[tuple[Frame, FrameResult]]:
    """Yield the frames to explain with their faces: all images, or one in ``every`` seconds."""
    due = 0.0
    for frame in progress(source.frames(), source.length, source.name):
        if stopped():
            return
        if isinstance(source, ImageFileSource):
            yield frame, pipeline.analyze(frame.image)
            continue
        # Every frame is processed, so that tracks are the same as in other commands.
        result = pipeline.process(frame.image, frame.time, frame.camera)
        if frame.time >= due and result.faces:
            due = frame.time + every
            yield frame, result


def _explain(
    args: argparse.Namespace, engine: Engine, frame: Frame, face: Face, prior_strength: float
) -> list[list[Explanation]]:
    """Return a row for each requested emotion, with an explanation for each method."""
    from edan_ros.core.inference import calibration, class_probabilities
    from edan_ros.explain.explanation import METHODS, explain_face

    methods = METHODS if args.method in (None, BOTH) else (args.method,)
    emotions: Sequence[int] = [int(face.raw_probabilities.argmax())]
    if args.emotion:
        names = EMOTIONS if ALL in args.emotion else dict.fromkeys(args.emotion)
        emotions = [EMOTIONS.index(name) for name in names]
    explain: Callable[..., Explanation] = partial(
        explain_face,
        frame.image,
        face,
        size=engine.input_size,
        probabilities=lambda crops: class_probabilities(
            engine.infer(crops).logits, engine.manifest, prior_strength
        ),
        temperature=calibration(engine.manifest, prior_strength)[1],
    )
    return [[explain(emotion, method) for method in methods] for emotion in emotions]


def _print(name: str, rows: list[list[Explanation]]) -> None:
    from edan_ros.explain.explanation import METHOD_TITLES
    from edan_ros.explain.sheet import sentence

    for row in rows:
        print(
            f"{name}: {EMOTIONS[row[0].emotion]} {100 * row[0].probability:.0f} %. {sentence(row)}"
        )
        for one in row:
            drop = f"up to {100 * one.drops.max():.1f} points"
            print(f"    {METHOD_TITLES[one.method]:22}{drop:18}{', '.join(one.parts) or '-'}")


def _explain_dataset(args: argparse.Namespace) -> int:
    from rich.console import Console

    from edan_ros.explain import study_report
    from edan_ros.explain.study import run_study
    from edan_ros.recording.files import locked_folder, write_image

    if args.emotion or args.method:
        raise DataError(
            "--mean explains every emotion by every method: leave out --emotion, --method"
        )
    spec = study_report.find_dataset(args.mean)
    faces = study_report.read_labelled(spec)
    # Averaged Grad-CAM, with which the study compares, cannot read a quantised model.
    engine, description = load_engine({"model": FP32_MODEL, **settings_of(args)})
    print(description)
    averaged = study_report.averaged_grad_cam(engine)
    console = Console(stderr=True)
    if averaged is None:
        console.print(
            "no comparison with averaged Grad-CAM: it needs the onnx library, and a model that is "
            "not quantised"
        )
    labels = [sample.emotion for sample in faces.samples]
    expected = [min(labels.count(k), args.count) for k in range(len(EMOTIONS))]
    with locked_folder(args.out), console.status("reading") as status:
        finished, start = [0] * len(EMOTIONS), time.monotonic()

        def show(emotion: int, done: int) -> None:
            finished[emotion] = done
            left = sum(expected[emotion:]) - done
            seconds = left * (time.monotonic() - start) / sum(finished)
            duration = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
            status.update(f"{EMOTIONS[emotion]}: {done} of {expected[emotion]}; {duration} left")
            if sum(finished) == _TIMED:
                console.print(f"at most {left + _TIMED} faces, about {duration} left")

        study = run_study(faces, engine, count=args.count, averaged=averaged, on_face=show)
        report = study_report.create_report(study, spec, faces, engine.manifest)
        for name, text in report.texts.items():
            (args.out / name).write_text(text, encoding="utf-8")
        for name, pixels in report.figures.items():
            write_image(args.out / name, pixels)
    print(report.texts[study_report.TABLES])
    print(f"{plural(len(study.faces), 'face')} explained: {args.out}/")
    return 0
