"""Comparison of face detectors on images that they were not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from edan_ros.core.wording import markdown_table
from edan_ros.datasets.archives import photographs, read_ytf68
from edan_ros.datasets.face_set import evenly_spaced
from edan_ros.detection.base import Detector, DetectorError
from edan_ros.detection.factory import create_detector
from edan_ros.evaluation import detection_scenes as scenes
from edan_ros.evaluation.detection import DetectionScene, evaluate_detector
from edan_ros.evaluation.distortions import asymmetry
from edan_ros.evaluation.tables import decimal

#: Model of YuNet in the data folder; it finds the faces that are not annotated, too.
YUNET = "detectors/yunet_n_640.onnx"
#: Fields of DetectionMetrics and their titles.
METRICS = {"recall": "recall", "false_positives": "false", "clean": "clean"}
#: Files of the folder ``media`` without people.
EMPTY = ("no_face.mp4", "photos/no_faces.jpg", "photos/dogs.jpg")
FACE_SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256)
ROLLS = (15, 30, 45, 60)
#: Angles to which heads are rotated, in degrees; pitches are positive down.
YAWS, PITCHES = (15, 30, 45, 60), (-30, -15, 15, 30, 45)
#: Asymmetries of the landmarks, 0 frontal to 1 profile, between the groups of heads.
ASYMMETRIES = (0.0, 0.2, 0.4, float("inf"))
FRAME_ASYMMETRIES = (0.0, 0.3, 0.6, float("inf"))
#: Gains on the grey levels, with sensor noise of NOISE levels.
GAINS, NOISE = (2.0, 0.5, 0.25, 0.1), 4.0
#: Widths and heights at which the time per image is measured.
TIMED_SIZES = ((320, 240), (640, 480))
#: Scenes that are not timed: a detector allocates memory for each new size.
_WARM_UP = 5


def compare_detectors(
    data: Path, names: Sequence[str], threshold: float, max_images: int | None = None
) -> Iterator[str]:
    """Yield the lines of two tables: recall and false positives, and time per image.

    Args:
        data: folder with ``landmarks68``, ``media`` and the YuNet model. With ``ytf68`` there are
            rows of video frames, too.
        names: of detectors, or paths of .onnx files; those not available here are left out.
        threshold: score of a face, 0 to 1.
        max_images: evaluate at most this many images of each kind, evenly spaced.

    Raises:
        DataError: if a data set is missing.
    """
    yunet = str(data / YUNET)
    teacher = create_detector("yunet", model_path=yunet, score_threshold=0.3, min_face=0.0)
    detectors: dict[str, Detector] = {}
    for name in names:
        try:
            detectors[Path(name).stem] = _create(name, yunet, threshold)
        except DetectorError as error:
            yield f"{name} is left out: {error}"
    columns = [f"{title} {name}" for title in METRICS.values() for name in detectors]
    images = photographs(data / "landmarks68", held_out=True)
    if max_images is not None:
        images = evenly_spaced(images, max_images)
    rows = (
        (title, len(group), *_cells(detectors.values(), group))
        for title, group in _groups(data, images, teacher, max_images)
    )
    yield from markdown_table(("scenes", "images", *columns), rows, first=32)
    yield ""
    times = []
    for width, height in TIMED_SIZES:
        group = scenes.timing_scenes(images, width, height)
        for detector in detectors.values():
            evaluate_detector(detector, group[:_WARM_UP])
        spent = [evaluate_detector(each, group).milliseconds for each in detectors.values()]
        times.append((f"{width}x{height}", *(f"{time:.1f}" for time in spent)))
    yield from markdown_table(("ms per image of", *detectors), times)


def _cells(detectors: Iterable[Detector], group: Sequence[DetectionScene]) -> list[str]:
    metrics = [evaluate_detector(detector, group) for detector in detectors]
    return [decimal(getattr(each, field)) for field in METRICS for each in metrics]


def _create(name: str, yunet: str, threshold: float) -> Detector:
    own = name.endswith(".onnx")
    return create_detector(
        "edan" if own else name,
        model_path=yunet if name == "yunet" else (name if own else ""),
        score_threshold=threshold,
        min_face=8.0,
    )


def _groups(
    data: Path,
    images: Sequence[scenes.Photograph],
    teacher: Detector,
    max_images: int | None,
) -> Iterator[tuple[str, list[DetectionScene]]]:
    """Yield (title, scenes) one after the other, so that only one group is in memory."""
    plain = scenes.photograph_scenes(images, teacher)
    yield "photographs, longest side 640", plain
    empty = list(scenes.empty_scenes([data / "media" / name for name in EMPTY]))
    yield "without people", empty if max_images is None else evenly_spaced(empty, max_images)
    for size in FACE_SIZES:
        yield f"faces of {size} px in 640x480", scenes.face_size_scenes(images, teacher, size)
    for degrees in ROLLS:
        yield f"rolled by {degrees} degrees", scenes.rotated_scenes(images, teacher, degrees)
    for yaw in YAWS:
        if turned := scenes.head_rotation_scenes(images, teacher, yaw=yaw):
            yield f"turned to a yaw of {yaw} degrees", turned
    for pitch in PITCHES:
        if moved := scenes.head_rotation_scenes(images, teacher, pitch=pitch):
            verb = "raised" if pitch < 0 else "bowed"
            yield f"{verb} to a pitch of {abs(pitch)} degrees", moved
    yield from _by_asymmetry("asymmetry", images, ASYMMETRIES, teacher)
    if (data / "ytf68").is_dir():
        frames = _video_frames(data / "ytf68", max_images)
        yield from _by_asymmetry("video frames, asymmetry", frames, FRAME_ASYMMETRIES, teacher)
    for gain in GAINS:
        yield f"{gain:g} of the light, noise 4", scenes.darken(plain, gain, NOISE)
    for title, part in scenes.OCCLUSIONS.items():
        yield f"{title} covered", scenes.occlude(plain, part)


def _by_asymmetry(
    title: str,
    images: Sequence[scenes.Photograph],
    limits: Sequence[float],
    teacher: Detector,
) -> Iterator[tuple[str, list[DetectionScene]]]:
    for low, high in pairwise(limits):
        group = [image for image in images if low <= asymmetry(image[1]) < high]
        if group:
            yield f"{title} from {low}", scenes.photograph_scenes(group, teacher)


def _video_frames(folder: Path, max_images: int | None) -> list[scenes.Photograph]:
    """Return frames of people who are not in the training data of the detector."""
    samples = read_ytf68(folder, part="held_out").samples
    return [
        (sample.image().bgr(), sample.landmarks)
        for sample in (samples if max_images is None else evenly_spaced(samples, max_images))
        if sample.landmarks is not None
    ]
