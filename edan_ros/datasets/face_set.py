"""What every layout is read into: pictures of one face each, with what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.datasets.errors import DataError
from edan_ros.datasets.files import list_content
from edan_ros.detection.full_frame import FullFrame


@dataclass(frozen=True)
class FaceSample:
    """One image of a data set with the annotation of one face.

    Annotations are None where the set has none.

    Attributes:
        name: unique in its set.
        read: returns the image, uint8, (h, w) gray or (h, w, 3) BGR; raises DataError if it
            cannot be read.
        emotion: index into EMOTIONS.
        target: (7,) distribution over EMOTIONS, of sets with more than one label an image.
        landmarks: (68, 2) pixels, centres at integers.
        points: (5, 2) pixels, as in ``Detection.points``.
        box: of the landmarks.
        agreement: share of the annotators who chose ``emotion``.
        sparse_landmarks: (68, 2) pixels, NaN for landmarks that the set does not annotate; for
            evaluation only.
        attributes: of the person, by name: ``person`` (who it is), ``sex``, ``age`` in years,
            ``ethnicity``; those unknown are absent.
    """

    name: str
    read: Callable[[], NDArray[np.uint8]]
    emotion: int | None = None
    target: NDArray[np.float32] | None = None
    landmarks: NDArray[np.float32] | None = None
    points: NDArray[np.float64] | None = None
    box: Box | None = None
    agreement: float | None = None
    sparse_landmarks: NDArray[np.float32] | None = None
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def is_located(self) -> bool:
        """Whether the set says where in the picture the face is."""
        return not (self.landmarks is None and self.points is None and self.box is None)

    def image(self) -> Image:
        """The picture with the meaning of its channels."""
        pixels = self.read()
        return Image(pixels, "mono" if pixels.ndim == 2 else "bgr")

    def distribution(self, smoothing: float = 0.0) -> NDArray[np.float32]:
        """(7,) what training aims at; NaN where nothing is known.

        A label becomes 1 - ``smoothing`` for itself and the rest shared by all; a ``target`` is
        taken as it is.
        """
        if self.target is not None:
            return self.target
        if self.emotion is None:
            return np.full(len(EMOTIONS), np.nan, np.float32)
        result = np.full(len(EMOTIONS), smoothing / len(EMOTIONS), np.float32)
        result[self.emotion] += 1.0 - smoothing
        return result


@dataclass
class FaceSet:
    """A data set, or a part of one.

    about: which part, and which labels. cropped: its owners have cut the pictures to the face.
    pseudo_landmarks: its landmarks were made by a model. notes: what was left out, and why.
    """

    about: str
    samples: list[FaceSample]
    cropped: bool = False
    pseudo_landmarks: bool = False
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.samples)

    def subset(self, count: int) -> FaceSet:
        """At most ``count`` of its records, evenly spread."""
        index = np.linspace(0, len(self) - 1, min(count, len(self))).astype(int)
        kept = [self.samples[i] for i in index]
        return FaceSet(self.about, kept, self.cropped, self.pseudo_landmarks, self.notes)

    def check(self, tried: int = 9) -> None:
        """Try to read a few of the pictures. Raises DataError when none of them can be."""
        failed = []
        for record in self.subset(tried).samples:
            try:
                record.read()
                return
            except DataError as error:
                failed.append(error)
        raise DataError(f"none of {len(failed)} images that were tried can be read: {failed[0]}")


def face_crop(record: FaceSample, image: Image) -> Crop:
    """Where the set says that the face is: by landmarks, else five points, else a box.

    Where it says nothing the picture is taken to be cut to one face, as those of FER2013 are.
    """
    if record.landmarks is not None:
        try:
            return Crop.from_landmarks(record.landmarks)
        except ValueError as error:
            raise DataError(f"{record.name}: its landmarks make no crop: {error}") from error
    if record.points is not None:
        return Detection(record.box or Box(0, 0, 0, 0), points=record.points).crop()
    if record.box is not None:
        return Crop.from_box(record.box)
    return FullFrame().detect(image)[0].crop()


def require_samples(records: Iterable[FaceSample], path: Path, expected: str) -> list[FaceSample]:
    """The records as a list. Raises DataError, with what was expected, when there are none."""
    result = list(records)
    if not result:
        raise DataError(f"{path} should hold {expected}; {list_content(path)}")
    return result


def check_choice(value: str, name: str, choices: Iterable[str]) -> str:
    """The value if it is one of the choices. Raises DataError, which lists them."""
    known = list(choices)
    if value not in known:
        raise DataError(f"{name} is {value!r}; it can be {', '.join(known)}")
    return value
