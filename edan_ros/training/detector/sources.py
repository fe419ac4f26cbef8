"""Pictures with every face in them, for training the face detector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
from edan_ros.datasets import DataError, read
from edan_ros.datasets.archives import photographs
from edan_ros.detection.yunet import YuNet
from edan_ros.training.common.errors import ConfigError

#: The teacher is shown pictures of this longest side, so that it also sees small faces.
TEACHER_SIDE = 640
#: Boxes that the teacher is less sure of are neither faces nor background.
LOWEST_SCORE = 0.25
#: Pictures without people are kept at this longest side at most.
NOBODY_SIDE = 640
#: Of a clip without people one frame in so many is taken: neighbours hardly differ.
EACH_FRAME = 4
#: Overlap from which the teacher means the annotated face.
SAME_FACE = 0.25


@dataclass
class Picture:
    """A grey picture and its faces, in pixels of the picture.

    levels: the picture and its halvings, (h, w) uint8. outlines: (k, 68, 2), of which the tight
    box counts. points: (k, 5, 2) as in ``Detection.points``. unsure: (m, 4) x, y, width, height
    of regions that may hold a face. framed: whether more than the face is to be seen.
    """

    levels: list[NDArray[np.uint8]]
    outlines: NDArray[np.float32]
    points: NDArray[np.float32]
    unsure: NDArray[np.float32]
    framed: bool = True


def halvings(gray: NDArray[np.uint8], smallest: int = 12) -> list[NDArray[np.uint8]]:
    """The picture and each half of the one before, while both sides are ``smallest`` or more."""
    levels = [gray]
    while min(levels[-1].shape) >= 2 * smallest:
        height, width = levels[-1].shape
        size = (width // 2, height // 2)
        levels.append(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA))
    return levels


def labelled(
    gray: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    others: list[Detection],
    certain: float,
) -> Picture:
    """A picture with the annotated face and those others that the teacher found.

    Of ``others`` those of score ``certain`` and more become faces and the rest unsure regions;
    what overlaps the annotated face is that face.
    """
    own = Box.from_landmarks(landmarks)
    outlines, points, unsure = [landmarks], [five_points(landmarks)], []
    for found in others:
        if found.box.iou(own) >= SAME_FACE:
            continue
        if found.score >= certain and found.points is not None:
            outlines.append(_outline(found.box, found.points))
            points.append(found.points)
        else:
            unsure.append((found.box.x, found.box.y, found.box.width, found.box.height))
    return Picture(
        halvings(gray),
        np.asarray(outlines, np.float32),
        np.asarray(points, np.float32),
        np.asarray(unsure, np.float32).reshape(-1, 4),
    )


def _outline(box: Box, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """68 points that turn with the five points and fill the box: the mean shape, stretched."""
    matrix, center = similarity(five_points(MEAN_SHAPE), points)
    shape = MEAN_SHAPE @ matrix + center
    low, high = shape.min(axis=0), shape.max(axis=0)
    shape = (shape - low) / (high - low) * (box.width, box.height) + (box.x, box.y)
    return shape.astype(np.float32)


class Teacher:
    """YuNet on a picture enlarged or reduced to a fixed longest side."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise DataError(f"the teacher finds the faces without labels: no YuNet file {model}")
        self._yunet = YuNet(str(model), LOWEST_SCORE, 0.0, TEACHER_SIDE)

    def __call__(self, image: NDArray[np.uint8], side: int = TEACHER_SIDE) -> list[Detection]:
        """Faces of a grey or BGR picture, in its pixels, with boxes of the landmarks."""
        scale = side / max(image.shape[:2])
        big = cv2.resize(image, None, fx=scale, fy=scale)
        if big.ndim == 2:
            big = cv2.cvtColor(big, cv2.COLOR_GRAY2BGR)
        return [_shrunk(d, scale) for d in self._yunet.detect(Image(big, "bgr"))]


def _shrunk(found: Detection, scale: float) -> Detection:
    box = found.box
    x, y = (box.x + 0.5) / scale - 0.5, (box.y + 0.5) / scale - 0.5
    small = Box(x, y, box.width / scale, box.height / scale)
    assert found.points is not None
    return Detection(small, found.score, found.roll, (found.points + 0.5) / scale - 0.5)


