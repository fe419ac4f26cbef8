"""Convert published data sets to the form that training reads."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edan_ros.core.wording import plural
from edan_ros.datasets import DataError, DatasetSpec, parse_dataset, prepare, read

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edan_ros.core.images import Image
    from edan_ros.datasets.prepare import FindLandmarks

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="prepare", required=True)
    command = actions.add_parser(
        "prepare",
        help="build images.zip and labels.npz from the originals of a set",
        description="Build images.zip and labels.npz from originals that you have downloaded: "
        "landmarks68 from 300-W images with .pts files (HELEN, AFW), muxspace from the repository "
        "facial_expressions (images, legend.csv), ytf68 from videos of YouTube Faces with 68 "
        "landmarks (PERSON_NUMBER.npz).",
    )
    command.add_argument("set", choices=sorted(prepare.PREPARE), help="the set")
    command.add_argument(
        "--from", dest="source", type=Path, required=True, metavar="FOLDER", help="its originals"
    )
    command.add_argument(
        "--to", dest="target", type=Path, required=True, metavar="FOLDER", help="folder to create"
    )
    command.add_argument(
        "--landmarks",
        metavar="MODEL",
        help="muxspace: make landmarks with a shipped model or an .onnx file; unknown by default",
    )
    command.add_argument(
        "--frames",
        type=int,
        choices=range(1, 11),
        metavar="N",
        help=f"ytf68: frames of each video, 1 to 10; {prepare.FRAMES_PER_VIDEO} by default",
    )
    command.set_defaults(usage_error=command.error, run_action=_prepare)
    command = actions.add_parser(
        "eyes",
        help="cut the eyes of a data set and label them with teacher models",
        description="Write LAYOUT.npz, the eyes of a data set with openness and gaze by two models "
        "of the Open Model Zoo; needs the package openvino.",
    )
    command.add_argument(
        "set", type=_dataset, metavar="LAYOUT=PATH", help="data set with its options"
    )
    command.add_argument(
        "--teachers",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="holds open-closed-eye-0001.onnx and gaze-estimation-adas-0002.xml with its .bin",
    )
    command.add_argument(
        "--to", dest="target", type=Path, required=True, metavar="FOLDER", help="of the eye sets"
    )
    command.add_argument(
        "--landmarks",
        metavar="MODEL",
        default="edan-lite",
        help="shipped model or .onnx file that finds landmarks where the set has none; edan-lite "
        "by default",
    )
    command.set_defaults(run_action=_label_eyes)


def _dataset(text: str) -> DatasetSpec:
    try:
        return parse_dataset(text)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    action: Callable[[argparse.Namespace], int] = args.run_action
    return action(args)


def _label_eyes(args: argparse.Namespace) -> int:
    import numpy as np

    from edan_ros.training.eyes.teachers import EyeTeachers, label_eyes

    teachers = EyeTeachers(args.teachers)
    samples = read(args.set.layout, args.set.path, **args.set.options).samples
    values = label_eyes(_progress(samples), teachers, _landmark_finder(args.landmarks))
    args.target.mkdir(parents=True, exist_ok=True)
    file = args.target / f"{args.set.layout}.npz"
    np.savez(file, **values)  # type: ignore[arg-type]
    print(f"{file}: {plural(len(values['name']), 'face')}")
    return 0


def _prepare(args: argparse.Namespace) -> int:
    options: dict[str, Any] = {"progress": _progress}
    for name, its_set in (("landmarks", "muxspace"), ("frames", "ytf68")):
        if getattr(args, name) is not None and args.set != its_set:
            args.usage_error(f"argument --{name}: is for {its_set}, not {args.set}")
    if args.landmarks:
        options["find_landmarks"] = _landmark_finder(args.landmarks)
    if args.frames:
        options["frames"] = args.frames
    made = prepare.PREPARE[args.set](args.source, args.target, **options)
    print("; ".join([f"{args.target}: {plural(made.images, 'image')}", *made.notes]))
    return 0


def _progress(items: Sequence[T]) -> Iterable[T]:
    from edan_ros.cli._output import progress

    return progress(items, len(items), "converting")


def _landmark_finder(model: str) -> FindLandmarks:
    from edan_ros.detection.factory import create_detector
    from edan_ros.engines import create_engine
    from edan_ros.evaluation.recognition import StillImagePipeline

    pipeline = StillImagePipeline(create_engine("auto", model), create_detector())

    def find(image: Image) -> NDArray[np.floating] | None:
        (prediction,) = pipeline([image], [None])
        return None if prediction is None else prediction.landmarks

    return find
