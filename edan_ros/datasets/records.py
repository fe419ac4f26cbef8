"""What every layout is read into: pictures of one face each, with what is known of it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.crops import Crop
from edan_ros.core.detectors import FullFrame
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.faces import Box, Detection
from edan_ros.core.images import Image
from edan_ros.datasets.errors import DataError

#: Endings of the files that are taken for pictures.
PICTURES = frozenset(
    {".bmp", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


@dataclass(frozen=True)
class Record:
    """One picture, and what its set says of the one face that it is about.

    name: unique in its set. read: returns the picture, uint8, (h, w) grey or (h, w, 3) BGR, and
    raises DataError where there is none. emotion: index into EMOTIONS, or None. target: (7,)
    distribution over EMOTIONS where a set knows more than one label. landmarks: (68, 2) pixels.
    points: (5, 2), as in ``Detection.points``. box: of the landmarks. agreement: share of those
    asked who said ``emotion``. Each is None where unknown.
    """

    name: str
    read: Callable[[], NDArray[np.uint8]]
    emotion: int | None = None
    target: NDArray[np.float32] | None = None
    landmarks: NDArray[np.float32] | None = None
    points: NDArray[np.float64] | None = None
    box: Box | None = None
    agreement: float | None = None

    @property
    def says_where(self) -> bool:
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
    records: list[Record]
    cropped: bool = False
    pseudo_landmarks: bool = False
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.records)

    def spread(self, count: int) -> FaceSet:
        """At most ``count`` of its records, evenly spread."""
        index = np.linspace(0, len(self) - 1, min(count, len(self))).astype(int)
        kept = [self.records[i] for i in index]
        return FaceSet(self.about, kept, self.cropped, self.pseudo_landmarks, self.notes)


def face_crop(record: Record, image: Image) -> Crop:
    """Where the set says that the face is: by landmarks, else five points, else a box.

    Where it says nothing the picture is taken to be cut to one face, as those of FER2013 are.
    """
    if record.landmarks is not None:
        try:
            return Crop.from_landmarks(record.landmarks)
        except ValueError as error:
            raise DataError(f"{record.name}: its landmarks make no crop: {error}") from error
    if record.points is not None:
        return Crop.from_detection(Detection(record.box or Box(0, 0, 0, 0), points=record.points))
    if record.box is not None:
        return Crop.from_detection(Detection(record.box))
    return Crop.from_detection(FullFrame().detect(image)[0])


def decode(data: bytes, name: str) -> NDArray[np.uint8]:
    """The picture of a file's bytes, grey or BGR. Raises DataError, which names it, if none.

    An alpha channel is dropped. Of 16 bits those in use are kept: scanners of 10 or 12 bits leave
    the highest empty.
    """
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{name} is not a picture of 8 or 16 bits that OpenCV reads")
    if pixels.dtype == np.uint16:
        pixels = pixels >> max(int(pixels.max()).bit_length() - 8, 0)
    return np.asarray(pixels, np.uint8)


def _read_file(path: Path) -> NDArray[np.uint8]:
    try:
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"cannot read the picture {path}: {error.strerror}") from error


def _read_zipped(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    try:
        return decode(archive.read(name), f"{archive.filename}: {name}")
    except KeyError as error:
        raise DataError(f"{archive.filename} holds no picture {name}") from error


def from_file(path: Path) -> Callable[[], NDArray[np.uint8]]:
    """For ``Record.read``: the picture of a file."""
    return partial(_read_file, path)


def from_zip(archive: zipfile.ZipFile, name: str) -> Callable[[], NDArray[np.uint8]]:
    """For ``Record.read``: a picture in an archive that stays open."""
    return partial(_read_zipped, archive, name)


def pictures_in(folder: Path) -> list[Path]:
    """All pictures in a folder and below, in order; hidden files and folders left out."""
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURES
        and not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
    )
    return sorted(found)


def the_folder(path: Path, *names: str) -> Path:
    """The first of some folders below ``path`` that is there.

    Raises DataError, which says what was expected, when none is.
    """
    for name in names:
        if (path / name).is_dir():
            return path / name
    raise DataError(f"{path} should hold the folder {' or '.join(names)}; {_what_is_in(path)}")


def the_file(path: Path, *names: str) -> Path:
    """The first of some files below ``path`` that is there. Raises DataError when none is."""
    for name in names:
        if (path / name).is_file():
            return path / name
    raise DataError(f"{path} should hold the file {' or '.join(names)}; {_what_is_in(path)}")


def _what_is_in(path: Path, most: int = 6) -> str:
    if not path.is_dir():
        return "it is no folder" if path.exists() else "there is no such folder"
    names = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    if not names:
        return "it is empty"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"it holds {', '.join(names[:most])}{more}"


def some(records: Iterable[Record], path: Path, expected: str) -> list[Record]:
    """The records as a list. Raises DataError, with what was expected, when there are none."""
    result = list(records)
    if not result:
        raise DataError(f"{path} should hold {expected}; {_what_is_in(path)}")
    return result


def choose(value: str, name: str, choices: Iterable[str]) -> str:
    """The value if it is one of the choices. Raises DataError, which lists them."""
    known = list(choices)
    if value not in known:
        raise DataError(f"{name} is {value!r}; it can be {', '.join(known)}")
    return value
