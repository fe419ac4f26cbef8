"""Source images of the detector's training canvases, with every face in them annotated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.crops import five_points
from edan_ros.core.faces import Detection
from edan_ros.core.geometry import MEAN_SHAPE, similarity
from edan_ros.core.images import Image
from edan_ros.datasets import DataError, FaceSample, read
from edan_ros.datasets.archives import photographs, read_ytf68
from edan_ros.detection.yunet import YuNet
from edan_ros.sources import SourceError, create_source
from edan_ros.training.common.config import ConfigError
from edan_ros.training.detector.head_views import head_views

#: Longest side of images for the teacher, in pixels; enlarged, it also finds small faces.
TEACHER_SIDE = 640
#: Score below which the teacher's boxes are discarded.
LOWEST_SCORE = 0.25
#: Longest side of images without people, in pixels.
BACKGROUND_SIDE = 640
#: Only every n-th frame of a clip without people is used: neighbours hardly differ.
FRAME_STEP = 4
#: IoU from which a box of the teacher is the annotated face.
SAME_FACE = 0.25


@dataclass
class SourceImage:
    """A grey image and its faces, in pixels of the image.

    Attributes:
        levels: image pyramid, (h, w) uint8, each level half as large as the one before.
        outlines: (k, 68, 2) landmarks, whose tight box is the face's box.
        points: (k, 5, 2) as in ``Detection.points``.
        ignore: (m, 4) boxes of regions that may hold a face.
        framed: whether the image shows more than the face.
        hard: (h, 4) boxes without a face that a detector takes for one.
    """

    levels: list[NDArray[np.uint8]]
    outlines: NDArray[np.float32]
    points: NDArray[np.float32]
    ignore: NDArray[np.float32]
    framed: bool = True
    hard: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 4), np.float32))

    @staticmethod
    def without_faces(gray: NDArray[np.uint8]) -> SourceImage:
        """Return an image in which nothing is a face."""
        return SourceImage(
            pyramid(gray),
            np.empty((0, 68, 2), np.float32),
            np.empty((0, 5, 2), np.float32),
            np.empty((0, 4), np.float32),
        )


def pyramid(gray: NDArray[np.uint8], smallest: int = 12) -> list[NDArray[np.uint8]]:
    """Return the image and its halvings, whose sides are at least ``smallest`` pixels."""
    levels = [gray]
    while min(levels[-1].shape) >= 2 * smallest:
        height, width = levels[-1].shape
        half = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, np.uint8))
    return levels


def annotate(
    gray: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    detections: list[Detection],
    min_score: float,
) -> SourceImage:
    """Return an image with its annotated face and those that the teacher detects.

    Detections from ``min_score`` on become faces, others regions to ignore. Those that overlap
    the annotated face are that face.
    """
    own = Box.from_landmarks(landmarks)
    outlines, points, ignore = [landmarks], [five_points(landmarks)], []
    for found in detections:
        if found.box.iou(own) >= SAME_FACE:
            continue
        if found.score >= min_score and found.points is not None:
            outlines.append(_outline(found.box, found.points))
            points.append(found.points)
        else:
            ignore.append((found.box.x, found.box.y, found.box.width, found.box.height))
    return SourceImage(
        pyramid(gray),
        np.asarray(outlines, np.float32),
        np.asarray(points, np.float32),
        np.asarray(ignore, np.float32).reshape(-1, 4),
    )


def _outline(box: Box, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean shape (68, 2) with the roll of five points, stretched to the box."""
    matrix, center = similarity(five_points(MEAN_SHAPE), points)
    shape = MEAN_SHAPE @ matrix + center
    low, high = shape.min(axis=0), shape.max(axis=0)
    shape = (shape - low) / (high - low) * (box.width, box.height) + (box.x, box.y)
    return np.asarray(shape, np.float32)


class TeacherDetector:
    """YuNet on images that are resized to a fixed longest side.

    Raises DataError when there is no model file.
    """

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise DataError(f"there is no YuNet file {model}: it detects the unlabelled faces")
        self._yunet = YuNet(str(model), LOWEST_SCORE, 0.0, TEACHER_SIDE)

    def __call__(self, image: NDArray[np.uint8], side: int = TEACHER_SIDE) -> list[Detection]:
        """Return the faces of a grey or BGR image in its pixels, with boxes of the landmarks."""
        scale = side / max(image.shape[:2])
        resized = cv2.resize(image, None, fx=scale, fy=scale)
        if resized.ndim == 2:
            resized = cv2.cvtColor(resized, cv2.COLOR_GRAY2BGR)
        detections = self._yunet.detect(Image(np.asarray(resized, np.uint8), "bgr"))
        return [_rescale(found, scale) for found in detections]


def _rescale(found: Detection, scale: float) -> Detection:
    """Return a detection in an image enlarged by ``scale``, in pixels of the original."""
    box = found.box
    x, y = (box.x + 0.5) / scale - 0.5, (box.y + 0.5) / scale - 0.5
    small = Box(x, y, box.width / scale, box.height / scale)
    assert found.points is not None
    return Detection(small, found.score, found.roll, (found.points + 0.5) / scale - 0.5)


