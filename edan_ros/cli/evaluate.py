"""Evaluate a model on data sets, compare face detectors, or test the driver monitor."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import integer_from, output_folder
from edan_ros.cli._pipeline import add_privacy_argument
from edan_ros.datasets import LAYOUTS, DataError, DatasetSpec, parse_dataset, validation_sets
from edan_ros.detection.factory import DETECTORS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edan_ros.datasets import FaceSet
    from edan_ros.engines import Engine, Manifest
    from edan_ros.evaluation.classes import ClassScheme
    from edan_ros.evaluation.classification import SetResult
    from edan_ros.evaluation.driver import ScenarioResult
    from edan_ros.evaluation.prior import PriorEngine

#: Given in place of a model to compare detectors, or to test the driver monitor.
DETECTOR, DRIVER, EYES = "detector", "driver", "eyes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="MODEL|detector|driver|eyes",
        help="name of a shipped model or path of an .onnx file; or the word detector, which "
        "compares face detectors, driver, which tests the driver monitor on scripted drivers, or "
        "eyes: the eye network on the eye sets of edan data eyes",
    )
    parser.add_argument(
        "--data",
        action="extend",
        nargs="+",
        default=[],
        type=_spec_or_folder,
        metavar="LAYOUT[:NAME]=PATH",
        help="data sets, each with its options behind it as in fer2013=PATH,part=train; layouts: "
        f"{', '.join(LAYOUTS)}. Or the folder that holds all data sets, of which the public test "
        "of fer2013, kdef and london are evaluated; $EDAN_DATA by default",
    )
    parser.add_argument(
        "--images",
        type=integer_from(1),
        metavar="N",
        help="evaluate at most N images of each set, evenly spaced",
    )
    parser.add_argument("--pictures", type=integer_from(1), help=argparse.SUPPRESS)
    parser.set_defaults(usage_error=parser.error)
    _add_model_arguments(parser)
    detectors = parser.add_argument_group("comparison of detectors")
    detectors.add_argument(
        "--names",
        nargs="+",
        default=["edan", "yunet", "haar"],
        type=_detector,
        help="detectors, or paths of .onnx files of detectors of this package",
    )
    detectors.add_argument("--threshold", type=float, default=0.6, help="score of a face, 0 to 1")
    drivers = parser.add_argument_group("scripted drivers")
    drivers.add_argument(
        "--video",
        action="store_true",
        help="let a photograph of --data, a set or a folder, act the scenarios too, its lids, "
        "irises, mouth and head moved as scripted, and recognise the images; --images N "
        "photographs",
    )


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("evaluation of a model")
    model.add_argument(
        "--classes", type=int, choices=(7, 3), default=7, help="emotions, or their polarity"
    )
    model.add_argument(
        "--surprise",
        choices=("positive", "ignore"),
        default="positive",
        help="how to count surprise among three classes",
    )
    model.add_argument(
        "--prior",
        type=_prior,
        metavar="uniform|natural|NUMBER",
        help="strength of the class prior of the training set, from 0 (uniform) to 1 (natural); "
        "as on a camera by default",
    )
    model.add_argument(
        "--crop",
        choices=("given", "detect"),
        help="crop the face where it is annotated, or find it as the live pipeline does; given by "
        "default for sets of images that are cropped to the face, else detect",
    )
    model.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    model.add_argument("--markdown", type=Path, metavar="FILE", help="write the printed tables")
    model.add_argument(
        "--out",
        type=output_folder,
        metavar="DIR",
        help="write report.html with charts and failures (default: no report)",
    )
    add_privacy_argument(parser, ", in the images of --out")
    model.add_argument(
        "--groups",
        action="store_true",
        help="add figures by sex, ethnicity and age of the people where the set has them, and by "
        "light, sharpness, size and pose of the faces and the agreement of the annotators",
    )
    model.add_argument(
        "--robustness",
        action="store_true",
        help="evaluate under rotation, small faces, poor light, occlusion and so on",
    )
    model.add_argument(
        "--failures",
        type=Path,
        metavar="FILE",
        help="draw the limits of recognition: distorted photographs of scikit-image and "
        "matplotlib; needs no --data",
    )


def run(args: argparse.Namespace) -> int:
    if args.what == EYES:
        return _evaluate_eyes(args)
    if args.what == DRIVER:
        return _evaluate_driver(args)
    if not args.data and not args.failures and os.environ.get("EDAN_DATA"):
        args.data = [Path(os.environ["EDAN_DATA"])]
    if args.pictures is not None:
        print("edan evaluate: --pictures is deprecated: use --images", file=sys.stderr)
        args.images = args.pictures
    if args.what == DETECTOR:
        return _compare_detectors(args)
    specs = _specs(args)
    if args.robustness and (args.classes != 7 or args.crop or args.out or args.groups):
        args.usage_error("argument --robustness: takes seven classes, its own crops and no report")
    engine = _engine(args)
    if args.failures:
        _draw_failures(engine, args.failures)
    if args.robustness:
        _evaluate_robustness(engine, specs, args)
    elif specs:
        _evaluate_model(engine, specs, args)
    return 0


def _spec_or_folder(text: str) -> DatasetSpec | Path:
    if "=" not in text:
        return Path(text)
    try:
        return parse_dataset(text)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _prior(text: str) -> float:
    from edan_ros.evaluation.prior import prior_strength

    try:
        return prior_strength(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _detector(text: str) -> str:
    if text in DETECTORS or text.endswith(".onnx"):
        return text
    raise argparse.ArgumentTypeError(
        f"there is no detector {text}: use {', '.join(DETECTORS)} or an .onnx file"
    )


def _compare_detectors(args: argparse.Namespace) -> int:
    from edan_ros.evaluation.detector_comparison import compare_detectors

    if len(args.data) != 1 or isinstance(args.data[0], DatasetSpec):
        args.usage_error("argument --data: detector takes the one folder that holds the data sets")
    for line in compare_detectors(args.data[0], args.names, args.threshold, args.images):
        print(line, flush=True)
    return 0


def _evaluate_driver(args: argparse.Namespace) -> int:
    from edan_ros.cli._output import progress
    from edan_ros.evaluation.driver import evaluate_traces
    from edan_ros.evaluation.driver_report import text, write_report
    from edan_ros.evaluation.driver_scenarios import SCENARIOS

    total = 2 * (len(SCENARIOS) + 1)
    results = list(progress(evaluate_traces(), total, "driving through scenarios"))
    if args.video:
        results += _film_driver(args)
    print("\n".join(text(results)))
    if args.out:
        try:
            page = write_report(args.out, results)
        except OSError as error:
            raise DataError(f"cannot write the folder {args.out}: {error.strerror}") from error
        print(f"\nreport: {page}")
    return 0


def _film_driver(args: argparse.Namespace) -> list[ScenarioResult]:
    """Return the results of the scenarios acted by photographs, seen by the whole pipeline."""
    from itertools import islice

    from edan_ros.analyzer import FaceAnalyzer
    from edan_ros.cli._output import progress
    from edan_ros.evaluation.driver import evaluate
    from edan_ros.evaluation.driver_scenarios import SCENARIOS
    from edan_ros.evaluation.driver_video import Actor, filmed_snapshots, is_suitable

    with FaceAnalyzer() as analyzer:
        found = ((name, image, analyzer.analyze(image)) for name, image in _photographs(args))
        suitable = (
            (name, Actor(image, faces[0].landmarks))
            for name, image, faces in found
            if len(faces) == 1 and is_suitable(faces[0].landmarks)
        )
        actors = list(islice(suitable, args.images or 1))
        if not actors:
            raise DataError("no photograph in --data shows one face that looks into the camera")

        def film() -> Iterator[ScenarioResult]:
            for name, actor in actors:
                for scenario in (s for s in SCENARIOS if not s.passenger):
                    snapshots = filmed_snapshots(
                        scenario,
                        actor,
                        lambda images: ((f.stamp, f.faces) for f in analyzer.track(images)),
                    )
                    yield evaluate(scenario, snapshots, f"photograph {name}")

        return list(progress(film(), None, "filming photographs"))


def _photographs(args: argparse.Namespace) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the names and BGR images of --data, a set or a folder of photographs."""
    from edan_ros.evaluation.classification import read_set
    from edan_ros.sources import create_source

    if len(args.data) != 1:
        args.usage_error("argument --video: needs photographs, one set or folder in --data")
    (entry,) = args.data
    if isinstance(entry, DatasetSpec):
        for sample in read_set(entry, None).samples:
            yield sample.name, sample.image().bgr()
    else:
        for frame in create_source(str(entry)).frames():
            yield frame.name, frame.image.bgr()


