"""Conversion of published data sets to archives of small images (``archives``).

Each function reads the originals that the user has downloaded and writes ``images.zip`` and
``labels.npz``. Nothing is downloaded.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.geometry import NUM_LANDMARKS
from edan_ros.core.images import Image
from edan_ros.datasets import labels as maps
from edan_ros.datasets.archives import CORNER, YTF68_ORIGIN
from edan_ros.datasets.face_set import left_out_notes
from edan_ros.datasets.files import DataError, files_in, find_folder, from_file
from edan_ros.datasets.pixel_table import read_table
from edan_ros.datasets.pts_files import image_beside, read_pts

T = TypeVar("T")
#: Wraps the items that are converted, to report progress.
Progress = Callable[[Sequence[T]], Iterable[T]]
#: Returns (68, 2) landmarks in pixels, centres at integers; None without a face.
FindLandmarks = Callable[[Image], "NDArray[np.floating] | None"]

#: Longest sides of the stored images in pixels.
LANDMARKS68_SIDE, MUXSPACE_SIDE, YTF68_SIDE = 416, 128, 288
#: Frames of a video of YouTube Faces, evenly spaced.
FRAMES_PER_VIDEO = 3
_JPEG_QUALITY = 95
#: Collections of 300-W, whose names become part of the image names.
_COLLECTIONS = ("helen", "afw", "lfpw", "ibug", "300w")
#: Those whose file names end in the number of the face in its photograph.
_FACES_NUMBERED = ("helen", "afw", "ibug")
#: Folders of 300-W that are reserved for tests.
_TEST_FOLDERS = ("testset",)


@dataclass
class Prepared:
    """A converted data set. notes: what was left out, and why."""

    images: int
    notes: list[str] = field(default_factory=list)


class _ArchiveWriter:
    """Writes a set to a folder; its files appear when all images are written."""

    def __init__(self, folder: Path) -> None:
        for name in ("images.zip", "labels.npz"):
            if (folder / name).exists():
                raise DataError(f"{folder} already holds {name}; give another folder")
        self.names: list[str] = []
        self._folder = folder
        self._unfinished = folder / "images.zip.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._archive = zipfile.ZipFile(self._unfinished, "w")
        except OSError as error:
            raise DataError(f"the folder {folder} cannot be written: {error.strerror}") from error

    def __enter__(self) -> _ArchiveWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
        self._unfinished.unlink(missing_ok=True)

    def add(self, name: str, pixels: NDArray[np.uint8]) -> None:
        """Append an image as JPEG."""
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
        # An entry without a time, so that the archive depends on the originals alone.
        self._archive.writestr(zipfile.ZipInfo(name), data.tobytes())
        self.names.append(name)

    def finish(self, expected: str, **labels: NDArray[Any]) -> Prepared:
        """Write the labels. Raises DataError with what was expected if there are no images."""
        if not self.names:
            raise DataError(expected)
        labels["name"] = np.array(self.names)
        np.savez_compressed(self._folder / "labels.npz", **labels)  # type: ignore[arg-type]
        self._archive.close()
        self._unfinished.rename(self._folder / "images.zip")
        return Prepared(len(self.names))


def prepare_landmarks68(source: Path, target: Path, *, progress: Progress[Path] = iter) -> Prepared:
    """Convert 300-W photographs with ``.pts`` files beside (HELEN, AFW and so on).

    Test sets are left out. An image is named after its collection: ``helen_100032540_1.jpg``.

    Args:
        source: folder of the originals, at any depth.
        target: created if it is missing.
        progress: wraps the files.

    Raises:
        DataError: if ``source`` holds no such files, or ``target`` holds a set.
    """
    files = [file for file in files_in(source) if file.suffix == ".pts"]
    kept = [file for file in files if not set(file.parts) & set(_TEST_FOLDERS)]
    landmarks = []
    with _ArchiveWriter(target) as writer:
        for file in progress(kept):
            pixels, scale = _shrink(from_file(image_beside(file))(), LANDMARKS68_SIDE)
            landmarks.append((read_pts(file) + CORNER) * scale)
            writer.add(_name_in_collection(file), pixels)
        expected = f"{source} should hold images with .pts files beside; it holds none"
        prepared = writer.finish(expected, landmarks=np.array(landmarks, np.float32))
    prepared.notes = left_out_notes({"images of test sets": len(files) - len(kept)})
    return prepared


def _name_in_collection(file: Path) -> str:
    """Return the image name of a .pts file: collection, photograph, number of the face."""
    folders = [part.lower() for part in file.resolve().parts[:-1]]
    collection = next((name for name in reversed(folders) if name in _COLLECTIONS), folders[-1])
    numbered = file.stem if collection in _FACES_NUMBERED else f"{file.stem}_1"
    return f"{collection}_{numbered}.jpg"


def prepare_muxspace(
    source: Path,
    target: Path,
    *,
    find_landmarks: FindLandmarks | None = None,
    progress: Progress[dict[str, str]] = iter,
) -> Prepared:
    """Convert the repository facial_expressions of muxspace: ``images`` and ``data/legend.csv``.

    Args:
        source: folder of the repository.
        target: created if it is missing.
        find_landmarks: makes the landmarks; without it they are NaN, which is read as unknown.
        progress: wraps the rows of the legend.

    Raises:
        DataError: if ``source`` is not this repository, or ``target`` holds a set.
    """
    images = find_folder(source, "images")
    legend = next((f for f in files_in(source) if f.name == "legend.csv"), source / "legend.csv")
    rows = list({row["image"]: row for row in read_table(legend, ("image", "emotion"))}.values())
    emotions, landmarks, unreadable = [], [], 0
    with _ArchiveWriter(target) as writer:
        for row in progress(rows):
            try:
                original = from_file(images / row["image"])()
            except DataError:
                unreadable += 1
                continue
            pixels, _ = _shrink(_to_gray(original), MUXSPACE_SIDE)
            points = None if find_landmarks is None else find_landmarks(Image(pixels, "mono"))
            unknown = np.full((NUM_LANDMARKS, 2), np.nan)
            landmarks.append(unknown if points is None else points + CORNER)
            emotions.append(_muxspace_class(row["emotion"], legend))
            writer.add(f"{len(writer.names):05d}.jpg", pixels)
        prepared = writer.finish(
            f"{images} should hold the images of {legend}; none of them can be read",
            emotion=np.array(emotions, np.uint8),
            landmarks=np.array(landmarks, np.float16),
        )
    prepared.notes = left_out_notes({"unreadable": unreadable})
    return prepared


def _muxspace_class(word: str, legend: Path) -> int:
    try:
        return maps.MUXSPACE.index(maps.emotion_of(word))
    except KeyError:
        raise DataError(f"{legend}: there is no emotion {word!r}") from None


def prepare_ytf68(
    source: Path,
    target: Path,
    *,
    frames: int = FRAMES_PER_VIDEO,
    progress: Progress[Path] = iter,
) -> Prepared:
    """Convert videos of YouTube Faces with 68 landmarks, one ``PERSON_NUMBER.npz`` per video.

    Each holds ``colorImages`` (h, w, 3, n) RGB and ``landmarks2D`` (68, 2, n) in pixels counted
    from 1. An image is named after person, video and frame: ``Luis_Fonsi_21.jpg``.

    Args:
        source: folder of the videos, at any depth.
        target: created if it is missing.
        frames: of each video, evenly spaced, 1 to 10.
        progress: wraps the files.

    Raises:
        DataError: if ``source`` holds no such files, or ``target`` holds a set.
    """
    files = [file for file in files_in(source) if re.fullmatch(r".+_\d+", file.stem)]
    files = [file for file in files if file.suffix == ".npz"]
    landmarks = []
    with _ArchiveWriter(target) as writer:
        for file in progress(files):
            images, points = _read_video(file)
            index = np.linspace(0, len(images) - 1, min(frames, len(images))).astype(int)
            for number, frame in enumerate(index.tolist()):
                bgr = cv2.cvtColor(images[frame], cv2.COLOR_RGB2BGR)
                pixels, scale = _shrink(np.asarray(bgr, np.uint8), YTF68_SIDE)
                centred = (points[frame] - YTF68_ORIGIN + CORNER) * scale - CORNER
                landmarks.append(centred + YTF68_ORIGIN)
                writer.add(f"{file.stem}{number}.jpg", pixels)
        expected = f"{source} should hold videos as PERSON_NUMBER.npz; it holds none"
        return writer.finish(expected, landmarks=np.array(landmarks, np.float32))


def _read_video(file: Path) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return (n, h, w, 3) images and (n, 68, 2) landmarks."""
    try:
        with np.load(file) as values:
            images = np.moveaxis(values["colorImages"], -1, 0).astype(np.uint8)
            points = np.moveaxis(values["landmarks2D"], -1, 0).astype(np.float32)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} should hold colorImages and landmarks2D: {error}") from error
    if points.shape[1:] != (NUM_LANDMARKS, 2) or len(points) != len(images):
        raise DataError(f"{file} should hold 68 landmarks per image; it holds {points.shape}")
    return np.ascontiguousarray(images), points


def _shrink(
    pixels: NDArray[np.uint8], longest: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return an image with at most this longest side, and the (2,) factors of its size."""
    size = np.array(pixels.shape[1::-1])
    if size.max() <= longest:
        return pixels, np.ones(2)
    target = np.maximum(np.round(size * longest / size.max()), 1).astype(int)
    resized = cv2.resize(pixels, target.tolist(), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8), target / size


def _to_gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return Image(pixels, "mono" if pixels.ndim == 2 else "bgr").gray()


#: Set -> the function that converts it.
PREPARE: dict[str, Callable[..., Prepared]] = {
    "landmarks68": prepare_landmarks68,
    "muxspace": prepare_muxspace,
    "ytf68": prepare_ytf68,
}
