"""Files of data sets: where they should be, and the pictures in them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images import decode_pixels, to_8bit
from edan_ros.datasets.errors import DataError

#: Endings of the files that are taken for pictures.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


def decode(data: bytes, name: str) -> NDArray[np.uint8]:
    """The picture of a file's bytes, grey or BGR. Raises DataError, which names it, if none.

    An alpha channel is dropped. Of 16 bits those in use are kept.
    """
    pixels = decode_pixels(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None:
        raise DataError(f"{name} is not an image of 8 or 16 bits that OpenCV reads")
    return to_8bit(pixels)


def _read_file(path: Path) -> NDArray[np.uint8]:
    try:
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error.strerror}") from error


def _read_zipped(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    try:
        return decode(archive.read(name), f"{archive.filename}: {name}")
    except KeyError as error:
        raise DataError(f"{archive.filename} holds no image {name}") from error


def from_file(path: Path) -> Callable[[], NDArray[np.uint8]]:
    """For ``FaceSample.read``: the picture of a file."""
    return partial(_read_file, path)


def from_zip(archive: zipfile.ZipFile, name: str) -> Callable[[], NDArray[np.uint8]]:
    """For ``FaceSample.read``: a picture in an archive that stays open."""
    return partial(_read_zipped, archive, name)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of a set's, but of the system that packed it."""
    return name.startswith((".", "__MACOSX"))


def files_in(folder: Path) -> list[Path]:
    """All files in a folder and below, in order; hidden files and folders left out.

    Links are followed, each folder once.
    """
    return sorted(_walk(folder, set()))


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, followlinks=True):
        where = os.path.realpath(place)
        folders[:] = [] if where in seen else [name for name in folders if not is_hidden(name)]
        if where not in seen:
            yield from (Path(place, name) for name in files if not is_hidden(name))
        seen.add(where)


def images_in(folder: Path) -> list[Path]:
    """All pictures in a folder and below, in order."""
    return [path for path in files_in(folder) if path.suffix.lower() in IMAGE_SUFFIXES]


def find_folder(path: Path, *names: str) -> Path:
    """The first of some folders below ``path`` that is there; the one in it where an archive has
    been unpacked into a folder of its own name.

    Raises DataError, which says what was expected, when none is.
    """
    for name in names:
        folder = path / name
        if folder.is_dir():
            return folder / folder.name if (folder / folder.name).is_dir() else folder
    raise DataError(f"{path} should hold the folder {' or '.join(names)}; {list_content(path)}")


def find_file(path: Path, *names: str) -> Path:
    """The first of some files below ``path`` that is there. Raises DataError when none is."""
    for name in names:
        if (path / name).is_file():
            return path / name
    raise DataError(f"{path} should hold the file {' or '.join(names)}; {list_content(path)}")


def list_content(path: Path, most: int = 6) -> str:
    """A folder's content in words, for messages."""
    if not path.is_dir():
        return "it is no folder" if path.exists() else "there is no such folder"
    names = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    if not names:
        return "it is empty"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"it holds {', '.join(names[:most])}{more}"