def _evaluate_eyes(args: argparse.Namespace) -> int:
    from edan_ros.core.wording import plural
    from edan_ros.engines.eye_model import EyeModel
    from edan_ros.evaluation.eyes import evaluate_eyes

    if len(args.data) != 1 or isinstance(args.data[0], DatasetSpec):
        args.usage_error("argument --data: eyes takes the one folder of eye sets")
    for result in evaluate_eyes(EyeModel(), args.data[0]):
        print(f"{result.name}: {plural(result.eyes, 'eye')}")
        for name, value in result.figures.items():
            print(f"  {name:20s} {value:.4f}", flush=True)
    return 0


def _specs(args: argparse.Namespace) -> list[DatasetSpec]:
    if not args.data and not args.failures:
        args.usage_error("argument --data: names no data set, and $EDAN_DATA is not set")
    specs: list[DatasetSpec] = []
    for entry in args.data:
        specs += [entry] if isinstance(entry, DatasetSpec) else validation_sets(entry)
    if len({spec.name for spec in specs}) < len(specs):
        args.usage_error("argument --data: two sets have one name; use LAYOUT:NAME=PATH")
    return specs


def _engine(args: argparse.Namespace) -> PriorEngine:
    """Return the engine of the model; a usage error if it lacks a required output."""
    from edan_ros.engines import create_engine, load_manifest
    from edan_ros.engines.evaluation_model import EvaluationEngine
    from edan_ros.engines.manifest import is_complete
    from edan_ros.evaluation.prior import DEFAULT_STRENGTH, PriorEngine

    manifest = load_manifest(args.what)
    engine: Engine
    if is_complete(manifest):
        engine = create_engine("auto", args.what)
    else:
        _check_outputs(manifest, args)
        engine = EvaluationEngine(args.what)
    return PriorEngine(engine, DEFAULT_STRENGTH if args.prior is None else args.prior)


