"""The form that every layout is read into: images of one face each, with annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Detection
from edan_ros.core.images import Image
from edan_ros.datasets.files import DataError, list_content
from edan_ros.detection.full_frame import FullFrame

T = TypeVar("T")


@dataclass(frozen=True)
class FaceSample:
    """One image of a data set with the annotation of one face.

    Annotations are None where the set has none.

    Attributes:
        name: unique in its set.
        read: returns the image, uint8, (h, w) grey or (h, w, 3) BGR; raises DataError if it
            cannot be read.
        emotion: index into EMOTIONS.
        target: (7,) distribution over EMOTIONS, of sets with more than one label per image.
        votes: (7,) share of the votes for each emotion, where ``target`` mixes in another label;
            class frequencies are counted by it.
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
    votes: NDArray[np.float32] | None = None

    @property
    def is_located(self) -> bool:
        """Whether the face's location in the image is annotated."""
        return not (self.landmarks is None and self.points is None and self.box is None)

    def image(self) -> Image:
        """Read the image. Raises DataError if it cannot be read."""
        pixels = self.read()
        return Image(pixels, "mono" if pixels.ndim == 2 else "bgr")

    def distribution(self, smoothing: float = 0.0) -> NDArray[np.float32]:
        """Return the (7,) training target; NaN without a label.

        smoothing: share of a single label that is spread over all emotions, 0 to 1; ``target``
            is returned as it is.
        """
        if self.target is not None:
            return self.target
        if self.emotion is None:
            return np.full(len(EMOTIONS), np.nan, np.float32)
        result = np.full(len(EMOTIONS), smoothing / len(EMOTIONS), np.float32)
        result[self.emotion] += 1.0 - smoothing
        return result

    def class_shares(self, smoothing: float = 0.0) -> NDArray[np.float32]:
        """Return (7,) shares by which class frequencies are counted; NaN without a label."""
        return self.distribution(smoothing) if self.votes is None else self.votes


@dataclass
class FaceSet:
    """A data set or a part of one.

    Attributes:
        about: which part, and which labels.
        samples: its images.
        cropped: the images are cropped to the face.
        pseudo_landmarks: the landmarks were made by a model.
        notes: what was left out, and why.
    """

    about: str
    samples: list[FaceSample]
    cropped: bool = False
    pseudo_landmarks: bool = False
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.samples)

    def subset(self, count: int) -> FaceSet:
        """Return at most ``count`` of the samples, evenly spaced."""
        return replace(self, samples=evenly_spaced(self.samples, count))

    def check(self, tries: int = 9) -> None:
        """Read a few of the images. Raises DataError if none of them can be read."""
        errors = []
        for sample in self.subset(tries).samples:
            try:
                sample.read()
                return
            except DataError as error:
                errors.append(error)
        raise DataError(f"none of {len(errors)} images that were tried can be read: {errors[0]}")


def evenly_spaced(items: Sequence[T], count: int) -> list[T]:
    """Return at most ``count`` of the items, evenly spaced."""
    index = np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)
    return [items[i] for i in index]


def face_crop(sample: FaceSample, image: Image) -> Crop:
    """Return the crop of the annotated face: of its landmarks, else five points, else box.

    An image without annotation counts as cropped to one face. Raises DataError for degenerate
    landmarks.
    """
    if sample.landmarks is not None:
        try:
            return Crop.from_landmarks(sample.landmarks)
        except ValueError as error:
            raise DataError(f"{sample.name}: its landmarks make no crop: {error}") from error
    if sample.points is not None:
        return Detection(sample.box or Box(0, 0, 0, 0), points=sample.points).crop()
    if sample.box is not None:
        return Detection(sample.box).crop()
    return FullFrame().detect(image)[0].crop()


def require_samples(samples: Iterable[FaceSample], path: Path, expected: str) -> list[FaceSample]:
    """Return the samples as a list. Raises DataError, with what was expected, without any."""
    result = list(samples)
    if not result:
        raise DataError(f"{path} should hold {expected}; {list_content(path)}")
    return result


def check_choice(value: str, name: str, choices: Iterable[str]) -> str:
    """Return the value if it is one of the choices. Raises DataError with the choices if not."""
    known = list(choices)
    if value not in known:
        raise DataError(f"{name} is {value!r}; use {', '.join(known)}")
    return value


def left_out_notes(counts: Mapping[str, int]) -> list[str]:
    """Return the notes on what was left out, from counts by kind."""
    return [f"left out: {kind} ({count})" for kind, count in counts.items() if count]
