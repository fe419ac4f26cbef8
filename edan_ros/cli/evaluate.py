"""Measure a model on data sets, or the detectors side by side."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import count
from edan_ros.cli._pipeline import add_privacy_argument
from edan_ros.datasets import LAYOUTS, DataError, DatasetSpec, parse_dataset
from edan_ros.engines.detector_engine import DETECTORS

if TYPE_CHECKING:
    from edan_ros.datasets import FaceSet
    from edan_ros.engines import Engine
    from edan_ros.evaluation.emotions import Result

#: What compares detectors instead of measuring a model.
DETECTOR = "detector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="MODEL|detector",
        help="a shipped model's name or the path of an .onnx file; or the word detector, which "
        "compares face detectors",
    )
    parser.add_argument(
        "--data",
        action="extend",
        nargs="+",
        default=[],
        type=_source_or_folder,
        metavar="LAYOUT[:NAME]=PATH",
        help=f"data sets, each with its options behind it as in fer2013=PATH,part=train; layouts: "
        f"{', '.join(LAYOUTS)}. For detector: the folder that holds the data sets",
    )
    parser.set_defaults(wrong=parser.error)
    model = parser.add_argument_group("of a model")
    model.add_argument(
        "--classes", type=int, choices=(7, 3), default=7, help="emotions, or their polarity"
    )
    model.add_argument(
        "--surprise",
        choices=("positive", "ignore"),
        default="positive",
        help="of three classes: where surprise belongs",
    )
    model.add_argument(
        "--crop",
        choices=("given", "detect"),
        help="take the face where the set says it is, or find it as the live pipeline does; "
        "without: given for sets of pictures that are cut to the face, else detect",
    )
    model.add_argument(
        "--pictures", type=count, metavar="N", help="at most so many of each set, evenly spread"
    )
    model.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    model.add_argument(
        "--out", type=Path, metavar="DIR", help="write pictures and the failures there, report.html"
    )
    add_privacy_argument(parser, ", in the pictures of --out")
    model.add_argument(
        "--groups",
        action="store_true",
        help="also accuracy by light, sharpness, size and pose of the faces, and by how many of "
        "those who labelled a picture agree",
    )
    model.add_argument(
        "--robustness",
        action="store_true",
        help="how accuracy and landmarks suffer under rotation, small faces, poor light and so on",
    )
    model.add_argument(
        "--failures",
        type=Path,
        metavar="FILE",
        help="draw where recognition ends: two photographs that scikit-image and matplotlib carry, "
        "spoilt in several ways; needs no --data",
    )
    detectors = parser.add_argument_group("of detectors")
    detectors.add_argument(
        "--names",
        nargs="+",
        default=["edan", "yunet", "haar"],
        type=_detector,
        help="detectors to compare; a path of an .onnx file is a detector of this package",
    )
    detectors.add_argument("--threshold", type=float, default=0.6, help="score of a face, 0 to 1")


def run(args: argparse.Namespace) -> int:
    if args.what == DETECTOR:
        return _compare_detectors(args)
    if not args.data and not args.failures:
        args.wrong("argument --data: names no data set")
    for source in args.data:
        if not isinstance(source, DatasetSpec):
            args.wrong(f"argument --data: {source} should be LAYOUT=PATH or LAYOUT:NAME=PATH")
    names = [source.name for source in args.data]
    if len(set(names)) < len(names):
        args.wrong("argument --data: two sets have one name; name them, as in LAYOUT:NAME=PATH")
    if args.robustness and (args.classes != 7 or args.crop or args.out or args.groups):
        args.wrong("argument --robustness: has seven classes, crops of its own and no report")
    engine = _engine(args)
    if args.failures:
        _draw_failures(engine, args)
    if args.robustness:
        return _robustness(engine, args)
    return _measure(engine, args) if args.data else 0


def _engine(args: argparse.Namespace) -> Engine:
    """The engine of the model; of one without landmarks, or with three classes, what it has."""
    from edan_ros.engines import create_engine, load_manifest
    from edan_ros.engines.evaluation_model import EvaluationEngine
    from edan_ros.engines.manifest import is_complete

    manifest = load_manifest(args.what)
    if is_complete(manifest):
        return create_engine("auto", args.what)
    if len(manifest.labels) != 7 and (args.classes == 7 or args.robustness):
        args.wrong(f"argument --classes: {manifest.name} knows three classes: give --classes 3")
    if manifest.outputs and "landmarks" not in manifest.outputs:
        if args.robustness or args.failures or args.crop == "detect":
            args.wrong(
                f"{manifest.name} gives no landmarks, by which faces are followed: only "
                "--crop given measures it"
            )
        args.crop = "given"
    return EvaluationEngine(args.what)


def _source_or_folder(text: str) -> DatasetSpec | Path:
    if "=" not in text:
        return Path(text)
    try:
        return parse_dataset(text)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _detector(text: str) -> str:
    if text in DETECTORS or text.endswith(".onnx"):
        return text
    raise argparse.ArgumentTypeError(f"no detector: {text}; {', '.join(DETECTORS)}, or an .onnx")


def _compare_detectors(args: argparse.Namespace) -> int:
    from edan_ros.cli._evaluate_detectors import compare

    if len(args.data) != 1 or isinstance(args.data[0], DatasetSpec):
        args.wrong("argument --data: for detector, the one folder that holds the data sets")
    return compare(args.data[0], args.names, args.threshold)


def _read(source: DatasetSpec, pictures: int | None) -> FaceSet:
    from edan_ros.datasets import read

    faces = read(source.layout, source.path, **source.options)
    faces.check()
    if pictures is None or pictures >= len(faces):
        return faces
    part = faces.subset(pictures)
    part.notes = [*faces.notes, f"{pictures} of {len(faces)} pictures, evenly spread"]
    return part


def _measure(engine: Engine, args: argparse.Namespace) -> int:
    from edan_ros.evaluation import groups, tables
    from edan_ros.evaluation.scales import SEVEN, three

    scale = SEVEN if args.classes == len(SEVEN.names) else three(args.surprise)
    # All sets are read before the first is measured: a wrong path is not found after an hour.
    sets = [(source, _read(source, args.pictures)) for source in args.data]
    results = [_judged(engine, source, faces, args.crop, scale) for source, faces in sets]
    manifest = engine.manifest
    print(f"{manifest.name} {manifest.version} on {engine.name} ({engine.device})")
    for line in tables.text(results, manifest.name):
        print(line)
    for result in results if args.groups else ():
        print("\n" + "\n".join(groups.table(result)))
    if args.json:
        _write_json(args.json, tables.as_json(results))
    if args.out:
        _write_report(args, results, manifest.name)
    return 0


def _judged(engine: Engine, source: DatasetSpec, faces: FaceSet, crop: str | None, scale) -> Result:
    from edan_ros.cli._progress import progress
    from edan_ros.engines.detector_engine import create_detector
    from edan_ros.evaluation.emotions import answers, judge

    crop = crop or ("given" if faces.cropped else "detect")
    said = progress(answers(engine, faces, crop, create_detector()), len(faces), source.name)
    return judge(source.name, source.layout, crop, faces, list(said), scale)


def _write_json(file: Path, values: object) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"the file {file} cannot be written: {error.strerror}") from error
    print(f"\nfigures: {file}")


def _write_report(args: argparse.Namespace, results: Sequence[Result], model: str) -> None:
    from edan_ros.evaluation.report import write_report

    try:
        page = write_report(args.out, results, model, args.privacy)
    except OSError as error:
        raise DataError(f"the folder {args.out} cannot be written: {error.strerror}") from error
    print(f"\nreport: {page}")


def _draw_failures(engine: Engine, args: argparse.Namespace) -> None:
    import cv2

    from edan_ros.engines.detector_engine import create_detector
    from edan_ros.evaluation.failures import draw, spoil
    from edan_ros.sources.scene import load_photographs

    detector, manifest = create_detector(), engine.manifest
    photographs = [cv2.cvtColor(p, cv2.COLOR_BGR2GRAY) for p in load_photographs()]
    rows = [spoil(engine, detector, photograph) for photograph in photographs]
    try:
        args.failures.parent.mkdir(parents=True, exist_ok=True)
        draw(rows, f"{manifest.name} {manifest.version} with the package's detector", args.failures)
    except (OSError, ValueError) as error:  # ValueError: an ending that matplotlib does not know
        raise DataError(f"the picture {args.failures} cannot be written: {error}") from error
    print(f"failures: {args.failures}")


def _robustness(engine: Engine, args: argparse.Namespace) -> int:
    from edan_ros.cli._progress import progress
    from edan_ros.evaluation.robustness import CONDITIONS, as_json, measure, table

    sets = {source.name: _read(source, args.pictures) for source in args.data}
    print(f"{engine.manifest.name} {engine.manifest.version} on {engine.name} ({engine.device})")
    for name, faces in sets.items():
        print("; ".join([f"{name}: {faces.about}", f"{len(faces)} pictures", *faces.notes]))
    print()
    rows = list(progress(measure(engine, sets), len(CONDITIONS), "conditions"))
    for line in table(rows, [name for name, faces in sets.items() if faces.pseudo_landmarks]):
        print(line)
    if args.json:
        _write_json(args.json, as_json(rows))
    return 0