def _check_outputs(manifest: Manifest, args: argparse.Namespace) -> None:
    if len(manifest.labels) != 7 and (args.classes == 7 or args.robustness):
        args.usage_error(f"argument --classes: {manifest.name} has three: give --classes 3")
    if manifest.outputs and "landmarks" not in manifest.outputs:
        if args.robustness or args.failures or args.crop == "detect":
            args.usage_error(
                f"{manifest.name} has no landmarks, which tracking needs: only --crop given can "
                "evaluate it"
            )
        args.crop = "given"


def _title(engine: PriorEngine) -> str:
    manifest = engine.manifest
    return f"{manifest.name} {manifest.version} on {engine.name} ({engine.device})"


def _evaluate_model(
    engine: PriorEngine, specs: Sequence[DatasetSpec], args: argparse.Namespace
) -> None:
    from edan_ros.evaluation import groups, tables
    from edan_ros.evaluation.classes import SEVEN, polarities
    from edan_ros.evaluation.classification import read_set
    from edan_ros.evaluation.prior import describe_prior

    scheme = SEVEN if args.classes == len(SEVEN.names) else polarities(args.surprise)
    # All sets are read before the first is evaluated, so that a wrong path ends the command soon.
    sets = [(spec, read_set(spec, args.images)) for spec in specs]
    results = [_evaluate_set(engine, spec, faces, args.crop, scheme) for spec, faces in sets]
    name = engine.manifest.name
    lines = [_title(engine), describe_prior(engine.strength), *tables.text(results, name)]
    figures = tables.as_json(results) | {"prior_strength": engine.strength}
    for result in results if args.groups else ():
        for table in (groups.attribute_table(result), groups.image_table(result)):
            body = list(table)
            lines += ["", *body] if body else []
        figures["sets"][result.name]["groups"] = groups.attributes_as_json(result)
    _output(lines, figures, args)
    if args.out:
        _write_report(args, results, name)


