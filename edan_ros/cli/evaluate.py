"""Measure the detectors side by side on pictures that none of them was trained on."""

from __future__ import annotations

import argparse
from pathlib import Path

#: Files of the folder `media` in which nobody is to be seen.
EMPTY = ("no_face.mp4", "photos/no_faces.jpg", "photos/dogs.jpg")
FACE_SIZES = (16, 24, 32, 48, 64)
ROLLS = (15, 30, 45)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["detector"], help="what is measured")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument(
        "--names",
        nargs="+",
        default=["edan", "yunet", "haar"],
        help="detectors to compare; a path of an .onnx file is a detector of this package",
    )
    parser.add_argument("--threshold", type=float, default=0.6, help="score of a face, 0 to 1")


def run(args: argparse.Namespace) -> int:
    from edan_ros.core.detectors import Detector, DetectorError
    from edan_ros.engines.detector_engine import create_detector
    from edan_ros.evaluation.detection import evaluate

    yunet = str(args.data / "detectors/yunet_n_640.onnx")
    teacher = create_detector("yunet", model_path=yunet, score_threshold=0.3, min_face=0.0)
    detectors: dict[str, Detector] = {}
    for name in args.names:
        kind = "edan" if name.endswith(".onnx") else name
        path = name if kind != name else (yunet if name == "yunet" else "")
        try:
            detectors[name] = create_detector(
                kind, model_path=path, score_threshold=args.threshold, min_face=8.0
            )
        except DetectorError as error:
            print(f"{name} is left out: {error}")
    print("| images | detector | n | recall | false boxes | clean | overlap | ms |")
    print("|---|---|---|---|---|---|---|---|")
    for title, scenes in _sets(args.data, teacher):
        for name, detector in detectors.items():
            figures = evaluate(detector, scenes)
            print(
                f"| {title} | {Path(name).stem} | {figures.images} | {figures.recall:.3f} | "
                f"{figures.false_boxes:.3f} | {figures.clean:.3f} | {figures.overlap:.3f} | "
                f"{figures.milliseconds:.1f} |",
                flush=True,
            )
    return 0


def _sets(data: Path, teacher):
    """(what, scenes) one after the other, so that only one set is in memory."""
    from edan_ros.evaluation import detection_scenes as scenes
    from edan_ros.training.readers import photographs

    pictures = photographs(data / "landmarks68", held_out=True)
    plain = scenes.photograph_scenes(pictures, teacher)
    yield "photographs, longest side 640", plain
    yield "without people", list(scenes.empty_scenes([data / "media" / name for name in EMPTY]))
    for size in FACE_SIZES:
        yield f"faces of {size} px in 640x480", scenes.small_face_scenes(pictures, teacher, size)
    for degrees in ROLLS:
        yield f"turned by {degrees} degrees", scenes.turned_scenes(pictures, teacher, degrees)
    yield "a tenth of the light, noise 4", scenes.darkened(plain, 0.1, 4.0)
    yield "lower half covered", scenes.half_covered(plain)
