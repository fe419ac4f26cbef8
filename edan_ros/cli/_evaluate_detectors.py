"""``edan evaluate detector``: the detectors side by side on pictures not trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edan_ros.detection.detectors import Detector
    from edan_ros.evaluation.detection import Scene

YUNET = "detectors/yunet_n_640.onnx"
#: What is printed of DetectionFigures, and under which title.
FIGURES = {"recall": "recall", "false_boxes": "false", "clean": "clean"}
#: Files of the folder `media` in which nobody is to be seen.
EMPTY = ("no_face.mp4", "photos/no_faces.jpg", "photos/dogs.jpg")
FACE_SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256)
ROLLS = (15, 30, 45, 60)
#: Asymmetries of the landmarks (0 straight, 1 profile) from which heads count as turned.
TURNS = (0.0, 0.2, 0.4, 1.01)
#: Gains on the grey levels; what a sensor of little light adds is noise of 4 levels.
LIGHTS = (2.0, 0.5, 0.25, 0.1)
#: Widths and heights at which the time of an image is taken.
TIMED = ((320, 240), (640, 480))


def compare(data: Path, names: Sequence[str], threshold: float) -> int:
    """Print what detectors of a score ``threshold`` (0 to 1) find in the sets of a folder."""
    from edan_ros.engines.detector_engine import create_detector
    from edan_ros.evaluation.detection import evaluate

    yunet = str(data / YUNET)
    teacher = create_detector("yunet", model_path=yunet, score_threshold=0.3, min_face=0.0)
    detectors = _detectors(data, names, threshold)
    columns = [f"{what} {name}" for what in FIGURES.values() for name in detectors]
    print(f"| images | n | {' | '.join(columns)} |")
    print("|---" * (2 + len(columns)) + "|")
    for title, scenes in _sets(data, teacher):
        found = [evaluate(detector, scenes) for detector in detectors.values()]
        cells = [_cell(getattr(figures, what)) for what in FIGURES for figures in found]
        print(f"| {title} | {len(scenes)} | {' | '.join(cells)} |", flush=True)
    print(f"\n| ms an image of | {' | '.join(detectors)} |")
    print("|---" * (1 + len(detectors)) + "|")
    for title, scenes in _timed(data):
        for detector in detectors.values():
            evaluate(detector, scenes[:5])  # the first runs of a size allocate memory
        times = [evaluate(detector, scenes).milliseconds for detector in detectors.values()]
        print(f"| {title} | {' | '.join(f'{time:.1f}' for time in times)} |")
    return 0


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _detectors(data: Path, names: Sequence[str], threshold: float) -> dict[str, Detector]:
    """What ``--names`` asks for and this machine can make, by name."""
    from edan_ros.detection.detectors import DetectorError
    from edan_ros.engines.detector_engine import create_detector

    made: dict[str, Detector] = {}
    for name in names:
        own = name.endswith(".onnx")
        path = str(data / YUNET) if name == "yunet" else (name if own else "")
        try:
            made[Path(name).stem] = create_detector(
                "edan" if own else name,
                model_path=path,
                score_threshold=threshold,
                min_face=8.0,
            )
        except DetectorError as error:
            print(f"{name} is left out: {error}")
    return made


def _sets(data: Path, teacher: Detector) -> Iterator[tuple[str, list[Scene]]]:
    """(what, scenes) one after the other, so that only one set is in memory."""
    from edan_ros.datasets.archives import photographs
    from edan_ros.evaluation import detection_scenes as scenes

    pictures = photographs(data / "landmarks68", held_out=True)
    plain = scenes.photograph_scenes(pictures, teacher)
    yield "photographs, longest side 640", plain
    yield "without people", list(scenes.empty_scenes([data / "media" / name for name in EMPTY]))
    for size in FACE_SIZES:
        yield f"faces of {size} px in 640x480", scenes.sized_face_scenes(pictures, teacher, size)
    for degrees in ROLLS:
        yield f"rolled by {degrees} degrees", scenes.turned_scenes(pictures, teacher, degrees)
    for low, high in pairwise(TURNS):
        some = scenes.turned_away(pictures, low, high)
        yield f"asymmetry from {low}", scenes.photograph_scenes(some, teacher)
    for gain in LIGHTS:
        yield f"{gain:g} of the light, noise 4", scenes.darkened(plain, gain, 4.0)
    for part, where in scenes.COVERS.items():
        yield f"{part} covered", scenes.covered(plain, where)


def _timed(data: Path) -> Iterator[tuple[str, list[Scene]]]:
    """(size, scenes): the photographs brought to each size of TIMED."""
    from edan_ros.datasets.archives import photographs
    from edan_ros.evaluation.detection_scenes import sized_scenes

    pictures = photographs(data / "landmarks68", held_out=True)
    for width, height in TIMED:
        yield f"{width}x{height}", sized_scenes(pictures, width, height)
