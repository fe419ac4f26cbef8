"""``edan evaluate detector``: the detectors side by side on pictures not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edan_ros.core.detectors import Detector
    from edan_ros.evaluation.detection import Scene

YUNET = "detectors/yunet_n_640.onnx"
#: Files of the folder `media` in which nobody is to be seen.
EMPTY = ("no_face.mp4", "photos/no_faces.jpg", "photos/dogs.jpg")
FACE_SIZES = (16, 24, 32, 48, 64)
ROLLS = (15, 30, 45)
#: Widths and heights at which the time of an image is taken.
TIMED = ((320, 240), (640, 480))


def compare(data: Path, names: Sequence[str], threshold: float) -> int:
    """Print what detectors of a score ``threshold`` (0 to 1) find in the sets of a folder."""
    from edan_ros.engines.detector_engine import create_detector
    from edan_ros.evaluation.detection import evaluate

    yunet = str(data / YUNET)
    teacher = create_detector("yunet", model_path=yunet, score_threshold=0.3, min_face=0.0)
    detectors = _detectors(data, names, threshold)
    print("| images | detector | n | recall | false boxes | clean | overlap | ms |")
    print("|---|---|---|---|---|---|---|---|")
    for title, scenes in _sets(data, teacher):
        for name, detector in detectors.items():
            figures = evaluate(detector, scenes)
            print(
                f"| {title} | {name} | {figures.images} | {figures.recall:.3f} | "
                f"{figures.false_boxes:.3f} | {figures.clean:.3f} | {figures.overlap:.3f} | "
                f"{figures.milliseconds:.1f} |",
                flush=True,
            )
    print("\n| size | detector | ms |\n|---|---|---|")
    for title, scenes in _timed(data):
        for name, detector in detectors.items():
            evaluate(detector, scenes[:5])  # the first runs of a size allocate memory
            print(f"| {title} | {name} | {evaluate(detector, scenes).milliseconds:.1f} |")
    return 0


def _detectors(data: Path, names: Sequence[str], threshold: float) -> dict[str, Detector]:
    """What ``--names`` asks for and this machine can make, by name."""
    from edan_ros.core.detectors import DetectorError
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
    from edan_ros.datasets.shared import photographs
    from edan_ros.evaluation import detection_scenes as scenes

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


def _timed(data: Path) -> Iterator[tuple[str, list[Scene]]]:
    """(size, scenes): the photographs brought to each size of TIMED."""
    from edan_ros.datasets.shared import photographs
    from edan_ros.evaluation.detection_scenes import sized_scenes

    pictures = photographs(data / "landmarks68", held_out=True)
    for width, height in TIMED:
        yield f"{width}x{height}", sized_scenes(pictures, width, height)
