"""Show which parts of each face led to its emotion, or with --mean where a data set's maps lie."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import count, make_folder, positive
from edan_ros.cli._pipeline import (
    add_model_arguments,
    add_privacy_argument,
    make_find,
    make_pipeline,
    settings_of,
)
from edan_ros.core.emotions import EMOTIONS
from edan_ros.sources import create_source
from edan_ros.sources.pictures import PictureSource

if TYPE_CHECKING:
    from edan_ros.core.faces import Face, FrameResult
    from edan_ros.engines import Engine
    from edan_ros.explain.explanation import Explanation
    from edan_ros.pipeline.pipeline import Pipeline
    from edan_ros.sources import Frame, Source

LINES = "explanations.jsonl"
#: Names of both methods together, and of all emotions.
BOTH, ALL = "both", "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "source", nargs="?", help="a picture, a folder or glob of pictures, a video, or a bag"
    )
    what.add_argument(
        "--mean",
        metavar="DATA",
        help="a data set: LAYOUT=PATH as for `edan evaluate`, or a folder with a folder of "
        "pictures for each emotion",
    )
    parser.add_argument(
        "--method",
        choices=("gradcam", "occlusion", BOTH),
        help="gradcam: the map that the model gives with every face (HiResCAM); occlusion: what "
        "covering a part costs; by default both",
    )
    parser.add_argument(
        "--emotion",
        nargs="+",
        choices=(*EMOTIONS, ALL),
        metavar="EMOTION",
        help=f"which to explain, of {', '.join(EMOTIONS)}, {ALL}; by default the recognised one",
    )
    parser.add_argument(
        "--every", type=positive, default=1.0, help="seconds of a video from sheet to sheet"
    )
    parser.add_argument(
        "--count", type=count, default=50, help="with --mean: faces of each emotion at most"
    )
    parser.add_argument("--out", type=Path, default=Path("out/explain"), help="folder to write to")
    parser.add_argument("--bag-topic", default="", help="topic of the images in a bag")
    add_privacy_argument(parser, "; --mean shows nobody")
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.mean is not None:
        from edan_ros.explain.study_report import run_mean

        return run_mean(args)
    # Imported when this command runs, not when `edan` starts: OpenCV.
    from edan_ros.drawing.privacy import cover
    from edan_ros.explain.sheet import draw_sheet
    from edan_ros.recording.pictures import Stems, write_picture

    warn = partial(print, "edan explain:", file=sys.stderr)
    source = create_source(args.source, topic=args.bag_topic, log=warn)
    settings = settings_of(args)
    pipeline, engine = make_pipeline(settings)
    find = make_find(args.privacy, settings.get("detector"), settings.get("detector_model"))
    make_folder(args.out)
    points_only = args.privacy == "landmarks-only"
    faces, pictures, stems = 0, 0, Stems()
    with (args.out / LINES).open("w", encoding="utf-8") as lines:
        for frame, result in _results(source, pipeline, args.every):
            pictures += 1
            seen = cover(frame.image, result.faces, args.privacy, find)
            stem = stems.new(frame.name) if frame.name else f"{frame.time:08.2f}s"
            for number, face in enumerate(result.faces, 1):
                name = f"{stem}_" + (f"face{number}" if frame.name else f"track{face.track_id}")
                found = _explain(args, engine, frame, face)
                sheet = draw_sheet(seen, found, title=name, outlines=points_only)
                write_picture(args.out / f"{name}.png", sheet)
                for explanation in (one for row in found for one in row):
                    record = {"picture": name, "time": round(frame.time, 3)}
                    lines.write(json.dumps({**record, **_record(explanation)}) + "\n")
                _say(name, found)
                faces += 1
    print(f"{faces} faces in {pictures} pictures explained: {args.out}/")
    return 0 if faces else 1


def _results(
    source: Source, pipeline: Pipeline, every: float
) -> Iterator[tuple[Frame, FrameResult]]:
    """The frames to explain, with their faces: all pictures, or one in ``every`` seconds."""
    from edan_ros.cli._progress import progress

    due = 0.0
    for frame in progress(source.frames(), source.length, source.name):
        if isinstance(source, PictureSource):
            yield frame, pipeline.analyze(frame.image)
            continue
        # Every frame is followed, so that a person keeps the number of the track.
        result = pipeline.process(frame.image, frame.time, frame.camera)
        if frame.time >= due and result.faces:
            due = frame.time + every
            yield frame, result


def _explain(
    args: argparse.Namespace, engine: Engine, frame: Frame, face: Face
) -> list[list[Explanation]]:
    """A row for each emotion asked for, a map for each method."""
    from edan_ros.core.emotions import softmax
    from edan_ros.explain.explanation import METHODS, explain_face

    methods = METHODS if args.method in (None, BOTH) else (args.method,)
    wanted: Sequence[int] = [int(face.raw_probabilities.argmax())]
    if args.emotion:
        names = EMOTIONS if ALL in args.emotion else dict.fromkeys(args.emotion)
        wanted = [EMOTIONS.index(name) for name in names]
    one: Callable[..., Explanation] = partial(
        explain_face,
        frame.image,
        face,
        size=engine.input_size,
        probabilities=lambda crops: softmax(
            engine.infer(crops).logits, engine.manifest.temperature
        ),
    )
    return [[one(emotion, method) for method in methods] for emotion in wanted]


def _record(found: Explanation) -> dict[str, object]:
    """What a program can read of one map: all that the service ExplainFace gives."""
    from edan_ros.explain.ranking import LANDMARK_CHANCE, landmark_shares, region_shares

    size = found.crop.shape[0]
    shares = landmark_shares(found.values, found.landmarks, size)
    order = shares.argsort()[::-1]
    regions = region_shares(found.values, found.landmarks, size)
    return {
        "track_id": found.face.track_id,
        "probabilities": [round(float(p), 4) for p in found.face.raw_probabilities],
        "emotion": EMOTIONS[found.emotion],
        "method": found.method,
        "peak": round(found.peak, 4),
        "map": found.values.round(4).tolist(),
        "landmarks": order.tolist(),
        "landmark_shares": shares[order].round(4).tolist(),
        "landmark_chance": round(LANDMARK_CHANCE, 4),
        "regions": [
            {"name": r.name, "share": round(r.share, 4), "chance": round(r.chance, 4)}
            for r in regions
        ],
    }


def _say(name: str, found: list[list[Explanation]]) -> None:
    from edan_ros.explain.explanation import METHOD_TITLES
    from edan_ros.explain.sheet import region_line

    for row in found:
        print(f"{name}  {EMOTIONS[row[0].emotion]} {row[0].probability:.1%}")
        for explanation in row:
            print(f"    {METHOD_TITLES[explanation.method]:22}{region_line(explanation)}")