def _evaluate_set(
    engine: Engine, spec: DatasetSpec, faces: FaceSet, crop: str | None, scheme: ClassScheme
) -> SetResult:
    from edan_ros.cli._output import progress
    from edan_ros.detection.factory import create_detector
    from edan_ros.evaluation.classification import evaluate, predict_set

    crop = crop or ("given" if faces.cropped else "detect")
    results = progress(
        predict_set(engine, faces, crop, create_detector()), len(faces), f"evaluating {spec.name}"
    )
    return evaluate(spec.name, spec.layout, crop, faces, results, scheme)


def _evaluate_robustness(
    engine: PriorEngine, specs: Sequence[DatasetSpec], args: argparse.Namespace
) -> None:
    from edan_ros.cli._output import progress
    from edan_ros.core.wording import plural
    from edan_ros.evaluation import robustness
    from edan_ros.evaluation.classification import read_set
    from edan_ros.evaluation.prior import describe_prior

    sets = {spec.name: read_set(spec, args.images) for spec in specs}
    conditions = robustness.evaluate_robustness(engine, sets)
    results = list(progress(conditions, len(robustness.CONDITIONS), "evaluating conditions"))
    lines = [_title(engine), describe_prior(engine.strength)]
    for name, faces in sets.items():
        size = plural(len(faces), "image")
        lines.append("; ".join([f"{name}: {faces.about}", size, *faces.notes]))
    pseudo = [name for name, faces in sets.items() if faces.pseudo_landmarks]
    _output([*lines, "", *robustness.table(results, pseudo)], robustness.as_json(results), args)


def _output(lines: Iterable[str], figures: object, args: argparse.Namespace) -> None:
    """Print the lines, and write them to --markdown and the figures to --json."""
    text = "\n".join(lines)
    print(text)
    for file, content in ((args.markdown, text), (args.json, None)):
        if file is None:
            continue
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((content or json.dumps(figures, indent=2)) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot write {file}: {error.strerror}") from error
        print(f"\n{'tables' if content else 'figures'}: {file}")


def _write_report(args: argparse.Namespace, results: Sequence[SetResult], model: str) -> None:
    from edan_ros.evaluation.report import write_report

    try:
        page = write_report(args.out, results, model, args.privacy)
    except OSError as error:
        raise DataError(f"cannot write the folder {args.out}: {error.strerror}") from error
    print(f"\nreport: {page}")


def _draw_failures(engine: PriorEngine, file: Path) -> None:
    import cv2
    import numpy as np

    from edan_ros.detection.factory import create_detector
    from edan_ros.evaluation.failures import draw_failures, recognise_distorted
    from edan_ros.sources.scene import load_photographs

    detector, manifest = create_detector(), engine.manifest
    photographs = [cv2.cvtColor(p, cv2.COLOR_BGR2GRAY) for p in load_photographs()]
    rows = [recognise_distorted(engine, detector, np.asarray(p, np.uint8)) for p in photographs]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draw_failures(rows, f"{manifest.name} {manifest.version} with the package's detector", file)
    except (OSError, ValueError) as error:  # ValueError: unknown suffix
        raise DataError(f"cannot write {file}: {error}") from error
    print(f"failures: {file}")