def load_source_images(data: dict[str, dict[str, Any]], root: Path) -> dict[str, list[SourceImage]]:
    """Load every data set of a configuration from its folder under ``root``.

    Args:
        data: name -> entries. ``teacher``: ``model``, and the ``min_score`` from which its
            detections are faces. ``landmarks68`` and ``ytf68``. ``head_views``: photographs of
            landmarks68 in the views of :func:`head_views`, with its arguments and a ``seed``.
            ``muxspace`` and ``fer2013``: ``max_images``, evenly spread. ``background_images``: see
            :func:`background_images`.
        root: folder of the data sets.

    Raises:
        ConfigError: for a missing teacher or an unknown data set.
        DataError: for a data set that cannot be read.
    """
    entries = dict(data)
    teacher_options = entries.pop("teacher", None)
    if teacher_options is None:
        raise ConfigError("data: teacher is missing: it detects the unlabelled faces")
    teacher = TeacherDetector(root / teacher_options["model"])
    min_score = float(teacher_options["min_score"])
    background = entries.pop("background_images", None)
    readers = {
        "landmarks68": _read_landmarks68,
        "head_views": _read_head_views,
        "ytf68": _read_ytf68,
        "muxspace": _read_muxspace,
        "fer2013": _read_fer2013,
    }
    unknown = sorted(set(entries) - set(readers))
    if unknown:
        raise ConfigError(f"data: no reader for {', '.join(unknown)}; known: {', '.join(readers)}")
    images: dict[str, list[SourceImage]] = {}
    for name, options in entries.items():
        reader: Any = readers[name]
        images[name] = list(reader(root / name, teacher, min_score, **options))
    if background is not None:
        images["background_images"] = list(background_images(root, **background))
    return images


def background_images(
    root: Path,
    files: dict[str, tuple[float, float]],
    packages: dict[str, list[str]],
    clips: dict[str, tuple[float, float]] | None = None,
) -> Iterator[SourceImage]:
    """Yield images without people.

    Args:
        root: folder of files and clips.
        files: images, each with the part of its width to use (from, to; 0 to 1).
        packages: images that come with Python packages.
        clips: videos, each with the part of its length to use.

    Raises:
        DataError: for what cannot be read, and for a package that is not installed.
    """
    for name, (left, right) in files.items():
        (gray,) = _read_frames(root / name)
        width = gray.shape[1]
        part = gray[:, round(left * width) : round(right * width)]
        yield SourceImage.without_faces(part)
    for name, (start, end) in (clips or {}).items():
        frames = _read_frames(root / name)
        for gray in frames[round(start * len(frames)) : round(end * len(frames)) : FRAME_STEP]:
            yield SourceImage.without_faces(gray)
    for package, names in packages.items():
        for name in names:
            try:
                path = Path(str(resources.files(package) / name))
            except ModuleNotFoundError as error:
                raise DataError(
                    f"background_images: the package {package} is not installed"
                ) from error
            yield from map(SourceImage.without_faces, _read_frames(path))


def _read_frames(path: Path) -> list[NDArray[np.uint8]]:
    """Return the grey frames of a video or an image, (h, w), at most BACKGROUND_SIDE a side."""
    try:
        return [_limit_size(frame.image.gray()) for frame in create_source(str(path)).frames()]
    except SourceError as error:
        raise DataError(f"background_images: {error}") from error


def _limit_size(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = BACKGROUND_SIDE / max(gray.shape)
    if scale >= 1.0:
        return gray
    resized = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def _read_landmarks68(
    folder: Path, teacher: TeacherDetector, min_score: float
) -> Iterator[SourceImage]:
    for image, landmarks in photographs(folder, held_out=False):
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        yield annotate(gray, landmarks, teacher(image), min_score)


def _read_head_views(
    folder: Path, teacher: TeacherDetector, min_score: float, seed: int, **options: Any
) -> Iterator[SourceImage]:
    rng = np.random.default_rng(seed)
    for image, landmarks in photographs(folder.with_name("landmarks68"), held_out=False):
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        for view, points in head_views(gray, landmarks, rng, **options):
            yield annotate(view, points, teacher(view, side=max(view.shape)), min_score)


def _read_ytf68(folder: Path, teacher: TeacherDetector, min_score: float) -> Iterator[SourceImage]:
    for sample in read_ytf68(folder, part="train").samples:
        assert sample.landmarks is not None
        gray = sample.image().gray()
        yield annotate(gray, sample.landmarks, teacher(gray, side=max(gray.shape)), min_score)


def _read_muxspace(
    folder: Path, teacher: TeacherDetector, min_score: float, max_images: int
) -> Iterator[SourceImage]:
    for sample, landmarks in _with_landmarks("muxspace", folder, max_images):
        gray = sample.image().gray()
        yield annotate(gray, landmarks, teacher(gray, side=256), min_score)


def _read_fer2013(
    folder: Path, _teacher: TeacherDetector, _min_score: float, max_images: int
) -> Iterator[SourceImage]:
    """Yield images cropped to the face, without background and other faces."""
    for sample, landmarks in _with_landmarks("fer2013", folder, max_images, training=True):
        yield SourceImage(
            pyramid(sample.image().gray()),
            landmarks[None],
            five_points(landmarks)[None].astype(np.float32),
            np.empty((0, 4), np.float32),
            framed=False,
        )


def _with_landmarks(
    layout: str, folder: Path, max_images: int, **options: Any
) -> Iterator[tuple[FaceSample, NDArray[np.float32]]]:
    faces = read(layout, folder, **options)
    faces.samples = [sample for sample in faces.samples if sample.landmarks is not None]
    for sample in faces.subset(max_images).samples:
        assert sample.landmarks is not None
        yield sample, sample.landmarks
