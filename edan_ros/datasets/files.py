"""Files of data sets: finding them, and reading images."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edan_ros.core.images import ImageError, decode_file
from edan_ros.core.images.file_formats import IMAGE_SUFFIXES


class DataError(ValueError):
    """A data set is not laid out as its reader expects. The message states what is expected."""


def _decode(data: bytes, name: str) -> NDArray[np.uint8]:
    """Return the image in a file's bytes, (h, w) grey or (h, w, 3) BGR, upright.

    An alpha channel is dropped, and 16 bits are reduced to 8. Raises DataError with the name if
    there is no image.
    """
    try:
        return decode_file(data, name).pixels
    except ImageError as error:
        raise DataError(str(error)) from None


def _read_file(path: Path) -> NDArray[np.uint8]:
    try:
        return _decode(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error.strerror}") from error


def _read_zipped(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    try:
        return _decode(archive.read(name), f"{archive.filename}: {name}")
    except KeyError as error:
        raise DataError(f"{archive.filename} holds no image {name}") from error


def from_file(path: Path) -> Callable[[], NDArray[np.uint8]]:
    """Return a function for ``FaceSample.read`` that reads an image file."""
    return partial(_read_file, path)


def from_zip(archive: zipfile.ZipFile, name: str) -> Callable[[], NDArray[np.uint8]]:
    """Return a function for ``FaceSample.read`` that reads from an archive, which stays open."""
    return partial(_read_zipped, archive, name)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder belongs to the operating system, not to the data set."""
    return name.startswith((".", "__MACOSX"))


def files_in(folder: Path) -> list[Path]:
    """Return all files at any depth, sorted, without hidden files and folders.

    Links are followed; each folder is visited once.
    """
    return sorted(_walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    visited: set[str] = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(name)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = [each for each in folders if not is_hidden(each)]
        yield from (Path(name, each) for each in files if not is_hidden(each))


def images_below(folder: Path) -> list[Path]:
    """Return all images at any depth, sorted."""
    return [path for path in files_in(folder) if path.suffix.lower() in IMAGE_SUFFIXES]


def find_folder(path: Path, *names: str) -> Path:
    """Return the first existing of some folders in ``path``.

    A folder that holds one of its own name, as unpacked archives do, stands for that one. Raises
    DataError with the expected names if none exists.
    """
    for name in names:
        folder = path / name
        if folder.is_dir():
            return folder / folder.name if (folder / folder.name).is_dir() else folder
    raise DataError(f"{path} should hold the folder {' or '.join(names)}; {list_content(path)}")


def find_file(path: Path, *names: str) -> Path:
    """Return the first existing of some files in ``path``. Raises DataError if none exists."""
    for name in names:
        if (path / name).is_file():
            return path / name
    raise DataError(f"{path} should hold the file {' or '.join(names)}; {list_content(path)}")


def list_content(path: Path, limit: int = 6) -> str:
    """Return a clause about the first entries of a folder, for messages."""
    if not path.is_dir():
        return "it is not a folder" if path.exists() else "there is no such folder"
    names = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    if not names:
        return "it is empty"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"it holds {', '.join(names[:limit])}{more}"