def load_pictures(data: dict[str, dict[str, Any]], root: Path) -> dict[str, list[Picture]]:
    """Every set that a configuration names, from its folder under ``root``.

    ``teacher`` names the model and the score from which its boxes are faces; of ``muxspace`` and
    ``fer2013`` ``pictures`` are taken, evenly spread. ``nobody`` names pictures without people:
    ``files`` under ``root``, each with the part of its width to take, ``clips``, each with the part
    of its time to take, and ``packages``, pictures that Python packages carry.
    """
    options = dict(data)
    teacher_options = options.pop("teacher", None)
    if teacher_options is None:
        raise ConfigError("data: teacher is missing: it finds the faces that have no labels")
    teacher = Teacher(root / teacher_options["model"])
    certain = float(teacher_options["certain"])
    nobody = options.pop("nobody", None)
    readers_by_name = {"landmarks68": _photographs, "muxspace": _muxspace, "fer2013": _fer2013}
    unknown = sorted(set(options) - set(readers_by_name))
    if unknown:
        raise ConfigError(f"data: no reader for {', '.join(unknown)}")
    pictures = {
        name: list(readers_by_name[name](root / name, teacher, certain, **values))
        for name, values in options.items()
    }
    if nobody is not None:
        pictures["nobody"] = list(_nobody(root, **nobody))
    return pictures


def _nobody(
    root: Path,
    files: dict[str, tuple[float, float]],
    packages: dict[str, list[str]],
    clips: dict[str, tuple[float, float]] | None = None,
) -> Iterator[Picture]:
    """Pictures in which a detector should find nothing; no teacher is asked."""
    for name, (left, right) in files.items():
        gray = _read_gray(root / name)
        width = gray.shape[1]
        yield _without_faces(gray[:, round(left * width) : round(right * width)])
    for name, (start, end) in (clips or {}).items():
        frames = _frames(root / name)
        for gray in frames[round(start * len(frames)) : round(end * len(frames)) : EACH_FRAME]:
            yield _without_faces(gray)
    for package, names in packages.items():
        for name in names:
            try:
                path = Path(str(resources.files(package) / name))
            except ModuleNotFoundError as error:
                raise DataError(f"nobody: the package {package} is not installed") from error
            yield _without_faces(_read_gray(path))


def _frames(path: Path) -> list[NDArray[np.uint8]]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(_reduced(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY)))
    capture.release()
    if not frames:
        raise DataError(f"nobody: {path} is missing or no clip")
    return frames


def _read_gray(path: Path) -> NDArray[np.uint8]:
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise DataError(f"nobody: {path} is missing or no picture")
    return _reduced(gray)


def _reduced(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = NOBODY_SIDE / max(gray.shape)
    if scale < 1.0:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(gray, np.uint8)


def _without_faces(gray: NDArray[np.uint8]) -> Picture:
    nothing = np.empty((0, 68, 2), np.float32), np.empty((0, 5, 2), np.float32)
    return Picture(halvings(gray), *nothing, np.empty((0, 4), np.float32))


def _photographs(folder: Path, teacher: Teacher, certain: float) -> Iterator[Picture]:
    for image, landmarks in photographs(folder, held_out=False):
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        yield labelled(gray, landmarks, teacher(image), certain)


def _muxspace(folder: Path, teacher: Teacher, certain: float, pictures: int) -> Iterator[Picture]:
    for record in read("muxspace", folder).subset(pictures).samples:
        image = record.image().gray()
        yield labelled(image, record.landmarks, teacher(image, side=256), certain)


def _fer2013(folder: Path, teacher: Teacher, certain: float, pictures: int) -> Iterator[Picture]:
    """Pictures cut to the face: the teacher has nothing to add, and there is no background."""
    del teacher, certain
    faces = read("fer2013", folder, training=True)
    faces.samples = [record for record in faces.samples if record.landmarks is not None]
    for record in faces.subset(pictures).samples:
        landmarks = record.landmarks
        yield Picture(
            halvings(record.image().gray()),
            landmarks[None],
            five_points(landmarks)[None].astype(np.float32),
            np.empty((0, 4), np.float32),
            framed=False,
        )
